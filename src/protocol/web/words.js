// Finds the parts of a text: code, links, addresses, marks, and mentions. It reads each character
// once, from the start to the end. The server finds mentions by the same rules
// (src/chat/state/mentions.rs); tests/texts.json tests both.

const NAME_MAX = 32;
const LABEL_MAX = 500;
const ADDRESS_MAX = 2000;
const ESCAPED = new Set("\\`*_~[]()>#@-");
const TAIL = new Set(".,;:!?'*_~…“”‘’«»");
// East Asian punctuation ends an address; a closing bracket ends it if no bracket is open.
const STOPS = new Set("。，、！？：；");
const WIDE_OPENS = new Set("（【《〈「『");
const WIDE_CLOSES = new Set("）】》〉」』");
const OPENS = { ")": "(", "]": "[" };
const SCHEMES = ["https://", "http://", "mailto:"];

const isSpace = (c) => c !== undefined && /\s/.test(c);
const isAlnum = (c) => c !== undefined && /[\p{Alphabetic}\p{N}]/u.test(c);
const isMark = (c) => c !== undefined && /\p{M}/u.test(c);
const isPlain = (c) => /[A-Za-z0-9]/.test(c);

// Two names are the same if this is: compatibility decomposition, and no case.
export function fold(text) {
  const apart = (text) => text.normalize("NFKD");
  return apart(apart(text).toLowerCase().toUpperCase());
}

// The direction of a text: its first letter decides. (With `dir=auto` the browser would read the
// whole text at each change.)
const RIGHT_TO_LEFT = new RegExp("^\\P{L}*[\\p{Script=Hebrew}\\p{Script=Arabic}"
  + "\\p{Script=Syriac}\\p{Script=Thaana}\\p{Script=Nko}]", "u");
export const direction = (text) => (RIGHT_TO_LEFT.test(text.slice(0, 200)) ? "rtl" : "");

// Removes the variation selector, which is invisible and forbidden in names: keyboards add it to
// some emoji.
export const nameable = (text) => text.trim().replaceAll("\ufe0f", "");

// Calls `on` for each part of a text, in order: `{kind, from, to}`, with the fields of its kind.
// `chars`: the characters of the text. `names`: the names that it may mention, by their folds.
export function parts(chars, names, on) {
  const ticks = runsOfTicks(chars);
  let plain = 0;
  let local = false; // an e-mail address could end here
  let dotted = false; // the word has a dot
  let at = 0;
  while (at < chars.length) {
    const c = chars[at];
    let found = null;
    if (c === "\\" && ESCAPED.has(chars[at + 1])) {
      found = { kind: "text", to: at + 2, text: chars[at + 1] };
    } else if (c === "`") found = code(chars, ticks, at);
    else if (c === "[") found = link(chars, at);
    else if (c === "h" || c === "m") found = address(chars, at);
    else if (c === "w") found = www(chars, at);
    else if (c === "<") found = enclosed(chars, at);
    else if (c === "@" && !local && !(dotted && "/" === chars[at - 1])) {
      found = call(chars, at, names);
    } else if (c === "*" || c === "_" || c === "~") {
      const to = at + run(chars, at);
      if (plain < at) on({ kind: "text", from: plain, to: at });
      on({ kind: "mark", from: at, to, mark: c });
      plain = at = to;
      local &&= c === "_";
      continue;
    }
    if (found) {
      if (plain < at) on({ kind: "text", from: plain, to: at });
      on({ ...found, from: at });
      plain = at = found.to;
      local = dotted = false;
      continue;
    }
    local = isPlain(c) || (local && (c === "_" || c === "+" || c === "-"));
    dotted = (dotted || c === ".") && !isSpace(c);
    at += 1;
  }
  if (plain < at) on({ kind: "text", from: plain, to: at });
}

// The length of the run of equal characters at a position.
export function run(chars, at) {
  let to = at;
  while (chars[to] === chars[at] && to < chars.length) to += 1;
  return to - at;
}

// The positions of the runs of backticks, by length.
function runsOfTicks(chars) {
  const runs = new Map();
  for (let at = chars.indexOf("`"); at >= 0; at = chars.indexOf("`", at)) {
    const length = run(chars, at);
    if (!runs.has(length)) runs.set(length, { starts: [], next: 0 });
    runs.get(length).starts.push(at);
    at += length;
  }
  return runs;
}

function code(chars, ticks, at) {
  const from = at + run(chars, at);
  const runs = ticks.get(from - at);
  // Runs before this one cannot close it.
  while (runs && runs.starts[runs.next] < from) runs.next += 1;
  const close = runs?.starts[runs.next];
  if (close === undefined) return { kind: "text", to: from };
  // One space at each end is not part of the code: it separates backticks inside from the marks.
  let [start, end] = [from, close];
  const spaced = chars[start] === " " && chars[end - 1] === " ";
  if (spaced && chars.slice(start, end).some((c) => !isSpace(c))) {
    [start, end] = [start + 1, end - 1];
  }
  return { kind: "code", to: close + from - at, text: chars.slice(start, end).join("") };
}

function count(chars, from, most, fits) {
  let to = from;
  while (to < chars.length && to - from < most && fits(chars[to])) to += 1;
  return to;
}

function link(chars, at) {
  const open = count(chars, at + 1, LABEL_MAX, (c) => c !== "[" && c !== "]" && c !== "\n");
  if (open === at + 1 || chars[open] !== "]" || chars[open + 1] !== "(") return null;
  const from = open + 2;
  let depth = 0;
  // Brackets inside the address come in pairs.
  const close = count(chars, from, ADDRESS_MAX, (c) => {
    depth += c === "(" ? 1 : c === ")" ? -1 : 0;
    return depth >= 0 && !isSpace(c) && c !== "<" && c !== ">";
  });
  if (close === from || chars[close] !== ")") return null;
  const target = chars.slice(from, close).join("");
  return { kind: "link", to: close + 1, label: chars.slice(at + 1, open).join(""), target };
}

const begins = (chars, at, words) => [...words].every((c, i) => chars[at + i] === c);

function address(chars, at) {
  const scheme = SCHEMES.find((scheme) => begins(chars, at, scheme));
  return scheme ? rest(chars, at, at + scheme.length) : null;
}

// An address without a scheme, at the beginning of a word.
function www(chars, at) {
  const before = chars[at - 1];
  const word = before !== undefined && isAlnum(before) && script(before) !== 3;
  if (!begins(chars, at, "www.") || word || "./-@:_\\".includes(before ?? " ")) return null;
  if (!isAlnum(chars[at + 4])) return null;
  const found = rest(chars, at, at + 4);
  return found && { ...found, target: `https://${found.target}`, label: found.target };
}

function rest(chars, at, from) {
  let open = 0;
  const end = count(chars, from, ADDRESS_MAX, (c) => {
    open += WIDE_OPENS.has(c) ? 1 : WIDE_CLOSES.has(c) ? -1 : 0;
    return open >= 0 && !isSpace(c) && !"<>\"`".includes(c) && !STOPS.has(c);
  });
  if (end < from + 2) return null;
  const to = trimmed(chars, at, end);
  return { kind: "address", to, target: chars.slice(at, to).join("") };
}

// `<https://example.org>`: everything between the brackets is the address.
function enclosed(chars, at) {
  const from = at + 1;
  if (!SCHEMES.some((scheme) => begins(chars, from, scheme))) return null;
  const close = count(chars, from, ADDRESS_MAX, (c) => !isSpace(c) && !"<>\"`".includes(c));
  if (chars[close] !== ">") return null;
  return { kind: "address", to: close + 1, target: chars.slice(from, close).join("") };
}

// Excludes punctuation at the end of an address, and closing brackets that it does not open.
function trimmed(chars, from, to) {
  const counts = new Map();
  for (let at = from; at < to; at += 1) counts.set(chars[at], (counts.get(chars[at]) ?? 0) + 1);
  const many = (c) => counts.get(c) ?? 0;
  const surplus = { ")": many(")") - many("("), "]": many("]") - many("[") };
  let end = to;
  for (; end > from; end -= 1) {
    const c = chars[end - 1];
    if (c in OPENS ? surplus[c]-- <= 0 : !TAIL.has(c)) break;
  }
  return end;
}

// The longest known name right behind an `@`.
function call(chars, at, names) {
  const from = at + 1;
  if (!names.size || chars[from] === " ") return null;
  let key = "";
  let begun = from;
  let best = null;
  for (let end = from + 1; end <= Math.min(chars.length, from + NAME_MAX); end += 1) {
    const last = chars[end - 1];
    if (last === "\n") break;
    if (last === " " || goesOn(chars, end)) continue;
    key += fold(chars.slice(begun, end).join(""));
    begun = end;
    if (names.has(key)) best = { kind: "call", to: end, name: names.get(key) };
  }
  return best;
}

// Whether the word before `end` continues at `end`.
function goesOn(chars, end) {
  const [last, next] = [chars[end - 1], chars[end]];
  if (next === undefined) return false;
  if (isMark(next)) return true;
  if (!isAlnum(last) && !isMark(last)) return false;
  if (next === "-" || next === "." || next === "@") return isAlnum(chars[end + 1]);
  if (next === "_") return isAlnum(chars[end + run(chars, end)]);
  return isAlnum(next) && !part(last, next);
}

const KATAKANA = /[\u30a0-\u30ff\u31f0-\u31ff\uff66-\uff9f]/;
const HANGUL = /[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]/;
// Han, Hiragana, Thai, Lao, Myanmar, Khmer.
const UNSPACED = new RegExp("[\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u3005-\\u3007"
  + "\\u3041-\\u309f\\u3400-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3ffff}]", "u");

function script(c) {
  return KATAKANA.test(c) ? 1 : HANGUL.test(c) ? 2 : UNSPACED.test(c) ? 3 : 0;
}

// Whether a word may end between two letters: scripts without spaces, and changes of script.
function part(last, next) {
  return script(last) !== script(next) || script(last) === 3;
}
