// The list of rooms at the side, and the addresses of rooms.

import { $, ICON, avatar, h, icon, nextFrame } from "./dom.js";
import { keep, on, recall, state } from "./state.js";
import { outbox } from "./outbox.js";
import { recallMine } from "./state.js";

const side = $("rooms");

export function address(id, seq) {
  return `#/room/${id}${seq ? `/${seq}` : ""}`;
}

// The room in the page's address, and the message.
export function addressed() {
  const hash = /^#\/room\/(\d+)(?:\/(\d+))?$/.exec(location.hash);
  return hash && { id: Number(hash[1]), seq: hash[2] ? Number(hash[2]) : undefined };
}

const byName = (room, other) => room.title.localeCompare(other.title);

export function sorted() {
  const all = [...state.rooms.values()];
  return {
    rooms: all.filter((room) => room.member && room.kind === "room").sort(byName),
    direct: all.filter((room) => room.kind === "direct")
      .sort((room, other) => other.last_seq - room.last_seq || byName(room, other)),
    others: all.filter((room) => !room.member && room.kind === "room").sort(byName),
  };
}

function entry(room) {
  const current = room.id === state.current;
  const draft = recallMine(`draft:${room.id}`);
  const waiting = outbox.of(room.id).length;
  const here = room.kind === "direct" ? room.online > 1 : false;
  const count = room.unread > 999 ? "999+" : room.unread;
  const words = [
    room.unread ? `${room.unread} unread` : "",
    room.mentions ? `mentions: ${room.mentions}` : "",
    waiting ? `${waiting} unsent` : "",
  ].filter(Boolean).join(", ");
  return h("li", {}, h("a", {
    href: address(room.id),
    class: ["room", room.unread && "unread", room.mentions && "called"].filter(Boolean).join(" "),
    "aria-current": current ? "page" : null,
    title: room.description || null,
  },
  room.kind === "direct"
    ? h("span", { class: here ? "face here" : "face" }, avatar(room.title))
    : h("span", { class: "sign" }, room.visibility === "public" ? "#" : icon("lock")),
  h("span", { class: "name" }, room.title),
  waiting ? h("span", { class: "waiting", "aria-hidden": "true" }, "⏱") : null,
  draft && !current ? h("span", { class: "draft", title: "A draft" }, icon("edit")) : null,
  room.unread
    ? h("span", { class: "badge", "aria-hidden": "true" },
      room.mentions ? `@ ${count}` : `${count}`)
    : room.kind === "room" && room.online > 0
      ? h("span", { class: "online", title: `${room.online} online` },
        String(room.online), h("span", { class: "unseen" }, " online"))
      : null,
  words ? h("span", { class: "unseen" }, words) : null));
}

function section(title, rooms, open = true) {
  if (!rooms.length) return null;
  const list = h("ul", {}, rooms.map(entry));
  if (open) return h("section", {}, h("h2", {}, title), list);
  const part = h("details", {}, h("summary", {}, h("h2", {}, `${title} (${rooms.length})`)), list);
  part.open = recall("others", true);
  part.addEventListener("toggle", () => keep("others", part.open));
  return part;
}

let drawTimer = 0;
let badge = 0;
function draw() {
  drawTimer = 0;
  const focused = side.contains(document.activeElement)
    ? document.activeElement.getAttribute("href") : null;
  const { rooms, direct, others } = sorted();
  const parts = [section("Rooms", rooms), section("Direct messages", direct),
    section("More rooms", others, false)];
  const scrolled = side.scrollTop;
  side.replaceChildren(...parts.filter(Boolean));
  side.scrollTop = scrolled;
  if (focused) side.querySelector(`[href="${focused}"]`)?.focus();
  title();
}

function title() {
  const all = [...state.rooms.values()].filter((room) => room.member);
  const unread = all.reduce((sum, room) => sum + (room.unread ?? 0), 0);
  const calls = all.some((room) => room.mentions || (room.kind === "direct" && room.unread));
  const open = state.rooms.get(state.current);
  const where = open ? `${open.title} – Shanty` : "Shanty";
  const words = unread ? `(${unread > 999 ? "999+" : unread}) ${where}` : where;
  if (document.title !== words) document.title = words;
  const mark = unread ? (calls ? "called" : "unread") : "";
  const link = $("icon");
  if (link.dataset.mark !== mark) {
    link.dataset.mark = mark;
    link.href = mark ? dotted(calls ? "#e5484d" : "#f5a524") : ICON;
  }
  if (badge !== unread) navigator.setAppBadge?.(unread).catch(() => {});
  badge = unread;
}

const dotted = (color) => `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
  + '<rect width="64" height="64" rx="16" fill="#0b5c7d"/>'
  + '<path d="M30 12v28H14zM34 18c9 4 14 12 15 22H34z" fill="#fff"/>'
  + `<circle cx="48" cy="48" r="15" fill="${color}" stroke="#fff" stroke-width="4"/></svg>`)}`;

export function soon() { drawTimer ||= nextFrame(draw); }
// A hidden tab paints nothing, but its title shows the count.
on("rooms", () => (document.hidden ? title() : soon()));
on("outbox", soon);
on("draft", soon);
document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });

// The next or the previous room in the list.
export function neighbour(step) {
  const { rooms, direct } = sorted();
  const all = [...rooms, ...direct];
  const at = all.findIndex((room) => room.id === state.current);
  // From a room outside the list, up leads to the last room and down to the first.
  const from = at < 0 && step < 0 ? 0 : at;
  return all[(from + step + all.length) % all.length]?.id;
}
