// The panel of the open room's members, and the line that names those who are typing.

import { $, avatar, h, tool } from "./dom.js";
import { get } from "./api.js";
import { blocks } from "./blocks.js";
import { manage, manages, standing } from "./moderation.js";
import { isMe, keep, on, recall, room, state, tell } from "./state.js";

const TYPING_MS = 6000;
const panel = $("people");
let loadTimer = 0;
let openDirect = () => {};

export const people = {
  start(direct) { openDirect = direct; },

  async load() {
    const id = state.current;
    clearTimeout(loadTimer);
    if (!room()?.member) {
      state.people = [];
      return draw();
    }
    const found = await get(`rooms/${id}/members`).catch(() => null);
    if (!found || id !== state.current) return;
    state.people = found.members;
    const open = room();
    if (open) open.online = state.people.filter((person) => person.online).length;
    tell("rooms");
    draw();
  },

  // Whether the panel covers the conversation.
  get over() { return !panel.hidden && !wide(); },

  // Loads the members after a moment: many may join and leave at once.
  later() {
    clearTimeout(loadTimer);
    loadTimer = setTimeout(() => people.load(), 400);
  },

  // A wide screen shows the panel unless the reader has closed it; a narrow one only on request.
  suit() { show(Boolean(room()?.member) && wide() && recall("people", true)); },

  toggle(open = panel.hidden) {
    show(open);
    if (wide()) keep("people", open);
    else if (open) $("hide-people").focus();
  },

  typing(name, on = true) {
    if (isMe(name)) return;
    if (on) state.typing.set(name, Date.now() + TYPING_MS);
    else state.typing.delete(name);
    typing();
  },

  // Another room opens: forgets who was typing.
  still() {
    state.typing.clear();
    typing();
  },
};

const broad = matchMedia("(min-width: 70rem)");
const wide = () => broad.matches;
broad.addEventListener("change", () => people.suit());

function show(open) {
  const inside = panel.contains(document.activeElement);
  panel.hidden = !open;
  $("show-people").setAttribute("aria-expanded", String(open));
  if (inside && !open) $("show-people").focus();
}

function draw() {
  const order = (person, other) => other.online - person.online
    || person.name.localeCompare(other.name);
  const all = [...state.people].sort(order);
  const online = all.filter((person) => person.online).length;
  panel.querySelector("h2").textContent = all.length ? `People · ${online} online` : "People";
  panel.querySelector("ul").replaceChildren(...all.slice(0, 500).map((person) => {
    const blocked = blocks.has(person.name);
    const words = [isMe(person.name) ? "you" : "", person.guest ? "guest" : "",
      ...standing(person), blocked ? "blocked" : ""].filter(Boolean);
    const block = isMe(person.name) ? null : tool("block",
      `${blocked ? "Unblock" : "Block"} ${person.name}`, () => blocks.set(person.name, !blocked));
    const more = manages(person.name) ? tool("shield", `Manage ${person.name}`,
      () => manage(person.name)) : null;
    return h("li", {}, h("button", {
      type: "button", class: person.online ? "person" : "person away",
      title: isMe(person.name) ? null : `Message ${person.name}`,
      disabled: isMe(person.name), onclick: () => openDirect(person.name),
    },
    h("span", { class: person.online ? "face here" : "face" }, avatar(person.name, person.color)),
    h("span", { class: "names" }, h("span", { class: "name" }, person.name),
      h("span", { class: "hint" }, words.join(", "))),
    h("span", { class: "unseen" }, person.online ? ", online" : ", away")), block, more);
  }));
  tell("drawn-people");
}

function typing() {
  const now = Date.now();
  for (const [name, until] of state.typing) if (until < now) state.typing.delete(name);
  const names = [...state.typing.keys()];
  const words = ["", `${names[0]} is typing…`, `${names[0]} and ${names[1]} are typing…`];
  $("typing").textContent = words[names.length] ?? "Several people are typing…";
}
setInterval(() => { if (state.typing.size) typing(); }, 1000);

$("show-people").addEventListener("click", () => people.toggle());
$("hide-people").addEventListener("click", () => people.toggle(false));
$("room").addEventListener("click", ({ target }) => {
  if (people.over && !target.closest("#show-people")) people.toggle(false);
});
on("people", () => people.later());
on("blocks", draw);
