// The page's state, the events that report its changes, and its storage in this browser.

import { fold } from "./words.js";

export const state = {
  server: { limits: {} },
  me: null, // {name, guest, since, by_proxy}
  rooms: new Map(), // id → room: joined rooms and listed rooms
  current: null, // the id of the open room
  people: [], // of the open room
  blocked: [], // names of blocked people
  hiding: null, // the direct room that is being hidden
  typing: new Map(), // name → until when, in the open room
  link: "opening", // opening | open | lost | replaced
};

export const BY_PROXY =
  "You're logged in by this site's own login page. To log out, log out there.";

const bus = new EventTarget();
export const on = (type, then) => bus.addEventListener(type, (event) => then(event.detail));
export const tell = (type, detail) => bus.dispatchEvent(new CustomEvent(type, { detail }));

export const room = () => state.rooms.get(state.current);
export const same = (name, other) => name === other || fold(name ?? "") === fold(other ?? "");
export const isMe = (name) => same(name, state.me?.name);
// An older message under a guest's name may be another guest's. (An unsent message has no `seq`.)
export const isMine = ({ author, seq }) => isMe(author) && !(seq < state.me.since);
// A mention by a blocked person does not count.
export const callsMe = ({ author, mentions }) => Boolean(mentions?.some(isMe))
  && !state.blocked.some((name) => same(name, author));

// If the browser's storage is full or forbidden, these values last until the page closes.
const fallback = new Map();
// Another instance of the page may be served by the same host, below another path.
const home = new URL(".", location).pathname.slice(1);
const key = (name) => `shanty:${home}${name}`;

export function recall(name, otherwise = null) {
  try {
    const text = fallback.get(name) ?? localStorage.getItem(key(name));
    return text ? JSON.parse(text) : otherwise;
  } catch {
    return otherwise;
  }
}

export function keep(name, value) {
  const text = value === null ? null : JSON.stringify(value);
  fallback.delete(name);
  try {
    if (text === null) localStorage.removeItem(key(name));
    else localStorage.setItem(key(name), text);
  } catch {
    if (text !== null) fallback.set(name, text);
  }
}

// Values of one person in this browser.
const mine = (name) => `${state.me?.name.toLowerCase()}:${name}`;
export const recallMine = (name, otherwise) => recall(mine(name), otherwise);
export const keepMine = (name, value) => keep(mine(name), value);

export function forgetMine() {
  const prefix = key(mine(""));
  fallback.clear();
  try {
    for (const name of Object.keys(localStorage)) {
      if (name.startsWith(prefix)) localStorage.removeItem(name);
    }
  } catch { /* Storage is forbidden: nothing is stored. */ }
}

// The main room, which every server has.
export const LOBBY = 1;

// The token of the setup link in the address, if there is one.
export const setupToken = () => /^#\/setup\/([\w-]+)$/.exec(location.hash)?.[1] ?? null;
