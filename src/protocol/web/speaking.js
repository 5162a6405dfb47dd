// Whether the reader may write in the open room now; the line above the text field says why not.

import { $, announce, dateTime } from "./dom.js";
import { log } from "./log.js";
import { moderates } from "./moderation.js";
import { isMe, on, room, state } from "./state.js";

const line = $("hush");
const spoke = new Map(); // room → when the reader wrote last
let timer = 0;

const seconds = (ms) => {
  const secs = Math.ceil(ms / 1000);
  return secs < 120 ? `${secs} s` : `${Math.ceil(secs / 60)} min`;
};

// The time until the reader may write again, in slow mode; 0: now.
function wait() {
  const { id, slow_mode: slow } = room() ?? {};
  if (!slow || moderates()) return 0;
  const last = Math.max(spoke.get(id) ?? 0, Date.parse(log.lastOwn()?.time) || 0);
  return Math.max(0, last + 1000 * slow - Date.now());
}

function mute() {
  const me = state.people.find(({ name }) => isMe(name));
  if (state.me?.muted) return { until: state.me.muted_until, where: "on this server" };
  return me?.muted ? { until: me.muted_until, where: "in this room" } : null;
}

// Why the reader may not write; null: may.
function reason() {
  const muted = mute();
  if (muted && !(Date.parse(muted.until) < Date.now())) {
    return [`You're muted ${muted.where}`, ...muted.until ? [" until ", dateTime(muted.until)]
      : [" until someone unmutes you"], "."];
  }
  if (room()?.read_only && !moderates()) return ["Only moderators can post here."];
  return null;
}

export const speaking = {
  // A sentence, if the reader may not write now.
  get refuses() {
    const why = reason();
    if (why) return why.map((part) => part.textContent ?? part).join("");
    return wait() ? `Slow mode: wait ${seconds(wait())}.` : null;
  },
  // The reader has just written.
  spoke() {
    spoke.set(state.current, Date.now());
    draw();
  },
};

function draw() {
  clearTimeout(timer);
  if (!state.me) return;
  const why = reason();
  const left = why ? 0 : wait();
  const slow = !why && room()?.slow_mode && !moderates();
  const words = why ?? (left ? [`Slow mode: wait ${seconds(left)}`]
    : slow ? [`Slow mode: one message every ${seconds(1000 * room().slow_mode)}`] : []);
  const before = line.dataset.room === String(state.current) ? line.dataset.why : null;
  line.hidden = !words.length;
  line.replaceChildren(...words);
  line.dataset.why = why ? line.textContent : "";
  line.dataset.room = state.current;
  $("text").disabled = Boolean(why);
  $("emoji").disabled = Boolean(why);
  // The countdown is not read out; a change of what one may do is.
  if (before !== null && line.dataset.why !== before) {
    announce(line.dataset.why || "You can write again.");
  }
  if (left) timer = setTimeout(draw, 1000 - (Date.now() % 1000));
  else if (mute()?.until) timer = setTimeout(draw, 5000);
}

// Every one of these may change it.
for (const type of ["rooms", "drawn-people", "log"]) on(type, draw);
on("spoke", ({ room: id, time }) => {
  spoke.set(id, Math.max(spoke.get(id) ?? 0, Date.parse(time) || 0));
  draw();
});
