// Notifications and sounds for messages that arrive while the reader looks elsewhere. Both are off
// until the reader switches them on.

import { ICON, h, looking } from "./dom.js";
import { markdown } from "./markdown.js";
import { address } from "./rooms.js";
import { callsMe, isMe, keep, keepMine, on, recall, recallMine, state } from "./state.js";

const LEVELS = [["all", "All messages"], ["mentions", "Mentions only"], ["none", "Off"]];

// The notification level of a room: mentions only; of a direct room, all messages.
const level = (room) => recallMine(`level:${room.id}`,
  room.kind === "direct" ? "all" : "mentions");
const setLevel = (room, value) => keepMine(`level:${room.id}`, value);

// A lock for each room that is visible in a tab of this browser: other tabs then do not notify of
// its messages. And a lock for each message, so that a single tab notifies.
const NOTIFIED_MS = 3000;
const home = new URL(".", location).pathname;
const lock = (what) => `shanty:${home}${what}`;
let watched = null;
let leave = () => {};

function watch() {
  const room = looking() ? state.current : null;
  if (room === watched || !navigator.locks) return;
  leave();
  watched = room;
  if (room === null) return;
  const left = new Promise((done) => { leave = done; });
  navigator.locks.request(lock(`room/${room}`), { mode: "shared" }, () => left);
}
for (const event of ["focus", "blur"]) addEventListener(event, watch);
document.addEventListener("visibilitychange", watch);
on("rooms", watch);

// What the browser calls this tab.
let tab;
function self() {
  tab ??= navigator.locks.request(lock(`tab/${Math.random()}`), async ({ name }) => {
    const { held } = await navigator.locks.query();
    return held.find((lock) => lock.name === name)?.clientId;
  });
  return tab;
}

// Whether this tab is the one that notifies.
async function isMine(room, message) {
  if (!navigator.locks) return true;
  const me = await self();
  const { held } = await navigator.locks.query();
  const looked = ({ name, clientId }) => name === lock(`room/${room.id}`) && clientId !== me;
  if (held.some(looked)) return false;
  return new Promise((done) => {
    navigator.locks.request(lock(`notify/${message.seq}`), { ifAvailable: true }, async (free) => {
      done(Boolean(free));
      if (free) await new Promise((over) => { setTimeout(over, NOTIFIED_MS); });
    });
  });
}

// What is read needs no notification any more.
const notifications = new Map(); // room → what is shown of it
export function closeNotification(room) {
  notifications.get(room)?.close();
  notifications.delete(room);
  if (!recall("notify")) return;
  navigator.serviceWorker?.getRegistration().then(async (worker) => {
    const shown = await worker?.getNotifications({ tag: `shanty-${room}` });
    for (const notification of shown ?? []) notification.close();
  });
}

// As it reads, without marks.
const plain = (message) => h("div", {}, markdown(message.text ?? "", message.mentions)
  .flatMap((block) => [block, "\n"])).textContent.trim();

export async function notify(room, message, open) {
  if (!room || isMe(message.author) || looking()) return;
  const wanted = level(room);
  const called = callsMe(message) || room.kind === "direct";
  if (wanted === "none" || (wanted === "mentions" && !called)) return;
  if (!await isMine(room, message)) return;
  if (recall("sound")) beep();
  if (!recall("notify") || globalThis.Notification?.permission !== "granted") return;
  const title = room.kind === "direct" ? message.author : `${message.author} in ${room.title}`;
  const options = {
    body: plain(message).slice(0, 200), icon: ICON, tag: `shanty-${room.id}`, renotify: true,
    data: address(room.id, message.seq),
  };
  try {
    const shown = new Notification(title, options);
    notifications.set(room.id, shown);
    shown.onclick = () => {
      window.focus();
      open(room.id, message.seq);
      shown.close();
    };
  } catch {
    // Phones show those of service workers only.
    navigator.serviceWorker?.ready.then((worker) => worker.showNotification(title, options));
  }
}

// One of those was touched; the worker says which.
navigator.serviceWorker?.addEventListener("message", ({ data }) => { location.hash = data; });

// Two short notes, so that no file is needed.
function beep() {
  try {
    const audio = new AudioContext();
    [660, 880].forEach((pitch, at) => {
      const note = audio.createOscillator();
      const volume = audio.createGain();
      const start = audio.currentTime + at * 0.12;
      note.frequency.value = pitch;
      volume.gain.setValueAtTime(0.08, start);
      volume.gain.exponentialRampToValueAtTime(0.001, start + 0.25);
      note.connect(volume).connect(audio.destination);
      note.start(start);
      note.stop(start + 0.25);
    });
    setTimeout(() => audio.close(), 1000);
  } catch { /* No sound, then. */ }
}

// The switches for it. Browsers are asked only when somebody wants to be notified.
export function notificationFields() {
  const possible = "Notification" in globalThis && isSecureContext;
  const hint = h("p", { class: "hint", role: "status" }, possible ? ""
    : "Notifications need HTTPS.");
  const notify = h("input", {
    type: "checkbox", disabled: !possible, onchange: async () => {
      if (notify.checked && Notification.permission !== "granted") {
        notify.checked = await Notification.requestPermission() === "granted";
        if (!notify.checked) {
          hint.textContent = "Notifications are blocked in your browser settings.";
        }
      }
      keep("notify", notify.checked || null);
    },
  });
  notify.checked = Boolean(possible && recall("notify") && Notification.permission === "granted");
  const sound = h("input", {
    type: "checkbox", checked: Boolean(recall("sound")), onchange: () => {
      keep("sound", sound.checked || null);
      if (sound.checked) beep();
    },
  });
  return h("fieldset", {}, h("legend", {}, "Notifications"),
    h("label", { class: "check" }, notify, " Show notifications"),
    h("label", { class: "check" }, sound, " Play a sound"), hint,
    h("p", { class: "hint" }, "Choose which messages in each room's settings."));
}

// The field for a room's notification level; a change takes effect at once.
export function levelField(room) {
  const chosen = level(room);
  return h("div", {},
    h("label", { for: "f-level" }, "Notifications"),
    h("select", { id: "f-level", onchange: ({ target }) => setLevel(room, target.value) },
      LEVELS.map(([value, name]) => h("option", { value, selected: value === chosen }, name))));
}
