// The page: logs in, opens rooms, and applies the frames of the stream.

import { setUp } from "./admin.js";
import { $, avatar, h, icon, looking, toast } from "./dom.js";
import { OVER, becomeAnother, get, onBusy, onLoggedOut, post, remove } from "./api.js";
import "./banner.js";
import { blocks } from "./blocks.js";
import { linked, recovery } from "./codes.js";
import { composer, saveDraft } from "./composer.js";
import "./copying.js";
import { help, makeRoom, search, confirm, switcher } from "./dialogs.js";
import { copy, signIn, whoAmI } from "./sign-in.js";
import { comeIn } from "./invite.js";
import { log } from "./log.js";
import { byName } from "./names.js";
import { notify, closeNotification } from "./notifications.js";
import {
  enter, enterOwn, go, head, joined, leave, open, renew, retryRoom, roomMenu,
} from "./open-room.js";
import { outbox } from "./outbox.js";
import { people } from "./people.js";
import { readMarkers } from "./read-markers.js";
import { address, addressed, neighbour } from "./rooms.js";
import { drawMe, settings, suitTheme } from "./settings.js";
import "./shell.js";
import { callsMe, forgetMine, isMe, keep, recall, same, setupToken, state, tell } from "./state.js";
import { stream } from "./stream.js";
import { messageActions } from "./message-menu.js";
import { forgetHistory, forgetHistories, applyFrame } from "./history-cache.js";
import { nameable } from "./words.js";

const REFRESH_MS = 30_000;
let pendingFrames = null; // frames that wait until the rooms are loaded
let retryTimer = 0; // calls `begin` again

// ---- Logging in and out

async function begin() {
  clearTimeout(retryTimer);
  state.server = await get("server").catch(() => state.server);
  if (recovery()) return signIn.open();
  let me;
  try {
    me = await whoAmI();
  } catch (failure) {
    $("app").hidden = true;
    if (OVER.includes(failure.code) || failure.status === 403) return signIn.open(failure.message);
    // The server does not answer: the page retries until it does.
    signIn.open("Can't reach the server. Reconnecting…");
    retryTimer = setTimeout(begin, 3000);
    return;
  }
  if (!me) return back();
  state.me = me;
  keep("guest", me.guest ? me.name : null);
  const seen = signIn.invited;
  signIn.close();
  $("app").hidden = false;
  drawMe(avatar(me.name));
  await setUp(openMake);
  await comeIn(seen);
  stream.start(hear);
}

// Shows the sign-in screen; tells a guest whose session has ended what happened to the name.
function back(why = "") {
  const name = recall("guest");
  const released = "You were away for too long, so your guest name was released. "
    + "Join again to take it back, if it is still free.";
  signIn.open(name ? released : why, name);
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
  readMarkers.forget();
  forgetHistories();
  state.current = null;
  log.open(null);
  for (const box of document.querySelectorAll("dialog")) box.close();
  back(why);
}

onBusy((time) => {
  if (time > 1500) toast(`You're sending too fast. Continuing in ${Math.ceil(time / 1000)} s.`);
});

onLoggedOut(({ code, message }) => {
  if (!state.me) return;
  end("You've been logged out. Please log in again.");
  if (code !== "unauthenticated") signIn.open(message);
});

async function logOut() {
  const waiting = outbox.size;
  const words = waiting
    ? `Unsent messages (${waiting}) will be lost. Log out anyway?`
    : state.me.guest ? "Log out? Someone else may take your name." : "Log out?";
  if (!await confirm(words, "Log out")) return;
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
  // Nobody can write until the new session and the room are known.
  $("composer").hidden = true;
  try {
    // The new session comes first: its name may be taken.
    const old = state.current;
    stream.stop();
    await post("guests", { name: nameable(name), remember: true });
    becomeAnother();
    forgetHistories();
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

// ---- Frames of the stream

function hear(frame) {
  if (frame.type === "open" && !same(frame.me, state.me.name)) return location.reload();
  if ((frame.type === "open" && frame.fresh) || frame.type === "reset") return afresh();
  if (pendingFrames) return pendingFrames.push(frame);
  handle(frame);
  if (frame.type !== "caught_up") return;
  refresh(); // The stream does not replay joins and leaves.
  retryRoom();
}

// Loads everything again; frames that arrive meanwhile are applied after it.
async function afresh() {
  pendingFrames = [];
  const mine = pendingFrames;
  try {
    const { rooms } = await get("rooms");
    if (pendingFrames !== mine) return;
    const before = state.rooms;
    state.rooms = new Map(rooms.map((info) => [info.id, info]));
    // Keep rooms that are not listed: a public room in preview, a hidden room opened by its link.
    for (const [id, info] of before) if (!state.rooms.has(id)) state.rooms.set(id, info);
    forgetHistories();
    tell("rooms");
    blocks.load();
    pendingFrames = null;
    const opening = state.current;
    state.current = null;
    go(opening);
    for (const frame of mine) handle(frame);
  } catch (failure) {
    if (pendingFrames === mine && failure.status !== 401) setTimeout(() => stream.afresh(), 2000);
  }
}

// The stream reports only the rooms of the reader; new rooms of others come with the list.
async function refresh() {
  if (!state.me || pendingFrames) return;
  const found = await get("rooms").catch(() => null);
  if (!found || pendingFrames) return;
  const listed = new Set(found.rooms.map((info) => info.id));
  for (const info of found.rooms) {
    const known = state.rooms.get(info.id);
    // For the reader's own rooms the stream is newer than this answer.
    if (!known?.member || !info.member) state.rooms.set(info.id, info);
    else known.online = info.online;
  }
  for (const [id, info] of state.rooms) {
    if (!info.member && !listed.has(id) && id !== state.current) state.rooms.delete(id);
  }
  tell("rooms");
}
setInterval(() => { if (document.visibilityState === "visible") refresh(); }, REFRESH_MS);

function handle(frame) {
  const info = state.rooms.get(frame.room?.id ?? frame.room);
  switch (frame.type) {
    case "message":
      outbox.confirm(frame);
      applyFrame(frame.room, frame);
      people.typing(frame.author, false);
      count(info, frame);
      log.arrived(frame);
      notify(info, frame, open);
      break;
    case "edit":
    case "delete":
    case "reaction":
      applyFrame(frame.room, frame);
      break;
    case "room":
      // The frame has the room's facts only; counts of a new room have to be loaded.
      state.rooms.set(frame.room.id, { member: true, unread: 0, ...info, ...frame.room });
      if (!info?.member) renew(frame.room.id);
      else if (info.id === state.current) head();
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
      } else if (info) {
        info.online = Math.max(0, info.online + (frame.online ? 1 : -1));
        tell("rooms");
      }
      break;
    case "typing":
      if (frame.room === state.current) people.typing(frame.name);
      break;
    case "read":
      read(info, frame.read_seq);
      break;
    case "caught_up":
      for (const [id, seq] of Object.entries(frame.read)) read(state.rooms.get(Number(id)), seq);
      tell("people");
      break;
  }
}

function count(info, message) {
  if (!info || message.seq <= info.last_seq) return;
  info.last_seq = message.seq;
  // A message that the reader sees arrive does not count as unread.
  const seen = info.id === state.current && log.atEnd && looking();
  if (seen || isMe(message.author)) return info.kind === "direct" && tell("rooms");
  info.unread = (info.unread ?? 0) + 1;
  if (callsMe(message)) info.mentions = (info.mentions ?? 0) + 1;
  tell("rooms");
}

// The reader has read messages, on this device or another.
function read(info, seq) {
  if (!info || seq <= (info.read_seq ?? 0)) return;
  info.read_seq = seq;
  if (seq >= info.last_seq) {
    info.unread = info.mentions = 0;
    closeNotification(info.id);
  }
  else if (info.unread) renew(info.id);
  tell("rooms");
}

async function gone(id) {
  forgetHistory(id);
  const { title, kind } = state.rooms.get(id) ?? {};
  state.rooms.delete(id);
  await renew(id);
  if (state.current !== id) return;
  if (!state.rooms.has(id)) {
    if (id !== state.hiding) {
      toast(kind === "direct" ? `Your conversation with ${title} no longer exists.`
        : `“${title}” has been deleted.`);
    }
    history.replaceState(null, "", "#/"); // Otherwise `go` would open this room again.
    go(null);
  } else enter(id);
}

const { direct, join } = byName(open, joined);

// ---- Buttons and keys

const guestHint = () => h("p", { class: "hint" }, "Change it with /nick NewName.");
const openSettings = () => settings({ logOut, help, nick: guestHint(), back: enterOwn });
const openSearch = () => search(open);
const openSwitcher = () => switcher({ open, direct, fresh: refresh() });
const openMake = () => makeRoom(enterOwn);

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
  if (linked()) return location.reload();
  if (!state.me || pendingFrames) return;
  if (setupToken()) return setUp(openMake);
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
  blocks.load(); // Another tab or device may have changed them.
});

readMarkers.start(read);
log.start({ settled: readMarkers.settled, react: messageActions.react });
composer.start({
  ...messageActions, help, join, leave, direct, nick, logout: logOut,
  people: () => people.toggle(true),
  block: (name, on) => blocks.set(nameable(name), on),
});
people.start(direct);
outbox.start((answer, { kind, room: id, target }) => {
  if (kind === "delete") return applyFrame(id, { type: "delete", target });
  applyFrame(id, kind ? answer : { ...answer, type: "message" });
  const info = state.rooms.get(id);
  if (info && !kind) count(info, answer);
}, (failure, { kind, room: id, text }) => {
  toast(failure.message);
  // The text of a refused edit is not lost.
  if (kind === "edit") composer.giveBack(id, text);
});
signIn.start(begin);
suitTheme();
begin();
