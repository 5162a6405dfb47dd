// The part of each room's history that the page holds: a window on it, whose ends may be open. Live
// messages enter the window of a room only where that window reaches the newest message.

import { get } from "./api.js";
import { tell } from "./state.js";

export const PAGE = 50;
const HELD_MAX = 300;

const windows = new Map();

export function windowOf(room) {
  if (!windows.has(room)) {
    windows.set(room, {
      room,
      list: [], // by seq
      loaded: false,
      moreBefore: false,
      moreAfter: false,
      stuck: true, // the reader is at its end
      line: null, // up to where it was read when it was opened
      busy: null,
      waiting: [],
    });
  }
  return windows.get(room);
}

export const forgetWindows = () => windows.clear();
export const forgetWindow = (room) => windows.delete(room);

function merge(list, messages) {
  const bySeq = new Map(list.map((message) => [message.seq, message]));
  for (const message of messages) bySeq.set(message.seq, message);
  return [...bySeq.values()].sort((one, other) => one.seq - other.seq);
}

// Asks for a page. What is heard meanwhile is applied to it, again if need be.
async function load(held, query, apply) {
  if (held.busy) return held.busy;
  held.busy = (async () => {
    try {
      const page = await get(`rooms/${held.room}/messages?${query}`);
      if (windows.get(held.room) !== held) return;
      apply(page);
      held.loaded = true;
    } finally {
      held.busy = null;
      const waiting = held.waiting;
      held.waiting = [];
      if (held.loaded) for (const frame of waiting) enter(held, frame);
    }
    tell("log", held.room);
  })();
  return held.busy;
}

function take(held, page) {
  held.list = merge([], page.messages);
  held.moreBefore = page.more_before;
  held.moreAfter = page.more_after;
}

export const loadNewest = (held) => load(held, `limit=${PAGE}`, (page) => take(held, page));

export function loadAround(held, seq) {
  return load(held, `around=${seq}&limit=${2 * PAGE}`, (page) => take(held, page));
}

export async function loadOlder(held) {
  if (!held.moreBefore || held.busy || !held.list.length) return;
  await load(held, `before=${held.list[0].seq}&limit=${PAGE}`, (page) => {
    held.list = merge(held.list, page.messages);
    held.moreBefore = page.more_before;
    if (held.list.length > HELD_MAX) {
      held.list.length = HELD_MAX;
      held.moreAfter = true;
    }
  });
}

export async function loadNewer(held) {
  if (!held.moreAfter || held.busy || !held.list.length) return;
  await load(held, `after=${held.list.at(-1).seq}&limit=${PAGE}`, (page) => {
    held.list = merge(held.list, page.messages);
    held.moreAfter = page.more_after;
    trimStart(held, HELD_MAX);
  });
}

function trimStart(held, most) {
  if (held.list.length <= most) return;
  held.list = held.list.slice(-most);
  held.moreBefore = true;
}

// Applies a frame of the stream, or a message that a request was answered with.
export function happen(room, frame) {
  const held = windows.get(room);
  if (!held) return;
  if (held.busy) held.waiting.push(frame);
  if (held.loaded && enter(held, frame)) tell("log", room);
}

function enter(held, frame) {
  if (frame.type === "edit" || frame.type === "delete" || frame.type === "reaction") {
    const at = held.list.findIndex((message) => message.seq === frame.target);
    if (at < 0) return false;
    held.list[at] = changed(held.list[at], frame);
    return true;
  }
  const known = held.list.findIndex((message) => message.seq === frame.seq);
  if (known >= 0) {
    held.list[known] = frame;
    return true;
  }
  const last = held.list.at(-1)?.seq ?? 0;
  if (held.moreAfter || (held.moreBefore && frame.seq < held.list[0]?.seq)) return false;
  if (frame.seq > last) held.list.push(frame);
  else held.list = merge(held.list, [frame]);
  if (held.stuck) trimStart(held, HELD_MAX);
  else if (held.list.length > 2 * HELD_MAX) {
    // Nobody has looked for long: the reader's place is kept, the newest is loaded when wanted.
    held.list.length = HELD_MAX;
    held.moreAfter = true;
  }
  return true;
}

function changed(message, frame) {
  if (frame.type === "edit") {
    const { text, mentions, time: edited } = frame;
    return message.deleted ? message : { ...message, text, mentions, edited };
  }
  if (frame.type === "delete") {
    const { text, reactions, mentions, edited, ...left } = message;
    return { ...left, deleted: true };
  }
  const reactions = { ...message.reactions };
  const others = (reactions[frame.emoji] ?? []).filter((name) => name !== frame.by);
  reactions[frame.emoji] = frame.on ? [...others, frame.by] : others;
  if (!reactions[frame.emoji].length) delete reactions[frame.emoji];
  return { ...message, reactions };
}
