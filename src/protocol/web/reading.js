// How far one has read: what has been on the screen for a moment. The server is told, and so are
// one's other devices; where it cannot be reached, as soon as it can.

import { put } from "./api.js";
import { looking } from "./dom.js";
import { log } from "./log.js";
import { on, room, state } from "./state.js";

const READ_MS = 600;
const AGAIN_MS = 5000;
const marks = new Map(); // room → up to where, until the server knows it
let due = 0;
let again = 0;
let read = () => {};

export const reading = {
  start(then) { read = then; },

  // The screen has changed.
  settled() {
    const one = room();
    if (due || !one?.member || !log.atEnd || !looking()) return;
    const seq = log.lastSeq;
    if (seq <= (one.read_seq ?? 0)) return;
    due = setTimeout(() => {
      due = 0;
      if (room()?.id !== one.id || !looking()) return;
      const upto = Math.max(seq, log.atEnd ? log.lastSeq : 0);
      read(room(), upto);
      marks.set(one.id, upto);
      tell();
    }, READ_MS);
  },

  forget() { marks.clear(); },
};

async function tell() {
  clearTimeout(again);
  for (const [id, seq] of [...marks]) {
    const failure = await put(`rooms/${id}/read`, { seq }).then(() => null, (trouble) => trouble);
    if (!failure?.passing && marks.get(id) === seq) marks.delete(id);
  }
  if (marks.size && state.link === "open") again = setTimeout(tell, AGAIN_MS);
}

on("link", () => { if (state.link === "open") tell(); });
document.addEventListener("visibilitychange", reading.settled);
addEventListener("focus", reading.settled);
