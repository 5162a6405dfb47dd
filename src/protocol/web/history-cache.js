// The history cache: the part of each room's history that the page holds. Live messages enter a
// room's cache only while the cache reaches up to the newest message.

import { get } from "./api.js";
import { tell } from "./state.js";

export const PAGE = 50;
const HELD_MAX = 300;

const histories = new Map();

export function cacheOf(room) {
  if (!histories.has(room)) {
    histories.set(room, {
      room,
      list: [], // by seq
      loaded: false,
      moreBefore: false,
      moreAfter: false,
      stuck: true, // the reader is at the end
      line: null, // the read marker when the room was opened
      busy: null,
      waiting: [],
    });
  }
  return histories.get(room);
}

export const forgetHistories = () => histories.clear();
export const forgetHistory = (room) => histories.delete(room);

function merge(list, messages) {
  const bySeq = new Map(list.map((message) => [message.seq, message]));
  for (const message of messages) bySeq.set(message.seq, message);
  return [...bySeq.values()].sort((first, second) => first.seq - second.seq);
}

// Loads a page. Frames that arrive meanwhile are applied after it.
async function load(cache, query, apply) {
  if (cache.busy) return cache.busy;
  cache.busy = (async () => {
    try {
      const page = await get(`rooms/${cache.room}/messages?${query}`);
      if (histories.get(cache.room) !== cache) return;
      apply(page);
      cache.loaded = true;
    } finally {
      cache.busy = null;
      const waiting = cache.waiting;
      cache.waiting = [];
      if (cache.loaded) for (const frame of waiting) enter(cache, frame);
    }
    tell("log", cache.room);
  })();
  return cache.busy;
}

function take(cache, page) {
  cache.list = merge([], page.messages);
  cache.moreBefore = page.more_before;
  cache.moreAfter = page.more_after;
}

export const loadNewest = (cache) => load(cache, `limit=${PAGE}`, (page) => take(cache, page));

export function loadAround(cache, seq) {
  return load(cache, `around=${seq}&limit=${2 * PAGE}`, (page) => take(cache, page));
}

export async function loadOlder(cache) {
  if (!cache.moreBefore || cache.busy || !cache.list.length) return;
  await load(cache, `before=${cache.list[0].seq}&limit=${PAGE}`, (page) => {
    cache.list = merge(cache.list, page.messages);
    cache.moreBefore = page.more_before;
    if (cache.list.length > HELD_MAX) {
      cache.list.length = HELD_MAX;
      cache.moreAfter = true;
    }
  });
}

export async function loadNewer(cache) {
  if (!cache.moreAfter || cache.busy || !cache.list.length) return;
  await load(cache, `after=${cache.list.at(-1).seq}&limit=${PAGE}`, (page) => {
    cache.list = merge(cache.list, page.messages);
    cache.moreAfter = page.more_after;
    trimStart(cache, HELD_MAX);
  });
}

function trimStart(cache, most) {
  if (cache.list.length <= most) return;
  cache.list = cache.list.slice(-most);
  cache.moreBefore = true;
}

// Applies a frame of the stream, or the message in an answer.
export function applyFrame(room, frame) {
  const cache = histories.get(room);
  if (!cache) return;
  if (cache.busy) cache.waiting.push(frame);
  if (cache.loaded && enter(cache, frame)) tell("log", room);
}

function enter(cache, frame) {
  if (frame.type === "edit" || frame.type === "delete" || frame.type === "reaction") {
    const at = cache.list.findIndex((message) => message.seq === frame.target);
    if (at < 0) return false;
    cache.list[at] = changed(cache.list[at], frame);
    return true;
  }
  const known = cache.list.findIndex((message) => message.seq === frame.seq);
  if (known >= 0) {
    cache.list[known] = frame;
    return true;
  }
  const last = cache.list.at(-1)?.seq ?? 0;
  if (cache.moreAfter || (cache.moreBefore && frame.seq < cache.list[0]?.seq)) return false;
  if (frame.seq > last) cache.list.push(frame);
  else cache.list = merge(cache.list, [frame]);
  if (cache.stuck) trimStart(cache, HELD_MAX);
  else if (cache.list.length > 2 * HELD_MAX) {
    // The reader has been far from the end for long: keep that part, and drop the newest.
    cache.list.length = HELD_MAX;
    cache.moreAfter = true;
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
