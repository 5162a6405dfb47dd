// Builds the page's elements. A string can only become a text node: so what a person wrote never
// becomes markup.

// Creates an element with attributes, `on…` listeners, and children; skips those that are null or
// false.
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

export const $ = (id) => document.getElementById(id);
export const ICON = new URL("icon.svg", import.meta.url).href;

const SVG = "http://www.w3.org/2000/svg";
// Icons: strokes in a square of 24 by 24 units.
const PATHS = {
  add: "M12 5v14M5 12h14",
  block: "M12 21a9 9 0 100-18 9 9 0 000 18zM6 6l12 12",
  back: "M15 5l-7 7 7 7",
  close: "M6 6l12 12M18 6L6 18",
  down: "M12 5v14M6 13l6 6 6-6",
  edit: "M4 20h4L20 8l-4-4L4 16zM14 6l4 4",
  gear: "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
  link: "M9 15l6-6M10 7l2-2a4 4 0 016 6l-2 2M14 17l-2 2a4 4 0 01-6-6l2-2",
  lock: "M6 11h12v9H6zM9 11V8a3 3 0 016 0v3",
  people: "M9 11a3 3 0 100-6 3 3 0 000 6zM3 20c0-4 3-6 6-6s6 2 6 6"
    + "M16 5a3 3 0 010 6M18 14c2 1 3 3 3 6",
  reply: "M10 6l-6 6 6 6M4 12h9c5 0 7 3 7 7",
  search: "M11 18a7 7 0 100-14 7 7 0 000 14zM16 16l5 5",
  send: "M4 12l16-8-6 16-3-7z",
  shield: "M12 3l7 3v6c0 4-3 7-7 9-4-2-7-5-7-9V6z",
  smile: "M12 21a9 9 0 100-18 9 9 0 000 18zM8 14c2 3 6 3 8 0M9 9v1M15 9v1",
  trash: "M5 7h14M10 4h4M7 7l1 13h8l1-13",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

// Creates a button with an icon; `label` names its action.
export function tool(name, label, onclick) {
  return h("button", { type: "button", class: "tool", "aria-label": label, title: label, onclick },
    icon(name));
}

// The hue of a person: that of the color which the person chose, or else one computed from the
// name.
export function hue(name, color) {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color ?? "");
  if (hex) {
    const [r, g, b] = hex.slice(1).map((part) => parseInt(part, 16) / 255);
    const angle = Math.atan2(Math.sqrt(3) * (g - b), 2 * r - g - b) * 180 / Math.PI;
    return Math.round((angle + 360 + 29) % 360);
  }
  let hash = 2166136261;
  for (const unit of name.toLowerCase()) {
    hash = Math.imul(hash ^ unit.codePointAt(0), 16777619) >>> 0;
  }
  return hash % 360;
}

export function avatar(name, color) {
  const letter = [...name.trim()][0]?.toUpperCase() ?? "?";
  const element = h("span", { class: "avatar", "aria-hidden": "true" }, letter);
  element.style.setProperty("--hue", hue(name, color));
  return element;
}

const CLOCK = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat([], { dateStyle: "full", timeStyle: "short" });
const SHORT = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long" });
const DAY_YEAR = new Intl.DateTimeFormat([], { dateStyle: "full" });

export function clock(time) {
  const date = new Date(time);
  return h("time", { datetime: date.toISOString(), title: FULL.format(date) }, CLOCK.format(date));
}

// The time without "AM" or "PM": there is little space beside the later messages of a group.
export function shortClock(time) {
  const element = clock(time);
  const parts = CLOCK.formatToParts(new Date(time));
  element.textContent = parts.filter(({ type }) => type !== "dayPeriod")
    .map(({ value }) => value).join("").trim();
  return element;
}

export function dateTime(time) {
  const date = new Date(time);
  return h("time", { datetime: date.toISOString() }, SHORT.format(date));
}

export function dayOf(date) {
  const two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function dayName(date) {
  const now = new Date();
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (dayOf(date) === dayOf(now)) return "Today";
  if (dayOf(date) === dayOf(yesterday)) return "Yesterday";
  return (date.getFullYear() === now.getFullYear() ? DAY : DAY_YEAR).format(date);
}

// Calls `then` in the next frame, or after FRAME_MS_MAX: some browsers draw no frames in a hidden
// window.
const FRAME_MS_MAX = 250;
export function nextFrame(then) {
  let open = true;
  const once = () => {
    if (open) then();
    open = false;
  };
  requestAnimationFrame(once);
  setTimeout(once, FRAME_MS_MAX);
  return true;
}

// Makes screen readers say a text.
let line = 0;
export function announce(text) {
  const announcer = $("announcer");
  // Two lines take turns, so that a screen reader also says the same text twice.
  line = 1 - line;
  announcer.children[line].textContent = text;
  announcer.children[1 - line].textContent = "";
}

// Shows a short text at the edge of the page for a few seconds.
let toastTimer = 0;
const toastBox = $("toast");
export function toast(text) {
  clearTimeout(toastTimer);
  // An open dialog covers everything that is not inside it.
  ([...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body).append(toastBox);
  toastBox.textContent = text;
  toastBox.hidden = false;
  toastTimer = setTimeout(() => { toastBox.hidden = true; }, 6000);
}
document.addEventListener("close", ({ target }) => {
  if (target.contains(toastBox)) document.body.append(toastBox);
}, true);

// Whether the reader can see this page: it is visible, and its window has the focus.
export const looking = () => document.visibilityState === "visible" && document.hasFocus();
export const touch = () => matchMedia("(pointer: coarse)").matches;
