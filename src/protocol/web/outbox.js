// What was written and is not yet known to stand in the log. Each message has a number of the
// client's own; so it can be sent as often as need be, and stands there once. All of it is kept in
// this browser until the server has confirmed it, in the order of writing.

import { later, once, part } from "./api.js";
import { isMe, keepMine, on, recallMine, state, tell } from "./state.js";

const WAIT_MS_MAX = 30_000;
let sending = false;
let wait = 0;
let timer = 0;
let patient = 0;
let confirm = () => {};

const load = () => recallMine("outbox", []);
function store(items) {
  keepMine("outbox", items.length ? items : null);
  tell("outbox");
}

export const outbox = {
  onSent(then) { confirm = then; },

  of(room) { return load().filter((item) => item.room === room); },
  get size() { return load().length; },

  add(room, text, replyTo) {
    const id = crypto.randomUUID?.() ?? randomId();
    const item = { id, room, text, reply_to: replyTo, at: new Date().toISOString() };
    store([...load(), item]);
    pump();
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

// `randomUUID` is there on secure origins only, and many a server at home has none.
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)),
    (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// While the server has asked for patience, nothing that happens makes one send sooner.
function waitUntil(time) { patient = Date.now() + time; }

// One after the other, so that they stand in the order in which they were written.
async function pump() {
  clearTimeout(timer);
  if (sending || !state.me) return;
  if (patient > Date.now()) {
    timer = setTimeout(pump, patient - Date.now());
    return;
  }
  sending = true;
  const me = state.me;
  try {
    for (;;) {
      const item = load().find((item) => !item.error);
      if (!item || state.me !== me) break;
      try {
        const body = { text: item.text, reply_to: item.reply_to };
        const message = await once("PUT", `rooms/${item.room}/messages/${part(item.id)}`, body);
        wait = 0;
        if (state.me === me) confirm(message);
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
        // Whoever deleted it meanwhile does not get it back.
        store(load().map((one) => (one.id === item.id ? { ...one, error: failure.message } : one)));
      }
    }
  } finally {
    sending = false;
  }
}

on("link", () => { if (state.link === "open") pump(); });
// Another tab has written or sent something.
addEventListener("storage", ({ key }) => { if (key?.endsWith(":outbox")) tell("outbox"); });
