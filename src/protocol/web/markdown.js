// A subset of Markdown as nodes: bold, italic, strike, code, fenced code, quotes, lists, links. All
// other text stays as it was written. Nodes are made by `h` only, so a text cannot inject markup.
// The time is linear in the length of the text. A text that needs too many nodes is shown plain.

import { h } from "./dom.js";
import { isMe } from "./state.js";
import { fold, parts } from "./words.js";

const DEPTH_MAX = 6;
const NODES_MAX = 1000;
const NESTED_SPACES_MAX = 24;
const TAGS = { "**": "strong", __: "strong", "~~": "s", "*": "em", _: "em" };

// `names`: the names that the text mentions.
export function markdown(text, names = [], most = NODES_MAX) {
  const page = { left: most, names: new Map(names.map((name) => [fold(name), name])) };
  const out = blocks(page, text.split("\n"), 0);
  return page.left >= 0 ? out : [h("p", {}, text)];
}

// Emoji with a picture: keycaps, flags, and others with skin tones, tags and joiners.
const MORE = "(?:\\ufe0f|\\p{Emoji_Modifier}|[\\u{e0020}-\\u{e007f}])*";
const PICTURE = "(?:\\p{Emoji_Presentation}"
  + "|\\p{Extended_Pictographic}(?=\\ufe0f|\\p{Emoji_Modifier}))"
  + `${MORE}(?:\\u200d\\p{Extended_Pictographic}${MORE})*`;
const PICTURES = new RegExp(
  `^\\s*(?:(?:[0-9#*]\\ufe0f?\\u20e3|\\p{Regional_Indicator}{2}|${PICTURE})\\s*)+$`, "u");

// Whether a text consists of a few emoji, which are then shown large.
export const onlyEmoji = (text) => text.length <= 24 && PICTURES.test(text);

function blocks(page, lines, depth) {
  const out = [];
  let plain = [];
  const make = (...element) => {
    if (plain.length) paragraph();
    page.left -= 1;
    out.push(h(...element));
  };
  const paragraph = () => {
    const [first, last] = [plain.findIndex(trim), plain.findLastIndex(trim)];
    const words = plain.slice(first, last + 1).join("\n");
    plain = [];
    if (first >= 0) make("p", {}, inline(page, words));
  };
  const ends = closingFences(lines);
  for (let at = 0; at < lines.length && page.left >= 0; at += 1) {
    const line = lines[at];
    if (ends[at]) {
      const code = lines.slice(at + 1, ends[at]).join("\n");
      make("pre", { tabindex: "0", "aria-label": "Code" }, h("code", {}, code));
      at = ends[at];
      continue;
    }
    if (quoted(line) !== null && depth < DEPTH_MAX) {
      const inside = [];
      for (let content; (content = quoted(lines[at] ?? "")) !== null; at += 1) inside.push(content);
      at -= 1;
      make("blockquote", {}, blocks(page, inside, depth + 1));
      continue;
    }
    if (item(line)) {
      const items = [];
      for (let next = item(line); next; next = item(lines[at] ?? "", NESTED_SPACES_MAX)) {
        items.push(next);
        at += 1;
      }
      at -= 1;
      if (plain.length) paragraph();
      out.push(...lists(page, items, depth));
      continue;
    }
    if (!trim(line) && plain.length && !trim(plain.at(-1))) continue;
    plain.push(line);
  }
  if (plain.length) paragraph();
  return out;
}

// Makes lists of consecutive items; an item that is indented further belongs to the one above it.
function lists(page, items, depth) {
  const out = [];
  for (let at = 0; at < items.length;) {
    const first = items[at];
    const made = [];
    while (at < items.length && Boolean(items[at].number) === Boolean(first.number)) {
      const { words, indent } = items[at];
      const from = at += 1;
      while (depth < DEPTH_MAX && items[at]?.indent >= indent + 2) at += 1;
      const below = lists(page, items.slice(from, at), depth + 1);
      page.left -= 1;
      made.push(h("li", {}, inline(page, words), below));
    }
    const start = first.number && first.number !== "1" ? first.number : null;
    page.left -= 1;
    out.push(h(first.number ? "ol" : "ul", { start }, made));
  }
  return out;
}

const isBlank = (c) => c === " " || c === "\t";

function trim(line) {
  let [from, to] = [0, line.length];
  while (from < to && isBlank(line[from])) from += 1;
  while (from < to && isBlank(line[to - 1])) to -= 1;
  return line.slice(from, to);
}

function unindented(line, most = 3) {
  let from = 0;
  while (from < most && line[from] === " ") from += 1;
  return line.slice(from);
}

function quoted(line) {
  const rest = unindented(line);
  return rest[0] === ">" ? rest.slice(rest[1] === " " ? 2 : 1) : null;
}

// A list item: its number, if any (a year is not a number of a list), its text, and its indent.
function item(line, most = 3) {
  const rest = unindented(line, most);
  const found = /^(?:[-*+]|(\d{1,3})[.)])[ \t]/.exec(rest);
  const indent = line.length - rest.length;
  return found && { number: found[1], words: trim(rest.slice(found[0].length)), indent };
}

// For each line that begins a block of fenced code, the index of the line that ends it.
function closingFences(lines) {
  const ends = [];
  const next = new Map();
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const found = /^(`{3,}|~{3,})/.exec(unindented(lines[at]));
    const language = found && trim(unindented(lines[at]).slice(found[0].length));
    if (found && /^[\w+#.-]{0,32}$/.test(language)) ends[at] = next.get(found[0]);
    const closing = trim(lines[at]);
    if (/^(?:`{3,}|~{3,})$/.test(closing)) next.set(closing, at);
  }
  return ends;
}

function inline(page, text) {
  const chars = [...text];
  const out = [];
  const open = []; // opening marks that are not closed yet: {mark, at: index in `out`}
  const push = (node) => {
    if (typeof node !== "string") page.left -= 1;
    out.push(node);
  };
  parts(chars, page.names, (part) => {
    const { kind, from, to } = part;
    const words = part.text ?? chars.slice(from, to).join("");
    const safe = part.target === undefined ? null : address(part.target);
    if (kind === "mark") mark(page, chars, part, out, open);
    else if (kind === "code") push(h("code", {}, words));
    else if (kind === "call") {
      const mine = isMe(part.name) ? "mention mine" : "mention";
      push(h("span", { class: mine, "data-name": part.name }, words));
    } else if (safe) push(link(safe, part.label ?? part.target));
    else push(words);
  });
  return out;
}

// A run of marks closes open marks, or opens new ones, or is plain text.
function mark(page, chars, { from, to, mark: c }, out, open) {
  const [before, after] = [chars[from - 1], chars[to]];
  const solid = (char) => char !== undefined && !/\s/.test(char);
  const letter = (char) => char !== undefined && /[\p{L}\p{N}_]/u.test(char);
  let left = to - from;
  const fits = (mark) => TAGS[mark] && mark[0] === c;
  // Inside a word, marks are part of a name or a formula: some_file_name, 2*3*4.
  const within = (before, other) => (c === "_" || left === 1) && letter(other);
  // `__init__.py` and `__init__()` are names, too.
  const named = c === "_" && (after === "(" || (after === "." && letter(chars[to + 1])));
  while (left && solid(before) && !within(left, after) && !named) {
    const wanted = left < 3 ? c.repeat(left) : null;
    const last = open.findLastIndex(({ mark, at }) => fits(mark) && at + 1 < out.length
      && (wanted ? mark === wanted : mark.length <= left));
    if (last < 0) break;
    const { mark, at } = open[last];
    open.length = last;
    const inside = out.splice(at);
    page.left -= 1;
    out.push(h(TAGS[mark], {}, inside.slice(1)));
    left -= mark.length;
  }
  if (left && left < 4 && solid(after) && !within(left, before)) {
    for (const tag of left === 3 ? [c + c, c] : [c.repeat(left)]) {
      if (TAGS[tag]) {
        if (open.length === DEPTH_MAX) open.shift();
        open.push({ mark: tag, at: out.length });
      }
      out.push(tag);
    }
  } else if (left) out.push(c.repeat(left));
}

// The URL of an address that is safe to follow; otherwise null.
function address(text) {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url && ["http:", "https:", "mailto:"].includes(url.protocol) ? url : null;
}

function link(url, label) {
  const attributes = { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" };
  const element = h("a", attributes, label);
  // A link whose text is not its host shows the host, too: the text may name another place.
  const place = url.host || url.pathname;
  const told = address(label.startsWith("www.") ? `https://${label}` : label);
  const same = told && (told.host || told.pathname) === place;
  // Letters of other scripts may look like Latin ones; `place` has them in punycode.
  if (same && label.toLowerCase().includes(place.toLowerCase())) return element;
  return h("span", {}, element, h("span", { class: "host" }, ` (${place})`));
}
