// Read markers: a message counts as read after a moment on the screen. The server passes the marker
// on to the reader's other devices; while it cannot be reached, the page retries.

import { put } from "./api.js";
import { looking } from "./dom.js";
import { log } from "./log.js";
import { on, room, state } from "./state.js";

const READ_MS = 600;
const RETRY_MS = 5000;
const marks = new Map(); // room → the marker that the server has not confirmed yet
let readTimer = 0;
let retryTimer = 0;
let read = () => {};

export const readMarkers = {
  start(then) { read = then; },

  // Called when the screen has changed.
  settled() {
    const current = room();
    if (readTimer || !current?.member || !log.atEnd || !looking()) return;
    const seq = log.lastSeq;
    if (seq <= (current.read_seq ?? 0)) return;
    readTimer = setTimeout(() => {
      readTimer = 0;
      if (room()?.id !== current.id || !looking()) return;
      const upto = Math.max(seq, log.atEnd ? log.lastSeq : 0);
      read(room(), upto);
      marks.set(current.id, upto);
      tell();
    }, READ_MS);
  },

  forget() { marks.clear(); },
};

async function tell() {
  clearTimeout(retryTimer);
  for (const [id, seq] of [...marks]) {
    const failure = await put(`rooms/${id}/read`, { seq }).then(() => null, (trouble) => trouble);
    if (!failure?.passing && marks.get(id) === seq) marks.delete(id);
  }
  if (marks.size && state.link === "open") retryTimer = setTimeout(tell, RETRY_MS);
}

on("link", () => { if (state.link === "open") tell(); });
document.addEventListener("visibilitychange", readMarkers.settled);
addEventListener("focus", readMarkers.settled);
