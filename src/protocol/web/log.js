// The conversation on the screen: the open room's window, as list items. What is there is compared
// with what should be there, by key, and only what differs is touched.

import { $, announce, avatar, clock, dayName, dayOf, h, hue, icon, nextFrame, shortClock, toast,
  touch } from "./dom.js";
import { get } from "./api.js";
import { markdown, onlyEmoji } from "./markdown.js";
import { changed, outbox } from "./outbox.js";
import { callsMe, isMe, isMine, on, room, state } from "./state.js";
import { direction } from "./words.js";
import { loadAround, loadNewer, loadNewest, loadOlder, windowOf } from "./windows.js";

const TOGETHER_MS = 5 * 60_000;
const NEAR = 80;
const AHEAD = 900;
const REST = 9; // times as long as the painting took
const REST_MS_MAX = 200;

const scroller = $("log");
const list = $("messages");
let shown = null; // the window
let rows = new Map(); // key → {element, mark}
let active = null; // the key that Tab leads to
let due = 0;
let rested = 0; // until when it is not painted again
let settled = false; // the place is found; from here on the reader scrolls
let arrived = 0; // new ones below
const quoted = new Map(); // seq → message, of replies to what is not in the window
let actions = {};

export const log = {
  start(handlers) { actions = handlers; },
  // Its history could not be had.
  get failed() { return Boolean(shown && settled && !shown.loaded && !shown.busy); },

  async open(id, seq) {
    shown = id === null ? null : windowOf(id);
    rows = new Map();
    list.replaceChildren();
    active = null;
    settled = false;
    arrived = 0;
    if (!shown) return;
    const held = shown;
    const { unread = 0, read_seq: read = 0 } = room();
    held.line = unread ? read : null;
    held.stuck = !unread && !seq;
    scroller.setAttribute("aria-busy", "true");
    try {
      if (seq && !held.list.some((message) => message.seq === seq)) await loadAround(held, seq);
      else if (!held.loaded) await (unread ? loadAround(held, read) : loadNewest(held));
    } finally {
      scroller.removeAttribute("aria-busy");
      // Without its history there is still what one writes.
      if (shown === held) {
        paint();
        settled = true;
      }
    }
    if (shown !== held) return;
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

  lastOwn: () => shown && as(shown.list).findLast((one) => isMine(one) && !one.deleted),
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

// Where one begins to read: at the line, or at the end.
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

// Messages as they will be when all has been sent that was done with them.
function as(messages) {
  const changes = outbox.changes(shown.room);
  return changes.size ? messages.map((one) => changed(one, changes.get(one.seq))) : messages;
}

const near = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;

// One painting for all that has come. It takes a tenth of the time at most: where much is said, or
// on a slow machine, more comes at once, and the keys get through in between.
function soon() {
  const wait = rested - performance.now();
  due ||= wait > 0 ? setTimeout(() => nextFrame(draw), wait) : nextFrame(draw);
}

function draw() {
  due = 0;
  if (!settled) return;
  const began = performance.now();
  paint();
  after();
  const now = performance.now();
  rested = now + Math.min(REST * (now - began), REST_MS_MAX);
}

// What should be there, in order.
function wanted() {
  const out = [];
  let day = "";
  let last = null;
  let line = shown.line === null;
  const today = dayOf(new Date());
  const message = (one, key, mark) => {
    const date = new Date(one.time ?? one.at);
    const author = one.author ?? state.me.name;
    if (dayOf(date) !== day) {
      day = dayOf(date);
      last = null;
      // Where a clock was set back, a day may come twice.
      out.push({ key: `day/${key}`, mark: `${day} ${today}`, make: () => dayRow(date) });
    }
    if (!line && one.seq > shown.line && !isMe(author)) {
      line = true;
      last = null;
      out.push({ key: "line", mark: "", make: lineRow });
    }
    const follows = Boolean(last && last.author === author && !one.reply_to
      && Math.abs(date - last.date) < TOGETHER_MS);
    last = { author, date };
    const target = one.reply_to && log.message(one.reply_to);
    const make = () => messageRow({ ...one, author }, date, follows);
    const words = `${one.deleted} ${one.text} ${called(one)}`;
    out.push({ key, mark: [mark, follows, target], make, words });
  };
  const own = new Set();
  for (const one of as(shown.list)) {
    if (one.client_id && isMe(one.author)) own.add(one.client_id);
    // Keeps its key from the moment it is written, so that it stays where it is when it is sent.
    message(one, one.client_id ? `${one.author}/${one.client_id}` : `seq/${one.seq}`, one);
  }
  if (!shown.moreAfter) {
    for (const item of outbox.of(shown.room)) {
      if (own.has(item.id)) continue;
      message(item, `${state.me.name}/${item.id}`, `pending ${item.error ?? ""} ${cutOff()}`);
    }
  }
  return out;
}

// Whom a message calls; of one that is not sent yet that is a guess.
const called = (one) => one.mentions ?? (one.seq ? [] : state.people.map(({ name }) => name));

const alike = (one, other) => (Array.isArray(one)
  ? one.every((part, at) => part === other[at]) : one === other);

function paint() {
  if (!shown) return;
  const stuck = shown.stuck;
  const anchor = stuck ? null : firstVisible();
  const before = anchor?.getBoundingClientRect().top;
  const focused = list.contains(document.activeElement)
    ? document.activeElement.closest("#messages > li")?.dataset.key : null;
  const items = wanted();
  const next = new Map();
  // What is gone goes first: what is left is then in order, and stays where it is.
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
    // Found by its key: it may have been drawn again, now that another stands above it.
    const place = rows.get(anchor.dataset.key)?.element;
    if (place) scroller.scrollTop += place.getBoundingClientRect().top - before;
  }
}

// Changes all of a message but its words, so that what is selected in them stays selected.
function redress(element, fresh) {
  for (const name of ["class", "data-seq", "data-client"]) {
    const value = fresh.getAttribute(name);
    if (value === null) element.removeAttribute(name);
    else element.setAttribute(name, value);
  }
  element.firstElementChild.replaceWith(fresh.firstElementChild);
  const [what, other] = [element, fresh].map((one) => one.querySelector(".what"));
  const body = what.querySelector(".body");
  for (const child of [...what.children]) if (child !== body) child.remove();
  let before = true;
  for (const child of [...other.children]) {
    if (child.classList.contains("body")) before = false;
    else if (before) body.before(child);
    else what.append(child);
  }
}

function firstVisible() {
  const top = scroller.getBoundingClientRect().top;
  return [...list.children].find((child) => child.getBoundingClientRect().bottom > top
    && child.classList.contains("message"));
}

// After the screen has changed: what is near its ends is loaded, and the buttons tell the rest.
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
// A keyboard that opens on a phone, a text that grows: whoever was at the end stays there.
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
// What was today is yesterday at midnight.
let painted = dayOf(new Date());
setInterval(() => {
  if (painted !== dayOf(new Date())) soon();
  painted = dayOf(new Date());
}, 30_000);

function dayRow(date) {
  return h("li", { class: "day" }, h("time", { datetime: dayOf(date) }, dayName(date)));
}

const lineRow = () => h("li", { class: "line" }, h("span", {}, "New"));

function messageRow(one, date, follows) {
  const { author, seq, color, deleted, error } = one;
  const mine = isMine(one);
  const pending = !seq;
  const mentioned = callsMe(one);
  const large = !deleted && onlyEmoji(one.text ?? "");
  const names = ["message", follows && "follows", pending && "pending", error && "failed",
    mentioned && "mentioned", mine && "mine"];
  const who = h("b", { class: "author" }, author);
  who.style.setProperty("--hue", hue(author, color));
  const element = h("li", {
    class: names.filter(Boolean).join(" "),
    tabindex: "-1",
    "data-seq": seq,
    "data-client": one.id ?? one.client_id,
  });
  const dir = direction(one.text ?? "") || null;
  const body = h("div", { class: large ? "body large" : "body", dir },
    deleted ? h("p", { class: "gone" }, "This message was deleted.")
      : markdown(one.text, called(one)));
  element.append(
    follows ? h("span", { class: "aside" }, shortClock(date)) : avatar(author, color),
    h("div", { class: "what" },
      h("div", { class: follows ? "by unseen" : "by" }, who, " ", clock(date)),
      one.reply_to ? quote(one.reply_to) : null,
      body,
      one.edited ? h("span", { class: "edited" }, "edited") : null,
      reactions(one),
      pending ? sending(one) : null,
      one.unsent && cutOff() ? h("p", { class: "fate" }, "Will send when back online") : null),
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

function reactions(one) {
  const all = Object.entries(one.reactions ?? {});
  if (!all.length) return null;
  return h("div", { class: "reactions" }, all.map(([emoji, names]) => {
    const on = names.some(isMe);
    return h("button", {
      type: "button", "aria-pressed": String(on), title: names.join(", "),
      onclick: () => actions.react(one, emoji, !on),
    }, emoji, " ", h("span", {}, String(names.length)),
    h("span", { class: "unseen" }, ` from ${names.join(", ")}`));
  }));
}

// Of all messages Tab leads to one; the arrows lead on.
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
