// The outbox: messages, edits, deletions and reactions that the server has not confirmed yet. Each
// is idempotent, so the page may retry it. This browser stores them until the server confirms them,
// and sends them in the order in which the reader made them.

import { later, once, part } from "./api.js";
import { isMe, keepMine, on, recallMine, state, tell } from "./state.js";

const WAIT_MS_MAX = 30_000;
let sending = null; // the id of the item that is being sent
let wait = 0;
let timer = 0;
let pausedUntil = 0;
let sent = () => {};
let refused = () => {};

const load = () => recallMine("outbox", []);
function store(items) {
  keepMine("outbox", items.length ? items : null);
  tell("outbox");
}

// Appends an item; removes those that it replaces, except the one that is being sent.
function put(item, replaces = () => false) {
  store([...load().filter((queued) => queued.id === sending || !replaces(queued)),
    { id: crypto.randomUUID?.() ?? randomId(), ...item }]);
  pump();
}

const about = (kind, message) => ({ kind, room: message.room, target: message.seq });
const alike = (item) => (queued) =>
  queued.kind === item.kind && queued.target === item.target && queued.emoji === item.emoji;

export const outbox = {
  // Calls `then(answer, item)` after each success, `failed(failure, item)` after each refusal.
  start(then, failed) { [sent, refused] = [then, failed]; },

  // The unsent messages of a room.
  of(room) { return load().filter((item) => item.room === room && !item.kind); },
  get size() { return load().length; },

  add(room, text, replyTo) {
    put({ room, text, reply_to: replyTo, at: new Date().toISOString() });
  },

  edit(message, text) {
    const item = { ...about("edit", message), text };
    put(item, alike(item));
  },

  // A deletion replaces all other changes of its message.
  delete(message) {
    put(about("delete", message), (queued) => queued.kind && queued.target === message.seq);
  },

  react(message, emoji, on) {
    const item = { ...about("reaction", message), emoji, on };
    put(item, alike(item));
  },

  // The unsent changes to the messages of a room, by `seq`.
  changes(room) {
    const found = new Map();
    for (const item of load()) {
      if (item.room !== room || !item.kind) continue;
      found.set(item.target, [...found.get(item.target) ?? [], item]);
    }
    return found;
  },

  retry(id) {
    store(load().map((item) => (item.id === id ? { ...item, error: undefined } : item)));
    pump();
  },

  drop(id) { store(load().filter((item) => item.id !== id)); },

  // The stream has brought the message, so it is sent.
  confirm(message) {
    if (!isMe(message.author)) return;
    tell("spoke", message);
    if (!message.client_id) return;
    const items = load();
    const left = items.filter((item) => item.id !== message.client_id);
    if (left.length < items.length) store(left);
  },

  pump,
};

const bare = (emoji) => emoji.replaceAll("\ufe0f", "");

// A message as it will be after the unsent changes.
export function changed(message, items = []) {
  if (!items.length || message.deleted) return message;
  const now = { ...message, reactions: { ...message.reactions }, unsent: true };
  for (const { kind, text, emoji, on } of items) {
    if (kind === "edit") Object.assign(now, { text, edited: now.edited ?? true, mentions: null });
    else if (kind === "delete") return { ...now, deleted: true, text: undefined, reactions: {} };
    else {
      // The server keeps one spelling of each emoji.
      const key = Object.keys(now.reactions).find((key) => bare(key) === bare(emoji)) ?? emoji;
      const others = (now.reactions[key] ?? []).filter((name) => !isMe(name));
      now.reactions[key] = on ? [...others, state.me.name] : others;
      if (!now.reactions[key].length) delete now.reactions[key];
    }
  }
  return now;
}

// Browsers have `randomUUID` on secure origins only, and many home servers have no certificate.
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)),
    (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// While the server has asked the page to wait, no event makes it send sooner.
function pauseFor(time) { pausedUntil = Date.now() + time; }

// Sends an item to the server.
function request({ id, kind, room, target, text, emoji, on, reply_to }) {
  const path = `rooms/${room}/messages/${target}`;
  if (kind === "edit") return once("PATCH", path, { text });
  if (kind === "delete") {
    // If the message is already deleted, the goal is reached.
    return once("DELETE", path).catch((failure) => { if (failure.status !== 404) throw failure; });
  }
  if (kind === "reaction") {
    return once(on ? "PUT" : "DELETE", `${path}/reactions/${part(emoji)}`);
  }
  return once("PUT", `rooms/${room}/messages/${part(id)}`, { text, reply_to });
}

// Sends the items one after the other, so that they arrive in order.
async function pump() {
  clearTimeout(timer);
  if (sending || !state.me) return;
  if (pausedUntil > Date.now()) {
    timer = setTimeout(pump, pausedUntil - Date.now());
    return;
  }
  const me = state.me;
  try {
    for (;;) {
      const item = load().find((item) => !item.error);
      if (!item || state.me !== me) break;
      sending = item.id;
      try {
        const answer = await request(item);
        wait = 0;
        if (state.me === me) sent(answer, item);
        outbox.drop(item.id);
      } catch (failure) {
        if (failure.code === "unauthenticated") break;
        if (failure.passing) {
          // A rate limit is no failure: the page goes on when the server allows it.
          if (failure.status === 429) wait = 0;
          else wait = Math.min(Math.max(wait * 2, 500), WAIT_MS_MAX);
          const asked = failure.retryAfter ? later(failure) : 0;
          const time = Math.max(wait * (0.5 + Math.random()), asked);
          pauseFor(failure.status === 429 ? time : 0);
          timer = setTimeout(pump, time);
          break;
        }
        if (item.kind) {
          outbox.drop(item.id);
          if (state.me === me) refused(failure, item);
          continue;
        }
        // `load` again: if the reader has deleted the item meanwhile, it does not come back.
        const error = failure.message;
        store(load().map((queued) => (queued.id === item.id ? { ...queued, error } : queued)));
      }
    }
  } finally {
    sending = null;
  }
}

on("link", () => { if (state.link === "open") pump(); });
// Another tab has written or sent something.
addEventListener("storage", ({ key }) => { if (key?.endsWith(":outbox")) tell("outbox"); });
