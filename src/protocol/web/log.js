// The conversation on the screen: the open room's history cache as list items. `paint` compares the
// items on the screen with those that should be there, by key, and changes only the differences.

import { $, announce, avatar, clock, dayName, dayOf, h, hue, icon, nextFrame, shortClock, toast,
  touch } from "./dom.js";
import { get } from "./api.js";
import { markdown, onlyEmoji } from "./markdown.js";
import { changed, outbox } from "./outbox.js";
import { callsMe, isMe, isMine, on, room, state } from "./state.js";
import { direction } from "./words.js";
import { loadAround, loadNewer, loadNewest, loadOlder, cacheOf } from "./history-cache.js";

const TOGETHER_MS = 5 * 60_000;
const NEAR = 80;
const AHEAD = 900;
const REST = 9; // after painting, pause this many times as long as it took
const REST_MS_MAX = 200;

const scroller = $("log");
const list = $("messages");
let shown = null; // the history cache of the open room
let rows = new Map(); // key → {element, mark}
let active = null; // the key of the item that Tab reaches
let drawTimer = 0;
let rested = 0; // the time of the next painting at the earliest
let settled = false; // the first scroll position is set; the reader scrolls from now on
let arrived = 0; // the number of new messages below
const quoted = new Map(); // seq → message outside the cache to which a message replies
let actions = {};

export const log = {
  start(handlers) { actions = handlers; },
  // Whether loading the history failed.
  get failed() { return Boolean(shown && settled && !shown.loaded && !shown.busy); },

  async open(id, seq) {
    shown = id === null ? null : cacheOf(id);
    rows = new Map();
    list.replaceChildren();
    active = null;
    settled = false;
    arrived = 0;
    if (!shown) return;
    const cache = shown;
    const { unread = 0, read_seq: read = 0 } = room();
    cache.line = unread ? read : null;
    cache.stuck = !unread && !seq;
    scroller.setAttribute("aria-busy", "true");
    try {
      if (seq && !cache.list.some((message) => message.seq === seq)) await loadAround(cache, seq);
      else if (!cache.loaded) await (unread ? loadAround(cache, read) : loadNewest(cache));
    } finally {
      scroller.removeAttribute("aria-busy");
      // Without the history, still show the unsent messages.
      if (shown === cache) {
        paint();
        settled = true;
      }
    }
    if (shown !== cache) return;
    if (seq) this.show(seq);
    else place();
    after();
  },

  // Shows a message that may be far away.
  async show(seq) {
    if (!shown) return;
    if (!shown.list.some((message) => message.seq === seq)) {
      shown.stuck = false;
      await loadAround(shown, seq);
      paint();
    }
    const element = list.querySelector(`[data-seq="${seq}"]`);
    if (!element) return toast("This message no longer exists.");
    shown.stuck = false;
    element.scrollIntoView({ block: "center" });
    activate(element);
    element.focus({ preventScroll: true });
    element.classList.add("found");
    setTimeout(() => element.classList.remove("found"), 2500);
  },

  async latest() {
    if (!shown) return;
    if (shown.moreAfter) await loadNewest(shown);
    shown.stuck = true;
    arrived = 0;
    paint();
    scroller.scrollTop = scroller.scrollHeight;
    after();
  },

  forgetLine() {
    if (!shown || shown.line === null) return;
    shown.line = null;
    soon();
  },

  lastOwn: () => shown && as(shown.list).findLast((item) => isMine(item) && !item.deleted),
  message(seq) {
    const found = shown?.list.find((message) => message.seq === seq);
    return found ? as([found])[0] : quoted.get(seq);
  },
  get atEnd() { return Boolean(shown?.loaded && shown.stuck && !shown.moreAfter); },
  get lastSeq() { return shown?.list.at(-1)?.seq ?? 0; },
  arrived(message) {
    if (!shown || message.room !== shown.room || isMe(message.author)) return;
    if (!this.atEnd) {
      arrived += 1;
      soon();
    } else announce(`${message.author}: ${message.text ?? ""}`);
  },
};

// Scrolls to the "New" line, or to the end.
function place() {
  const line = list.querySelector(".line");
  if (!line) {
    scroller.scrollTop = scroller.scrollHeight;
    shown.stuck = !shown.moreAfter;
    return;
  }
  scroller.scrollTop += line.getBoundingClientRect().top
    - scroller.getBoundingClientRect().top - scroller.clientHeight / 4;
  shown.stuck = near();
}

// Messages as they will be after the unsent changes.
function as(messages) {
  const changes = outbox.changes(shown.room);
  return changes.size ? messages.map((item) => changed(item, changes.get(item.seq))) : messages;
}

const near = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;

// Paints soon, once for all changes until then. Painting takes a tenth of the time at most: in a
// busy room, or on a slow machine, one painting shows more, and the keyboard still works.
function soon() {
  const wait = rested - performance.now();
  drawTimer ||= wait > 0 ? setTimeout(() => nextFrame(draw), wait) : nextFrame(draw);
}

function draw() {
  drawTimer = 0;
  if (!settled) return;
  const began = performance.now();
  paint();
  after();
  const now = performance.now();
  rested = now + Math.min(REST * (now - began), REST_MS_MAX);
}

// The items that should be on the screen, in order.
function wanted() {
  const out = [];
  let day = "";
  let last = null;
  let line = shown.line === null;
  const today = dayOf(new Date());
  const message = (item, key, mark) => {
    const date = new Date(item.time ?? item.at);
    const author = item.author ?? state.me.name;
    if (dayOf(date) !== day) {
      day = dayOf(date);
      last = null;
      // If the clock was set back, a day may appear twice.
      out.push({ key: `day/${key}`, mark: `${day} ${today}`, make: () => dayRow(date) });
    }
    if (!line && item.seq > shown.line && !isMe(author)) {
      line = true;
      last = null;
      out.push({ key: "line", mark: "", make: lineRow });
    }
    const follows = Boolean(last && last.author === author && !item.reply_to
      && Math.abs(date - last.date) < TOGETHER_MS);
    last = { author, date };
    const target = item.reply_to && log.message(item.reply_to);
    const make = () => messageRow({ ...item, author }, date, follows);
    const words = `${item.deleted} ${item.text} ${called(item)}`;
    out.push({ key, mark: [mark, follows, target], make, words });
  };
  const own = new Set();
  for (const item of as(shown.list)) {
    if (item.client_id && isMe(item.author)) own.add(item.client_id);
    // A message keeps the key of its unsent item, so its element stays when it is sent.
    message(item, item.client_id ? `${item.author}/${item.client_id}` : `seq/${item.seq}`, item);
  }
  if (!shown.moreAfter) {
    for (const item of outbox.of(shown.room)) {
      if (own.has(item.id)) continue;
      message(item, `${state.me.name}/${item.id}`, `pending ${item.error ?? ""} ${cutOff()}`);
    }
  }
  return out;
}

// The names that a message mentions; for an unsent message, a guess.
const called = (item) => item.mentions ?? (item.seq ? [] : state.people.map(({ name }) => name));

const alike = (value, other) => (Array.isArray(value)
  ? value.every((part, at) => part === other[at]) : value === other);

function paint() {
  if (!shown) return;
  const stuck = shown.stuck;
  const anchor = stuck ? null : firstVisible();
  const before = anchor?.getBoundingClientRect().top;
  const focused = list.contains(document.activeElement)
    ? document.activeElement.closest("#messages > li")?.dataset.key : null;
  const items = wanted();
  const next = new Map();
  // Remove missing items first: the others are then in order, and stay where they are.
  const keys = new Set(items.map(({ key }) => key));
  for (const [key, { element }] of rows) if (!keys.has(key)) element.remove();
  let cursor = list.firstElementChild;
  for (const { key, mark, make, words } of items) {
    const old = rows.get(key);
    let element = old?.element;
    if (old && words !== undefined && words === old.words && !alike(mark, old.mark)) {
      redress(element, make());
      old.mark = mark;
    }
    if (!old || !alike(mark, old.mark)) {
      element = make();
      element.dataset.key = key;
      if (old) {
        if (cursor === old.element) cursor = cursor.nextElementSibling;
        old.element.replaceWith(element);
      }
      if (old && cursor !== element.nextElementSibling) list.insertBefore(element, cursor);
      else if (!old) list.insertBefore(element, cursor);
    } else if (element === cursor) cursor = cursor.nextElementSibling;
    else list.insertBefore(element, cursor);
    next.set(key, { element, mark, words });
  }
  rows = next;
  if (focused && !list.contains(document.activeElement)) rows.get(focused)?.element.focus();
  tabStop();
  const start = $("start");
  start.hidden = !shown.loaded || shown.moreBefore;
  start.textContent = shown.list.length || outbox.of(shown.room).length
    ? `This is the start of ${room()?.kind === "direct" ? "" : "#"}${room()?.title}.`
    : "No messages yet. Say hello!";
  if (stuck) scroller.scrollTop = scroller.scrollHeight;
  else if (anchor) {
    // Found by key: a new element may have replaced it.
    const now = rows.get(anchor.dataset.key)?.element;
    if (now) scroller.scrollTop += now.getBoundingClientRect().top - before;
  }
}

// Changes everything of a message except its text, so that a selection in the text stays.
function redress(element, fresh) {
  for (const name of ["class", "data-seq", "data-client"]) {
    const value = fresh.getAttribute(name);
    if (value === null) element.removeAttribute(name);
    else element.setAttribute(name, value);
  }
  element.firstElementChild.replaceWith(fresh.firstElementChild);
  const [parts, other] = [element, fresh].map((row) => row.querySelector(".what"));
  const body = parts.querySelector(".body");
  for (const child of [...parts.children]) if (child !== body) child.remove();
  let before = true;
  for (const child of [...other.children]) {
    if (child.classList.contains("body")) before = false;
    else if (before) body.before(child);
    else parts.append(child);
  }
}

function firstVisible() {
  const top = scroller.getBoundingClientRect().top;
  return [...list.children].find((child) => child.getBoundingClientRect().bottom > top
    && child.classList.contains("message"));
}

// After each change of the screen: loads older or newer messages if an end is near, and updates the
// buttons.
function after() {
  if (!shown?.loaded || !settled) return;
  if (scroller.scrollTop < AHEAD) loadOlder(shown).catch(() => {});
  else if (scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < AHEAD) {
    loadNewer(shown).catch(() => {});
  }
  if (shown.stuck) arrived = 0;
  const latest = $("jump-latest");
  latest.hidden = log.atEnd || near() && !shown.moreAfter;
  latest.replaceChildren(icon("down"), arrived ? `${arrived} new` : "Latest");
  const line = list.querySelector(".line");
  const above = line && line.getBoundingClientRect().bottom < scroller.getBoundingClientRect().top;
  $("jump-unread").hidden = !above;
  $("jump-unread").textContent = "Jump to first unread";
  actions.settled?.();
}

scroller.addEventListener("scroll", () => {
  if (!shown || !settled) return;
  shown.stuck = near() && !shown.moreAfter;
  after();
}, { passive: true });
// A phone's keyboard opens, or the composer grows: a reader at the end stays at the end.
new ResizeObserver(() => {
  if (shown?.stuck && settled) scroller.scrollTop = scroller.scrollHeight;
}).observe(scroller);
$("jump-latest").addEventListener("click", () => {
  log.latest();
  if (!touch()) $("text").focus({ preventScroll: true });
});
$("jump-unread").addEventListener("click", () => place());

on("log", (id) => { if (shown?.room === id) soon(); });
on("outbox", soon);
on("link", soon);
// At midnight "Today" becomes "Yesterday".
let painted = dayOf(new Date());
setInterval(() => {
  if (painted !== dayOf(new Date())) soon();
  painted = dayOf(new Date());
}, 30_000);

function dayRow(date) {
  return h("li", { class: "day" }, h("time", { datetime: dayOf(date) }, dayName(date)));
}

const lineRow = () => h("li", { class: "line" }, h("span", {}, "New"));

function messageRow(item, date, follows) {
  const { author, seq, color, deleted, error } = item;
  const mine = isMine(item);
  const pending = !seq;
  const mentioned = callsMe(item);
  const large = !deleted && onlyEmoji(item.text ?? "");
  const names = ["message", follows && "follows", pending && "pending", error && "failed",
    mentioned && "mentioned", mine && "mine"];
  const who = h("b", { class: "author" }, author);
  who.style.setProperty("--hue", hue(author, color));
  const element = h("li", {
    class: names.filter(Boolean).join(" "),
    tabindex: "-1",
    "data-seq": seq,
    "data-client": item.id ?? item.client_id,
  });
  const dir = direction(item.text ?? "") || null;
  const body = h("div", { class: large ? "body large" : "body", dir },
    deleted ? h("p", { class: "gone" }, "This message was deleted.")
      : markdown(item.text, called(item)));
  element.append(
    follows ? h("span", { class: "aside" }, shortClock(date)) : avatar(author, color),
    h("div", { class: "what" },
      h("div", { class: follows ? "by unseen" : "by" }, who, " ", clock(date)),
      item.reply_to ? quote(item.reply_to) : null,
      body,
      item.edited ? h("span", { class: "edited" }, "edited") : null,
      reactions(item),
      pending ? sending(item) : null,
      item.unsent && cutOff() ? h("p", { class: "fate" }, "Will send when back online") : null),
  );
  return element;
}

const cutOff = () => !navigator.onLine || state.link === "lost";

function sending({ id, error }) {
  if (!error) {
    return h("p", { class: "fate" }, cutOff() ? "Will send when back online" : "Sending…");
  }
  return h("p", { class: "fate", role: "alert" }, `Not sent: ${error} `,
    h("button", { type: "button", onclick: () => outbox.retry(id) }, "Retry"), " ",
    h("button", { type: "button", onclick: () => outbox.drop(id) }, "Delete"));
}

function quote(seq) {
  const target = log.message(seq);
  if (!target && !quoted.has(seq)) {
    quoted.set(seq, null);
    get(`rooms/${shown.room}/messages/${seq}`).then(
      (message) => { quoted.set(seq, message); soon(); },
      () => {},
    );
  }
  const words = target && (target.deleted ? "a deleted message" : target.text);
  const go = () => log.show(seq);
  return h("button", { type: "button", class: "quote", onclick: go, tabindex: "-1" },
    h("b", {}, target?.author ?? "…"), " ", words ? words.slice(0, 140) : "an older message");
}

function reactions(item) {
  const all = Object.entries(item.reactions ?? {});
  if (!all.length) return null;
  return h("div", { class: "reactions" }, all.map(([emoji, names]) => {
    const on = names.some(isMe);
    return h("button", {
      type: "button", "aria-pressed": String(on), title: names.join(", "),
      onclick: () => actions.react(item, emoji, !on),
    }, emoji, " ", h("span", {}, String(names.length)),
    h("span", { class: "unseen" }, ` from ${names.join(", ")}`));
  }));
}

// Tab reaches one message only; from there the arrow keys move the focus.
function tabStop() {
  const element = rows.get(active)?.element ?? [...list.querySelectorAll(".message")].at(-1);
  list.querySelector('.message[tabindex="0"]')?.setAttribute("tabindex", "-1");
  element?.setAttribute("tabindex", "0");
}

function activate(element) {
  active = element.dataset.key;
  tabStop();
}

list.addEventListener("focusin", ({ target }) => {
  const element = target.closest(".message");
  if (element) activate(element);
});

export function move(step) {
  const all = [...list.querySelectorAll(".message")];
  const at = all.indexOf(document.activeElement.closest?.(".message"));
  const next = at < 0 ? all.at(-1) : all[Math.min(Math.max(at + step, 0), all.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
