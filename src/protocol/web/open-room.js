// The open room: opens the one in the address, joins and leaves rooms, and has the room's settings.

import { $, toast } from "./dom.js";
import { get, remove } from "./api.js";
import { blocks } from "./blocks.js";
import { composer, saveDraft } from "./composer.js";
import { aboutRoom, confirm } from "./dialogs.js";
import { forgetHistory } from "./history-cache.js";
import { joinForm } from "./join.js";
import { log } from "./log.js";
import { people } from "./people.js";
import { readMarkers } from "./read-markers.js";
import { address, addressed, sorted } from "./rooms.js";
import { LOBBY, isMe, keepMine, recallMine, room, state, tell } from "./state.js";

let wanted; // the message in the address

// Opens the room in the address, or the last open room, or the first.
export function go(id = null) {
  const last = recallMine("room");
  // A phone shows the list of rooms, except at the first visit.
  if (id === null && !(last && matchMedia("(max-width: 47.99rem)").matches)) {
    const { rooms, others } = sorted();
    id = state.rooms.has(last) ? last : (rooms[0] ?? others[0])?.id ?? LOBBY;
  }
  const asked = addressed();
  if (asked) return enter(asked.id, asked.seq);
  if (id !== null) return enter(id);
  state.current = null;
  view("rooms");
  tell("rooms");
}

// A narrow screen shows either the list of rooms or a room.
function view(name) {
  document.body.dataset.view = name;
  const alone = name === "rooms" && matchMedia("(max-width: 47.99rem)").matches;
  $("side").setAttribute("role", alone ? "main" : "navigation");
}

export function open(id, seq) {
  const hash = address(id, seq);
  if (location.hash === hash && location.pathname.endsWith("/")) return enter(id, seq);
  location.href = `./${hash}`;
}

export async function enter(id, seq) {
  if (!location.pathname.endsWith("/") || !location.hash.startsWith(address(id))) {
    history.replaceState(null, "", `./${address(id, seq)}`);
  }
  view("room");
  if (id === state.current && seq) return log.show(seq);
  saveDraft();
  state.current = id;
  people.still();
  state.people = [];
  wanted = seq;
  if (!state.rooms.has(id)) {
    $("composer").hidden = true; // It still belongs to the previous room.
    await renew(id);
  }
  if (state.current !== id) return;
  head();
  people.suit();
  people.load();
  const info = room();
  joinForm(info, joined);
  if (!info || (!info.member && info.visibility !== "public")) {
    log.open(null);
    $("start").hidden = true;
    return;
  }
  keepMine("room", id);
  composer.open();
  try {
    await log.open(id, wanted);
  } catch (failure) {
    if (state.current === id) toast(failure.message);
  }
  readMarkers.settled();
}

export function head() {
  const info = room();
  $("title").textContent = info?.title ?? "Room not found";
  $("description").textContent = info?.kind === "direct"
    ? `Only you and ${info.title} can see this conversation.` : info?.description ?? "";
  $("room-link").hidden = !info || info.kind === "direct";
  $("room-menu").hidden = !info?.member;
  $("show-people").hidden = !info?.member;
  tell("rooms");
}

export function joined(info) {
  state.rooms.set(info.id, info);
  forgetHistory(info.id);
  tell("rooms");
  if (state.current === info.id) {
    state.current = null;
    enter(info.id);
  } else open(info.id);
}

export async function leave() {
  const info = room();
  if (!info?.member) return toast("You're not in this room.");
  const hint = info.visibility === "public" ? "" : " You'll need the password to rejoin.";
  const two = info.kind === "direct";
  if (!two && !await confirm(`Leave “${info.title}”?${hint}`, "Leave")) return;
  state.hiding = two ? info.id : null;
  try {
    await remove(`rooms/${info.id}/membership`);
    history.replaceState(null, "", "./");
    if (two) toast(`Hidden until the next message: ${info.title}.`);
    renew(info.id);
    state.current = null;
    go(sorted().rooms.find((other) => other.id !== info.id)?.id ?? null);
  } catch (failure) {
    toast(failure.message);
  }
}

// Loads a room's facts and counts again.
export async function renew(id) {
  const found = await get(`rooms/${id}`).catch((failure) => failure);
  if (found.status === 404) state.rooms.delete(id);
  else if (found.id) state.rooms.set(id, found);
  tell("rooms");
  if (id === state.current) head();
}

// Loads the open room's messages again, if that failed before.
export function retryRoom() {
  if (log.failed) enter(state.current, wanted);
}

// Opens a room that the reader has just made or restored.
export function enterOwn(info) {
  state.rooms.set(info.id, info);
  open(info.id);
}

export function roomMenu() {
  const info = room();
  if (!info?.member) return;
  // A room without an owner: every member may change it. The lobby is the owner's of the server.
  const owned = info.id === LOBBY ? state.me.role === "owner" : !info.owner || isMe(info.owner);
  const mine = info.kind === "room" && owned;
  const changed = (facts) => {
    state.rooms.set(info.id, { ...info, ...facts });
    head();
  };
  aboutRoom(info, mine, { changed, leave, blocks });
}
