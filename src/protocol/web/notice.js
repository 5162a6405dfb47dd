// Being noticed while one looks elsewhere: a notification and a sound, each only if one asked for
// it.

import { ICON, h, looking } from "./dom.js";
import { address } from "./rooms.js";
import { isMe, keep, keepMine, recall, recallMine } from "./state.js";

const LEVELS = [["all", "every message"], ["mentions", "mentions of me"], ["none", "nothing"]];

// What one wants to be told of a room; of a direct one everything.
const level = (room) => recallMine(`level:${room.id}`,
  room.kind === "direct" ? "all" : "mentions");
const setLevel = (room, value) => keepMine(`level:${room.id}`, value);

export function notice(room, message, open) {
  if (!room || isMe(message.author) || looking()) return;
  const wanted = level(room);
  const called = message.mentions?.some(isMe) || room.kind === "direct";
  if (wanted === "none" || (wanted === "mentions" && !called)) return;
  if (recall("sound")) beep();
  if (!recall("notify") || globalThis.Notification?.permission !== "granted") return;
  const title = room.kind === "direct" ? message.author : `${message.author} in ${room.title}`;
  const options = {
    body: (message.text ?? "").slice(0, 200), icon: ICON, tag: `shanty-${room.id}`,
    data: address(room.id, message.seq),
  };
  try {
    const shown = new Notification(title, options);
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
export function noticeFields() {
  const possible = "Notification" in globalThis && isSecureContext;
  const hint = h("p", { class: "hint", role: "status" }, possible ? ""
    : "Browsers show notifications only for pages that come over https.");
  const notify = h("input", {
    type: "checkbox", disabled: !possible, onchange: async () => {
      if (notify.checked && Notification.permission !== "granted") {
        notify.checked = await Notification.requestPermission() === "granted";
        if (!notify.checked) hint.textContent = "This browser has been told not to show any.";
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
  return h("fieldset", {}, h("legend", {}, "While you look elsewhere"),
    h("label", { class: "check" }, notify, " Show notifications"),
    h("label", { class: "check" }, sound, " Make a sound"), hint,
    h("p", { class: "hint" }, "About which messages, each room's settings say."));
}

// Of which messages of a room one wants to be told; it holds at once.
export function levelField(room) {
  const chosen = level(room);
  return h("div", {},
    h("label", { for: "f-level" }, "Notify me about"),
    h("select", { id: "f-level", onchange: ({ target }) => setLevel(room, target.value) },
      LEVELS.map(([value, name]) => h("option", { value, selected: value === chosen }, name))));
}
