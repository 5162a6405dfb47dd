// A part of Markdown, as nodes: bold, italic, strike, code, fenced code, quotes, lists, links. What
// is not understood stays as it was written. There is no way to markup from here but `h`.

import { h } from "./dom.js";
import { isMe } from "./state.js";

const DEPTH_MAX = 6;
const ITEM = /^\s{0,3}(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const TOKEN = new RegExp([
  "\\\\(?<escaped>[\\\\`*_~[\\]()>#@-])",
  "(?<ticks>`+)",
  "\\[(?<text>[^\\[\\]\\n]{1,500})\\]\\((?<target>[^\\s()<>]{1,2000})\\)",
  "(?<url>(?:https?://|mailto:)[^\\s<>\"`]{2,2000})",
  "(?<mark>\\*\\*|~~|\\*|_)(?=\\S)",
  "(?<![\\p{L}\\p{N}])@(?<name>[A-Za-z0-9]{1,32})(?![A-Za-z0-9])",
].join("|"), "gu");
const TAGS = { "**": "strong", "~~": "s", "*": "em", "_": "em" };

export function markdown(text) {
  return blocks(text.split("\n"), 0);
}

// Nothing but a few emoji; they are shown large.
export function onlyEmoji(text) {
  return text.length <= 24 && !/[\p{L}\p{N}]/u.test(text) &&
    /^(?:\p{Extended_Pictographic}|\p{Regional_Indicator}|\p{M}|\p{Emoji_Modifier}|\u200d|\s)+$/u
      .test(text);
}

function blocks(lines, depth) {
  const out = [];
  let plain = [];
  const flush = () => {
    while (plain.length && !plain[0].trim()) plain.shift();
    while (plain.length && !plain.at(-1).trim()) plain.pop();
    if (plain.length) out.push(h("p", {}, inline(plain.join("\n"), 0)));
    plain = [];
  };
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at];
    const fence = /^\s{0,3}(```+|~~~+)\s*([\w+#.-]{0,32})\s*$/.exec(line);
    if (fence) {
      const end = lines.findIndex((one, i) => i > at && one.trim() === fence[1]);
      if (end > 0) {
        flush();
        const code = lines.slice(at + 1, end).join("\n");
        out.push(h("pre", { tabindex: "0", "aria-label": "Code" }, h("code", {}, code)));
        at = end;
        continue;
      }
    }
    if (/^\s{0,3}>/.test(line) && depth < DEPTH_MAX) {
      flush();
      const start = at;
      while (at + 1 < lines.length && /^\s{0,3}>/.test(lines[at + 1])) at += 1;
      const inside = lines.slice(start, at + 1).map((one) => one.replace(/^\s{0,3}> ?/, ""));
      out.push(h("blockquote", {}, blocks(inside, depth + 1)));
      continue;
    }
    const item = ITEM.exec(line);
    if (item) {
      flush();
      const ordered = item[1] !== undefined;
      const items = [];
      let next = item;
      for (; next && (next[1] !== undefined) === ordered; next = ITEM.exec(lines[at] ?? "")) {
        items.push(h("li", {}, inline(next[2], 0)));
        at += 1;
      }
      at -= 1;
      const start = ordered && item[1] !== "1" ? item[1] : null;
      out.push(h(ordered ? "ol" : "ul", { start }, items));
      continue;
    }
    if (!line.trim() && plain.length && !plain.at(-1).trim()) continue;
    plain.push(line);
  }
  flush();
  return out;
}

function inline(text, depth) {
  const out = [];
  let plain = "";
  let from = 0;
  const push = (node) => {
    if (plain) out.push(plain);
    plain = "";
    out.push(node);
  };
  const token = new RegExp(TOKEN);
  for (let found = token.exec(text); found; found = token.exec(text)) {
    const { escaped, ticks, text: label, target, url, mark, name } = found.groups;
    let end = found.index + found[0].length;
    plain += text.slice(from, found.index);
    if (escaped) plain += escaped;
    else if (ticks) {
      const close = closingTicks(text, end, ticks.length);
      if (close < 0) plain += ticks;
      else {
        push(h("code", {}, text.slice(end, close).replace(/^ (.*\S.*) $/s, "$1")));
        end = close + ticks.length;
      }
    } else if (label) {
      const safe = address(target);
      if (safe) push(link(safe, label));
      else plain += found[0];
    } else if (url) {
      const clean = trimmed(url);
      const safe = address(clean);
      if (safe) push(link(safe, clean));
      else plain += clean;
      end -= url.length - clean.length;
    } else if (mark) {
      const close = depth < DEPTH_MAX ? closing(text, found.index, mark) : -1;
      if (close < 0) plain += mark;
      else {
        push(h(TAGS[mark], {}, inline(text.slice(end, close), depth + 1)));
        end = close + mark.length;
      }
    } else {
      push(h("span", { class: isMe(name) ? "mention mine" : "mention" }, found[0]));
    }
    from = end;
    token.lastIndex = end;
  }
  plain += text.slice(from);
  if (plain) out.push(plain);
  return out;
}

function closingTicks(text, from, length) {
  const runs = /`+/g;
  runs.lastIndex = from;
  for (let run = runs.exec(text); run; run = runs.exec(text)) {
    if (run[0].length === length) return run.index;
  }
  return -1;
}

// Where a mark ends that begins at `start`; -1: it is none.
function closing(text, start, mark) {
  const letter = (at) => /[\p{L}\p{N}_]/u.test(text[at] ?? " ");
  // Within a word they are part of a name, or of a sum: some_file_name, 2*3*4.
  const single = mark.length === 1;
  if (single && start > 0 && letter(start - 1)) return -1;
  for (let at = start + mark.length + 1; ; at += 1) {
    at = text.indexOf(mark, at);
    if (at < 0) return -1;
    if (/\s/.test(text[at - 1]) || text[at - 1] === "\\") continue;
    const twice = text[at + 1] === "*" || (text[at - 1] === "*" && text[at - 2] !== "\\");
    if (mark === "*" && twice) continue;
    if (single && letter(at + 1)) continue;
    return at;
  }
}

// What follows an address in a sentence is not part of it.
function trimmed(url) {
  let clean = url.replace(/[.,;:!?'*_~]+$/, "");
  while (/[)\]]$/.test(clean)) {
    const [open, close] = clean.endsWith(")") ? ["(", ")"] : ["[", "]"];
    if (clean.split(open).length >= clean.split(close).length) break;
    clean = clean.slice(0, -1).replace(/[.,;:!?'*_~]+$/, "");
  }
  return clean;
}

// Only what is safe to follow.
function address(text) {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url && ["http:", "https:", "mailto:"].includes(url.protocol) ? url : null;
}

function link(url, label) {
  const attributes = { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" };
  const element = h("a", attributes, label);
  // Words may promise another place than the one they lead to.
  const place = url.host || url.pathname;
  const told = address(label);
  const same = told && (told.host || told.pathname) === place;
  // Letters of other scripts look like ours, too: `place` has them spelled out.
  if (same && label.toLowerCase().includes(place.toLowerCase())) return element;
  return h("span", {}, element, h("span", { class: "host" }, ` (${place})`));
}
