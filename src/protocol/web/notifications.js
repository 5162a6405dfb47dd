// Notifications and sounds for messages that arrive while the reader looks elsewhere. Both are off
// until the reader switches them on.

import { ICON, h, looking } from "./dom.js";
import { markdown } from "./markdown.js";
import { address } from "./rooms.js";
import { callsMe, isMe, keep, keepMine, on, recall, recallMine, state } from "./state.js";

const LEVELS = [["all", "All messages"], ["mentions", "Mentions only"], ["none", "Off"]];

// The notification level of a room; by default mentions, in a direct room all messages.
const level = (room) => recallMine(`level:${room.id}`,
  room.kind === "direct" ? "all" : "mentions");
const setLevel = (room, value) => keepMine(`level:${room.id}`, value);

// Each tab holds a lock (Web Locks) for the room that the reader sees there: other tabs then do not
// notify of its messages. A tab takes a lock for each message, so that only one tab notifies.
const NOTIFIED_MS = 3000;
const home = new URL(".", location).pathname;
const lock = (name) => `shanty:${home}${name}`;
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

// The browser's id of this tab.
let tab;
function self() {
  tab ??= navigator.locks.request(lock(`tab/${Math.random()}`), async ({ name }) => {
    const { held } = await navigator.locks.query();
    return held.find((lock) => lock.name === name)?.clientId;
  });
  return tab;
}

// Whether this tab has to notify.
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

// The messages of a room are read: closes its notification.
const notifications = new Map(); // room → its open notification
export function closeNotification(room) {
  notifications.get(room)?.close();
  notifications.delete(room);
  if (!recall("notify")) return;
  navigator.serviceWorker?.getRegistration().then(async (worker) => {
    const shown = await worker?.getNotifications({ tag: `shanty-${room}` });
    for (const notification of shown ?? []) notification.close();
  });
}

// The text of a message without marks.
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
    // Phones show notifications of service workers only.
    navigator.serviceWorker?.ready.then((worker) => worker.showNotification(title, options));
  }
}

// The reader has clicked a notification of the service worker, which sends its address.
navigator.serviceWorker?.addEventListener("message", ({ data }) => { location.hash = data; });

// Two short tones, made here, so that no sound file is needed.
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
  } catch { /* The browser allows no sound. */ }
}

// The switches in the settings. The page asks the browser for permission only when the reader
// switches notifications on.
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
