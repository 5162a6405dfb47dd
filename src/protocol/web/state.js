// What the page knows, who is told when it changes, and what it keeps in this browser.

import { fold } from "./words.js";

export const state = {
  server: { limits: {} },
  me: null, // {name, guest, since}
  rooms: new Map(), // id → room, those one is in and those that are listed
  current: null, // the id of the open room
  people: [], // of the open room
  blocked: [], // names of whom one has blocked
  hiding: null, // the conversation that one hides just now
  typing: new Map(), // name → until when, in the open room
  link: "opening", // opening | open | lost | replaced
};

const bus = new EventTarget();
export const on = (what, then) => bus.addEventListener(what, (event) => then(event.detail));
export const tell = (what, detail) => bus.dispatchEvent(new CustomEvent(what, { detail }));

export const room = () => state.rooms.get(state.current);
export const same = (one, other) => one === other || fold(one ?? "") === fold(other ?? "");
export const isMe = (name) => same(name, state.me?.name);
// A guest's name may have been somebody else's before. (What is not sent yet has no number.)
export const isMine = ({ author, seq }) => isMe(author) && !(seq < state.me.since);
// Whom one has blocked may name one, but does not call.
export const callsMe = ({ author, mentions }) => Boolean(mentions?.some(isMe))
  && !state.blocked.some((one) => same(one, author));

// Storage may be full, or forbidden; the page then forgets, and goes on.
const fallback = new Map();
// Other chats may live on the same host, below other paths.
const home = new URL(".", location).pathname.slice(1);
const key = (what) => `shanty:${home}${what}`;

export function recall(what, otherwise = null) {
  try {
    const text = fallback.get(what) ?? localStorage.getItem(key(what));
    return text ? JSON.parse(text) : otherwise;
  } catch {
    return otherwise;
  }
}

export function keep(what, value) {
  const text = value === null ? null : JSON.stringify(value);
  fallback.delete(what);
  try {
    if (text === null) localStorage.removeItem(key(what));
    else localStorage.setItem(key(what), text);
  } catch {
    if (text !== null) fallback.set(what, text);
  }
}

// What belongs to one person in this browser.
const mine = (what) => `${state.me?.name.toLowerCase()}:${what}`;
export const recallMine = (what, otherwise) => recall(mine(what), otherwise);
export const keepMine = (what, value) => keep(mine(what), value);

export function forgetMine() {
  const prefix = key(mine(""));
  fallback.clear();
  try {
    for (const name of Object.keys(localStorage)) {
      if (name.startsWith(prefix)) localStorage.removeItem(name);
    }
  } catch { /* There is nothing kept. */ }
}
