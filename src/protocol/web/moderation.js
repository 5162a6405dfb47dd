// Order in rooms: what the owner of a room, its moderators and administrators can do. Everybody
// sees only what they may do.

import { dateTime, h, toast } from "./dom.js";
import { get, once, part, patch, put, remove } from "./api.js";
import { banPerson } from "./admin.js";
import { confirm, dialog } from "./dialogs.js";
import { LOBBY, isMe, on, room, same, state, tell } from "./state.js";

const person = (name) => state.people.find((one) => same(one.name, name));

// Whether the reader may do in the open room what its owner may, or what its moderators may.
export const owns = () => room()?.kind === "room" && Boolean(state.me.role || isMe(room().owner));
export const moderates = () => owns()
  || (room()?.kind === "room" && person(state.me.name)?.role === "moderator");

// Nobody acts on the owner; moderators do not act on each other.
const under = (name) => !isMe(name) && !same(name, room()?.owner)
  && (owns() || person(name)?.role !== "moderator");
export const manages = (name) => !isMe(name) && ((moderates() && under(name))
  || Boolean(state.me.role));

export const standing = ({ role, muted }) => [role, muted ? "muted" : ""].filter(Boolean);

const SPANS = [[10, "for 10 minutes"], [60, "for an hour"], [24 * 60, "for a day"],
  [7 * 24 * 60, "for a week"], ["", "until someone unmutes them"]];

// A dialog with all that the reader may do about a person.
export function manage(name) {
  const here = room();
  const found = person(name) ?? { name };
  const act = async (then, says) => {
    try {
      await then();
      box.close();
      toast(says);
      tell("people");
    } catch (failure) {
      toast(failure.message);
    }
  };
  const button = (words, then, danger) => h("button", {
    type: "button", class: danger ? "danger" : null, onclick: then,
  }, words);
  const sure = (question, yes, then, says) => async () => {
    if (await confirm(question, yes)) act(then, says);
  };
  // Mute and delete, in the room or everywhere.
  const common = (path, where, muted) => {
    const id = `f-span-${path.split("/")[0]}`;
    const span = h("select", { id },
      SPANS.map(([minutes, words]) => h("option", { value: minutes }, words)));
    const mute = path.startsWith("rooms") ? `${path}/mutes/${part(name)}` : `${path}/mute`;
    const all = path.startsWith("rooms") ? `${path}/members/${part(name)}/messages`
      : `${path}/messages`;
    const clear = (hours, words) => sure(
      `Delete everything that ${name} wrote ${where} in the last ${words}?`, "Delete messages",
      () => once("DELETE", all, { hours }), `Messages from ${name} are deleted.`);
    return [
      muted ? h("div", { class: "row" },
        button(`Unmute ${where}`, () => act(() => remove(mute), `${name} can write again.`)))
        : h("div", { class: "row" },
          button(`Mute ${where}`, () => act(
            () => put(mute, { minutes: Number(span.value) || undefined }),
            `${name} is muted ${where}.`)),
          h("label", { class: "unseen", for: id }, "For how long"), span),
      h("div", { class: "row" }, button("Delete last hour's messages", clear(1, "hour"), true),
        button("Delete last day's messages", clear(24, "24 hours"), true)),
    ];
  };
  const own = `rooms/${here?.id}`;
  const box = dialog(name,
    standing(found).length ? h("p", { class: "hint" }, standing(found).join(", ")) : null,
    moderates() && under(name) ? h("div", {}, h("h3", {}, `In ${here.title}`),
      common(own, "in this room", found.muted),
      h("div", { class: "row" },
        button("Remove from room", sure(`Remove ${name} from “${here.title}”? They can come back.`,
          "Remove", () => remove(`${own}/members/${part(name)}`), `${name} is removed.`), true),
        button("Ban from room", sure(
          `Ban ${name} from “${here.title}”? They can't come back until you lift the ban in the `
          + "room settings.", "Ban", () => put(`${own}/bans/${part(name)}`),
          `${name} is banned from this room.`), true)),
      owns() && !found.guest ? h("div", { class: "row" },
        found.role === "moderator"
          ? button("Remove as moderator", () => act(
            () => remove(`${own}/moderators/${part(name)}`), `${name} no longer moderates.`))
          : button("Make moderator", () => act(
            () => put(`${own}/moderators/${part(name)}`), `${name} is now a moderator.`)),
        here.id !== LOBBY && button("Make owner", sure(
          `Make ${name} the owner of “${here.title}”? You can't undo this yourself.`, "Make owner",
          () => put(`${own}/owner`, { name }), `${name} now owns this room.`), true)) : null)
      : null,
    state.me.role ? h("div", {}, h("h3", {}, "On the whole server"),
      common(`users/${part(name)}`, "everywhere", found.mutedEverywhere),
      h("div", { class: "row" }, button("Ban from the server…",
        () => { box.close(); banPerson(name); }, true))) : null);
  box.classList.add("manage");
  if (!state.me.role) return;
  // Whether the person is muted everywhere, only the person's own page says.
  get(`users/${part(name)}`).then(({ muted }) => {
    if (!muted || found.mutedEverywhere || !box.isConnected) return;
    found.mutedEverywhere = true;
    box.close();
    manage(name);
  }, () => {});
}

const SLOW = [[0, "Off"], [5, "5 seconds"], [10, "10 seconds"], [30, "30 seconds"],
  [60, "1 minute"], [300, "5 minutes"], [900, "15 minutes"], [3600, "1 hour"], [21600, "6 hours"]];

// The part of a room's settings about order, saved at once; null for others.
export function orderSettings(info) {
  if (info.kind !== "room" || !moderates()) return null;
  const save = async (change) => {
    try {
      await patch(`rooms/${info.id}`, change);
      toast("Saved");
    } catch (failure) {
      toast(failure.message);
    }
  };
  const choices = SLOW.some(([secs]) => secs === info.slow_mode) ? SLOW
    : [...SLOW, [info.slow_mode, `${info.slow_mode} seconds`]];
  const slow = h("select", {
    id: "f-slow", onchange: () => save({ slow_mode: Number(slow.value) }),
  }, choices.map(([secs, words]) => h("option", {
    value: secs, selected: secs === info.slow_mode,
  }, words)));
  const check = (field, words) => {
    const box = h("input", {
      type: "checkbox", checked: info[field], onchange: () => save({ [field]: box.checked }),
    });
    return h("label", { class: "check" }, box, ` ${words}`);
  };
  const list = h("ul", { class: "sessions", "aria-label": "Muted and banned" });
  const load = async () => {
    const { muted, banned } = await get(`rooms/${info.id}/moderation`)
      .catch(() => ({ muted: [], banned: [] }));
    const line = (name, words, path, label) => h("li", {}, h("div", {}, h("b", {}, name),
      h("div", { class: "hint" }, words)), h("button", {
      type: "button", "aria-label": `${label} ${name}`,
      onclick: async () => {
        await remove(`rooms/${info.id}/${path}/${part(name)}`)
          .catch((failure) => toast(failure.message));
        load();
        tell("people");
      },
    }, label));
    const all = [
      ...muted.map(({ name, until }) => line(name,
        until ? ["muted until ", dateTime(until)] : "muted", "mutes", "Unmute")),
      ...banned.map((name) => line(name, "banned from this room", "bans", "Unban")),
    ];
    list.replaceChildren(...all.length ? all : [h("li", { class: "hint" }, "No one")]);
  };
  load();
  return h("div", { class: "order" }, h("h3", {}, "Moderation"),
    h("label", { for: "f-slow" }, "Slow mode: each person waits between messages"), slow,
    owns() ? check("read_only", "Only the owner and moderators can post") : null,
    owns() && info.id !== LOBBY ? check("locked", "Locked: no one new can join") : null,
    h("h3", {}, "Muted and banned"), list);
}

// Tells a new owner.
let owned = new Map();
let whose = null;
on("rooms", () => {
  if (whose !== state.me) {
    whose = state.me;
    owned = new Map();
  }
  for (const { id, title, owner } of state.rooms.values()) {
    const mine = isMe(owner);
    if (mine && owned.get(id) === false) toast(`You're now the owner of “${title}”.`);
    owned.set(id, mine);
  }
});
