// The page: who the reader is, which room is open, and what the stream says.

import { $, avatar, h, icon, looking, toast } from "./dom.js";
import { becomeAnother, get, onBusy, onLoggedOut, post, remove } from "./api.js";
import "./banner.js";
import { blocks } from "./blocks.js";
import { composer, saveDraft } from "./composer.js";
import "./copying.js";
import { aboutRoom, help, makeRoom, search, sure, switcher } from "./dialogs.js";
import { copy, door, whoAmI } from "./door.js";
import { gate } from "./gate.js";
import { log } from "./log.js";
import { byName } from "./names.js";
import { notice, withdraw } from "./notice.js";
import { outbox } from "./outbox.js";
import { people } from "./people.js";
import { reading } from "./reading.js";
import { address, addressed, neighbour, sorted } from "./rooms.js";
import { drawMe, settings, suitTheme } from "./settings.js";
import "./shell.js";
import {
  callsMe, forgetMine, isMe, keep, keepMine, on, recall, recallMine, room, same, state, tell,
} from "./state.js";
import { stream } from "./stream.js";
import { doing } from "./tools.js";
import { forgetWindow, forgetWindows, happen } from "./windows.js";
import { nameable } from "./words.js";

const REFRESH_MS = 30_000;
const LOBBY = 1;
let held = null; // frames that wait until the rooms are known
let wanted; // the message that an address asks for
let again = 0; // when it is tried again to begin

// ---- Who the reader is

async function begin() {
  clearTimeout(again);
  state.server = await get("server").catch(() => state.server);
  let me;
  try {
    me = await whoAmI();
  } catch {
    // Not even the server is there: the page tries until it is.
    $("app").hidden = true;
    door.open("Can't reach the server. Reconnecting…");
    again = setTimeout(begin, 3000);
    return;
  }
  if (!me) return back();
  state.me = me;
  keep("guest", me.guest ? me.name : null);
  door.close();
  $("app").hidden = false;
  drawMe(avatar(me.name));
  stream.start(hear);
}

// A guest of this browser whose session has ended is told what happened to the name.
function back(why = "") {
  const name = recall("guest");
  const released = "You were away for too long, so your guest name was released. "
    + "Join again to take it back, if it is still free.";
  door.open(name ? released : why, name);
}

function end(why, forgotten = false) {
  stream.stop();
  saveDraft();
  if (forgotten) {
    forgetMine();
    keep("guest", null);
  }
  state.me = null;
  state.rooms.clear();
  state.people = [];
  state.blocked = [];
  reading.forget();
  forgetWindows();
  state.current = null;
  log.open(null);
  for (const box of document.querySelectorAll("dialog")) box.close();
  back(why);
}

onBusy((time) => {
  if (time > 1500) toast(`That was much at once; it goes on in ${Math.ceil(time / 1000)} s.`);
});

onLoggedOut(() => { if (state.me) end("You've been logged out. Please log in again."); });

async function logOut() {
  const waiting = outbox.size;
  const words = waiting
    ? `${waiting} of your messages are not sent yet and will be lost. Log out all the same?`
    : state.me.guest ? "Log out? Someone else may take your name." : "Log out?";
  if (!await sure(words, "Log out")) return;
  try {
    stream.stop();
    await remove("sessions/current");
    end("", true);
  } catch (failure) {
    stream.retry();
    toast(failure.message);
    if (failure.status !== 401) stream.start(hear);
  }
}

async function nick(name) {
  if (!state.me.guest) return toast("Only guests can change their name.");
  if (outbox.size) return toast("Send or delete your pending messages first.");
  // Nothing is written until it is known in whose name, and where.
  $("composer").hidden = true;
  try {
    // First the new one: it may be taken.
    const old = state.current;
    stream.stop();
    await post("guests", { name: nameable(name), remember: true });
    becomeAnother();
    forgetWindows();
    state.rooms.clear();
    state.current = null;
    if (old) location.hash = address(old);
    await begin();
  } catch (failure) {
    $("composer").hidden = false;
    $("text").focus();
    stream.start(hear);
    toast(failure.message);
  }
}

// ---- What the stream says

function hear(frame) {
  if (frame.type === "open" && !same(frame.me, state.me.name)) return location.reload();
  if ((frame.type === "open" && frame.fresh) || frame.type === "reset") return afresh();
  if (held) return held.push(frame);
  happened(frame);
  if (frame.type !== "caught_up") return;
  refresh(); // Who came and went meanwhile is not told.
  if (log.failed) enter(state.current, wanted);
}

// Loads everything again; frames that arrive meanwhile are applied after it.
async function afresh() {
  held = [];
  const mine = held;
  try {
    const { rooms } = await get("rooms");
    if (held !== mine) return;
    const before = state.rooms;
    state.rooms = new Map(rooms.map((one) => [one.id, one]));
    // A public room that one only looks into, a hidden one that one has the address of.
    for (const [id, one] of before) if (!state.rooms.has(id)) state.rooms.set(id, one);
    forgetWindows();
    tell("rooms");
    blocks.load();
    held = null;
    const opening = state.current;
    state.current = null;
    go(opening);
    for (const frame of mine) happened(frame);
  } catch (failure) {
    if (held === mine && failure.status !== 401) setTimeout(() => stream.afresh(), 2000);
  }
}

// Rooms that others made are not in one's stream until one is in them: the list asks for them.
async function refresh() {
  if (!state.me || held) return;
  const found = await get("rooms").catch(() => null);
  if (!found || held) return;
  const listed = new Set(found.rooms.map((one) => one.id));
  for (const one of found.rooms) {
    const known = state.rooms.get(one.id);
    // What the stream tells about one's own rooms is younger than this.
    if (!known?.member || !one.member) state.rooms.set(one.id, one);
    else known.online = one.online;
  }
  for (const [id, one] of state.rooms) {
    if (!one.member && !listed.has(id) && id !== state.current) state.rooms.delete(id);
  }
  tell("rooms");
}
setInterval(() => { if (document.visibilityState === "visible") refresh(); }, REFRESH_MS);

function happened(frame) {
  const one = state.rooms.get(frame.room?.id ?? frame.room);
  switch (frame.type) {
    case "message":
      outbox.confirm(frame);
      happen(frame.room, frame);
      people.typing(frame.author, false);
      count(one, frame);
      log.arrived(frame);
      notice(one, frame, open);
      break;
    case "edit":
    case "delete":
    case "reaction":
      happen(frame.room, frame);
      break;
    case "room":
      // Of one's own rooms only one is told so; what is new there comes right behind.
      state.rooms.set(frame.room.id, { member: true, unread: 0, ...one, ...frame.room });
      if (!one?.member) renew(frame.room.id);
      else if (one.id === state.current) head();
      tell("rooms");
      break;
    case "room_gone":
      gone(frame.room);
      break;
    case "member":
      if (frame.room === state.current) tell("people");
      break;
    case "presence":
      if (frame.room === state.current) {
        tell("people");
        if (!frame.online) people.typing(frame.name, false);
      } else if (one) {
        one.online = Math.max(0, one.online + (frame.online ? 1 : -1));
        tell("rooms");
      }
      break;
    case "typing":
      if (frame.room === state.current) people.typing(frame.name);
      break;
    case "read":
      read(one, frame.read_seq);
      break;
    case "caught_up":
      for (const [id, seq] of Object.entries(frame.read)) read(state.rooms.get(Number(id)), seq);
      tell("people");
      break;
  }
}

function count(one, message) {
  if (!one || message.seq <= one.last_seq) return;
  one.last_seq = message.seq;
  // What one sees as it comes is not new.
  const seen = one.id === state.current && log.atEnd && looking();
  if (seen || isMe(message.author)) return one.kind === "direct" && tell("rooms");
  one.unread = (one.unread ?? 0) + 1;
  if (callsMe(message)) one.mentions = (one.mentions ?? 0) + 1;
  tell("rooms");
}

// Read on another device, or here.
function read(one, seq) {
  if (!one || seq <= (one.read_seq ?? 0)) return;
  one.read_seq = seq;
  if (seq >= one.last_seq) {
    one.unread = one.mentions = 0;
    withdraw(one.id);
  }
  else if (one.unread) renew(one.id);
  tell("rooms");
}

async function renew(id) {
  const found = await get(`rooms/${id}`).catch((failure) => failure);
  if (found.status === 404) state.rooms.delete(id);
  else if (found.id) state.rooms.set(id, found);
  tell("rooms");
  if (id === state.current) head();
}

async function gone(id) {
  forgetWindow(id);
  const { title, kind } = state.rooms.get(id) ?? {};
  state.rooms.delete(id);
  await renew(id);
  if (state.current !== id) return;
  if (!state.rooms.has(id)) {
    if (id !== state.hiding) {
      toast(kind === "direct" ? `Your conversation with ${title} is gone.`
        : `“${title}” has been deleted.`);
    }
    history.replaceState(null, "", "#/"); // Or it would be asked for again.
    go(null);
  } else enter(id);
}

// ---- Which room is open

// Opens what the address asks for, or where one was last, or the first.
function go(id = null) {
  const last = recallMine("room");
  // On a phone one chooses, but whoever comes for the first time is led to the others.
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

// On a narrow screen there is either the rooms or one of them.
function view(what) {
  document.body.dataset.view = what;
  const alone = what === "rooms" && matchMedia("(max-width: 47.99rem)").matches;
  $("side").setAttribute("role", alone ? "main" : "navigation");
}

function open(id, seq) {
  const hash = address(id, seq);
  if (location.hash === hash && location.pathname.endsWith("/")) return enter(id, seq);
  location.href = `./${hash}`;
}

async function enter(id, seq) {
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
    $("composer").hidden = true; // It is still that of the room before.
    await renew(id);
  }
  if (state.current !== id) return;
  head();
  people.suit();
  people.load();
  const one = room();
  gate(one, joined);
  if (!one || (!one.member && one.visibility !== "public")) {
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
  reading.settled();
}

function head() {
  const one = room();
  $("title").textContent = one?.title ?? "No such room";
  $("description").textContent = one?.kind === "direct"
    ? `Only you and ${one.title} can see this conversation.` : one?.description ?? "";
  $("room-link").hidden = !one || one.kind === "direct";
  $("room-menu").hidden = !one?.member;
  $("show-people").hidden = !one?.member;
  tell("rooms");
}

function joined(one) {
  state.rooms.set(one.id, one);
  forgetWindow(one.id);
  tell("rooms");
  if (state.current === one.id) {
    state.current = null;
    enter(one.id);
  } else open(one.id);
}

async function leave() {
  const one = room();
  if (!one?.member) return toast("You are not in this room.");
  const hint = one.visibility === "public" ? "" : " To come back you need its password.";
  const two = one.kind === "direct";
  if (!two && !await sure(`Leave “${one.title}”?${hint}`, "Leave")) return;
  state.hiding = two ? one.id : null;
  try {
    await remove(`rooms/${one.id}/membership`);
    history.replaceState(null, "", "./");
    if (two) toast(`Hidden until one of you writes again: ${one.title}.`);
    renew(one.id);
    state.current = null;
    go(sorted().rooms.find((other) => other.id !== one.id)?.id ?? null);
  } catch (failure) {
    toast(failure.message);
  }
}

const { direct, join } = byName(open, joined);

// ---- Buttons and keys

const guestHint = () => h("p", { class: "hint" }, "Change it with /nick NewName.");
const openSettings = () => settings({ logOut, help, nick: guestHint(), back: enterOwn });
const openSearch = () => search(open);
const openSwitcher = () => switcher({ open, direct, fresh: refresh() });
const openMake = () => makeRoom(enterOwn);

// A room of one's own that is new here, or back.
function enterOwn(one) {
  state.rooms.set(one.id, one);
  open(one.id);
}

function roomMenu() {
  const one = room();
  if (!one?.member) return;
  // What a guest has made belongs to nobody, and whoever is in it may change it.
  const mine = one.kind === "room" && one.id !== LOBBY && (!one.owner || isMe(one.owner));
  const changed = (facts) => {
    state.rooms.set(one.id, { ...one, ...facts });
    head();
  };
  aboutRoom(one, mine, { changed, leave, blocks });
}

for (const button of document.querySelectorAll("[data-icon]")) {
  button.append(icon(button.dataset.icon));
  button.title = button.getAttribute("aria-label");
}
const apple = /Mac|iP/.test(navigator.platform);
$("switch").querySelector("kbd").textContent = apple ? "⌘K" : "Ctrl K";
for (const [id, does] of Object.entries({
  settings: openSettings, find: openSearch, switch: openSwitcher, make: openMake,
  "room-menu": roomMenu,
  "room-link": () => copy(new URL(`./${address(state.current)}`, location).href, "Link"),
  back: () => { location.hash = "#/"; },
})) $(id).addEventListener("click", does);

document.addEventListener("keydown", (event) => {
  if (!state.me || event.isComposing) return;
  const modal = document.querySelector("dialog[open]");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openSwitcher();
  } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown") && !modal) {
    event.preventDefault();
    const id = neighbour(event.key === "ArrowUp" ? -1 : 1);
    if (id) open(id);
  } else if (event.key === "Escape" && !modal && !event.defaultPrevented) {
    if (people.over) return people.toggle(false);
    log.forgetLine();
    log.latest();
    $("text").focus();
  } else if (event.key === "?" && !modal && !event.target.closest("input, textarea")) {
    event.preventDefault();
    help();
  }
});

addEventListener("hashchange", () => {
  if (!state.me || held) return;
  const asked = addressed();
  if (asked) enter(asked.id, asked.seq);
  else {
    saveDraft();
    go();
    refresh();
  }
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "visible") return;
  refresh();
  blocks.load(); // Another tab, or another device, may have changed it.
});

reading.start(read);
log.start({ settled: reading.settled, react: doing.react });
composer.start({
  ...doing, help, join, leave, direct, nick, logout: logOut, people: () => people.toggle(true),
  block: (name, on) => blocks.set(nameable(name), on),
});
people.start(direct);
outbox.start((answer, { kind, room: id, target }) => {
  if (kind === "delete") return happen(id, { type: "delete", target });
  happen(id, kind ? answer : { ...answer, type: "message" });
  const one = state.rooms.get(id);
  if (one && !kind) count(one, answer);
}, (failure, { kind, room: id, text }) => {
  toast(failure.message);
  // What was written is not lost.
  if (kind === "edit") composer.giveBack(id, text);
});
door.start(begin);
suitTheme();
begin();
