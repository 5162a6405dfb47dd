// What was done here and is not yet known to stand in the log: messages, edits, deletions and
// reactions. Each can be sent as often as need be, and counts once. All of it is kept in this
// browser until the server has confirmed it, in the order of doing.

import { later, once, part } from "./api.js";
import { isMe, keepMine, on, recallMine, state, tell } from "./state.js";

const WAIT_MS_MAX = 30_000;
let sending = null; // the id of what is on its way
let wait = 0;
let timer = 0;
let patient = 0;
let sent = () => {};
let refused = () => {};

const load = () => recallMine("outbox", []);
function store(items) {
  keepMine("outbox", items.length ? items : null);
  tell("outbox");
}

// Puts it behind all others. What it replaces is not sent any more, if it is not on its way.
function put(item, replaces = () => false) {
  store([...load().filter((queued) => queued.id === sending || !replaces(queued)),
    { id: crypto.randomUUID?.() ?? randomId(), ...item }]);
  pump();
}

const about = (kind, message) => ({ kind, room: message.room, target: message.seq });
const alike = (item) => (queued) =>
  queued.kind === item.kind && queued.target === item.target && queued.emoji === item.emoji;

export const outbox = {
  // `then`: what the server answered, and to what; `failed`: why it refused, and what.
  start(then, failed) { [sent, refused] = [then, failed]; },

  // Messages that are not sent yet, of a room.
  of(room) { return load().filter((item) => item.room === room && !item.kind); },
  get size() { return load().length; },

  add(room, text, replyTo) {
    put({ room, text, reply_to: replyTo, at: new Date().toISOString() });
  },

  edit(message, text) {
    const item = { ...about("edit", message), text };
    put(item, alike(item));
  },

  // Of a message that goes nothing else has to be sent.
  delete(message) {
    put(about("delete", message), (queued) => queued.kind && queued.target === message.seq);
  },

  react(message, emoji, on) {
    const item = { ...about("reaction", message), emoji, on };
    put(item, alike(item));
  },

  // What was done with the messages of a room, by their numbers.
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

  // Said: so it needs no sending any more.
  confirm(message) {
    if (!message.client_id || !isMe(message.author)) return;
    const items = load();
    const left = items.filter((item) => item.id !== message.client_id);
    if (left.length < items.length) store(left);
  },

  pump,
};

const bare = (emoji) => emoji.replaceAll("\ufe0f", "");

// A message as it will be when all has been sent.
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

// `randomUUID` is there on secure origins only, and many a server at home has none.
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)),
    (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// While the server has asked the page to wait, no event makes it send sooner.
function waitUntil(time) { patient = Date.now() + time; }

// Asks the server for it.
function request({ id, kind, room, target, text, emoji, on, reply_to }) {
  const path = `rooms/${room}/messages/${target}`;
  if (kind === "edit") return once("PATCH", path, { text });
  if (kind === "delete") {
    // What is gone already is what was asked for.
    return once("DELETE", path).catch((failure) => { if (failure.status !== 404) throw failure; });
  }
  if (kind === "reaction") {
    return once(on ? "PUT" : "DELETE", `${path}/reactions/${part(emoji)}`);
  }
  return once("PUT", `rooms/${room}/messages/${part(id)}`, { text, reply_to });
}

// One after the other, so that all comes in the order in which it was done.
async function pump() {
  clearTimeout(timer);
  if (sending || !state.me) return;
  if (patient > Date.now()) {
    timer = setTimeout(pump, patient - Date.now());
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
          // Too much at once is no trouble: all of it is sent when the server says, in its order.
          if (failure.status === 429) wait = 0;
          else wait = Math.min(Math.max(wait * 2, 500), WAIT_MS_MAX);
          const asked = failure.retryAfter ? later(failure) : 0;
          const time = Math.max(wait * (0.5 + Math.random()), asked);
          waitUntil(failure.status === 429 ? time : 0);
          timer = setTimeout(pump, time);
          break;
        }
        if (item.kind) {
          outbox.drop(item.id);
          if (state.me === me) refused(failure, item);
          continue;
        }
        // Whoever deleted it meanwhile does not get it back.
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
