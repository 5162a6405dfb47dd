// Dialogs: confirmation, the forms that create and change a room, the room switcher, search, help.

import { avatar, dateTime, h, icon, toast, tool } from "./dom.js";
import { get, part, patch, post, remove } from "./api.js";
import { commands } from "./composer.js";
import { inviteTo } from "./invite.js";
import { moderates, orderSettings } from "./moderation.js";
import { levelField } from "./notifications.js";
import { sorted } from "./rooms.js";
import { LOBBY, isMe, same, state } from "./state.js";
import { nameable } from "./words.js";

export function dialog(title, ...content) {
  const box = h("dialog", { "aria-label": title },
    h("header", {}, h("h2", {}, title), tool("close", "Close", () => box.close())), content);
  let pressed = null;
  box.addEventListener("pointerdown", ({ target }) => { pressed = target; });
  box.addEventListener("click", ({ target }) => {
    if (target === box && pressed === box) box.close();
  });
  // The browser gives the focus back to the element that had it.
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}

// Asks a question; resolves to true if the reader agrees.
export function confirm(question, yes) {
  return new Promise((done) => {
    let agreed = false;
    const box = dialog(question, h("div", { class: "row end" },
      h("button", { type: "button", onclick: () => box.close() }, "Cancel"),
      h("button", {
        type: "button", class: "danger", autofocus: true,
        onclick: () => { agreed = true; box.close(); },
      }, yes)));
    box.addEventListener("close", () => done(agreed));
    box.querySelector(".danger").focus();
  });
}

// A form in a dialog, which stays open and shows the error until the action succeeds.
function form(title, fields, yes, action, ...more) {
  const trouble = h("p", { class: "trouble", role: "alert" });
  const button = h("button", { class: "primary" }, yes);
  const element = h("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      trouble.textContent = "";
      button.disabled = true;
      try {
        await action(element.elements);
        box.close();
      } catch (failure) {
        trouble.textContent = failure.message;
        element.elements[failure.field]?.focus?.();
      } finally {
        button.disabled = false;
      }
    },
  }, fields, trouble, h("div", { class: "row end" }, more.filter(Boolean), button));
  const box = dialog(title, element);
  element.querySelector("input")?.focus();
  return box;
}

const SEEN = [
  ["public", "Public", "Anyone can find and join it."],
  ["private", "Private", "Anyone can find it; joining needs a password."],
  ["hidden", "Hidden", "Not listed. Joining needs the link and the password."],
];

function roomFields(room) {
  const { limits } = state.server;
  const password = h("input", {
    id: "f-password", name: "password", type: "password", autocomplete: "new-password",
    minlength: limits.password_chars_min ?? 8, maxlength: limits.password_chars_max ?? 256,
  });
  const secret = h("div", {}, h("label", { for: "f-password" },
    room && room.visibility !== "public"
      ? "New password (leave blank to keep the current one)" : "Password"),
  password, h("p", { class: "hint" }, `At least ${password.minLength} characters.`));
  const suit = (visibility) => {
    secret.hidden = visibility === "public";
    password.required = !secret.hidden && (!room || room.visibility === "public");
    if (secret.hidden) password.value = "";
  };
  const choices = SEEN.map(([value, name, says]) => h("label", { class: "choice" },
    h("input", {
      type: "radio", name: "visibility", value, onchange: () => suit(value),
      checked: value === (room?.visibility ?? "public"),
    }),
    h("span", {}, h("b", {}, name), h("span", { class: "hint" }, says))));
  suit(room?.visibility ?? "public");
  const about = [
    h("label", { for: "f-title" }, "Name"),
    h("input", {
      id: "f-title", name: "title", required: true, autocomplete: "off", value: room?.title,
      minlength: limits.title_chars_min ?? 2, maxlength: limits.title_chars_max ?? 70,
    }),
    h("label", { for: "f-description" }, "Topic (optional)"),
    h("input", {
      id: "f-description", name: "description", autocomplete: "off", value: room?.description,
      maxlength: limits.description_chars_max ?? 70,
    }),
  ];
  // The main room is always open.
  if (room?.id === LOBBY) return about;
  return [...about, h("fieldset", {}, h("legend", {}, "Who can join"), choices), secret];
}

const wanted = ({ title, description, visibility, password }) => ({
  title: nameable(title.value), description: description.value.trim(),
  visibility: visibility?.value, password: password?.value || undefined,
});

export function makeRoom(then) {
  form("Create room", roomFields(null), "Create", async (fields) => {
    then(await post("rooms", wanted(fields)));
  });
}

// The settings of a room: notifications and leaving; for its owner also title, access and so on.
export function aboutRoom(room, mine, { changed, leave, blocks }) {
  let box = null;
  const direct = room.kind === "direct";
  const button = (words, then) => h("button", {
    type: "button", onclick: () => { box.close(); then(); },
  }, words);
  const out = button(direct ? "Hide conversation" : "Leave room", leave);
  const lobby = room.id === LOBBY;
  const blocked = blocks.has(room.title);
  const shun = direct ? button(`${blocked ? "Unblock" : "Block"} ${room.title}`,
    () => blocks.set(room.title, !blocked)) : null;
  // (The server asks once more.)
  const invite = !direct && !state.me.guest && ((mine && !lobby) || moderates() || state.me.role)
    ? button("Invite people", () => inviteTo(room)) : null;
  const gone = h("button", {
    type: "button", class: "danger",
    onclick: async () => {
      const back = !mine ? " This can't be undone."
        : room.owner ? " You can restore it in the settings for seven days." : "";
      const question = `Delete “${room.title}” and all its messages?${back}`;
      if (!await confirm(question, "Delete the room")) return;
      try {
        await remove(`rooms/${room.id}`);
        box.close();
      } catch (failure) {
        toast(failure.message);
      }
    },
  }, "Delete room");
  if (!mine) {
    box = dialog(room.title,
      room.description ? h("p", {}, room.description) : null,
      room.owner ? h("p", { class: "hint" }, "Owner: ", h("b", {}, room.owner)) : null,
      levelField(room), orderSettings(room),
      direct ? h("p", { class: "hint" }, "A hidden conversation comes back with the next message.")
        : null,
      h("div", { class: "row end" }, state.me.role && !direct && !lobby ? gone : null, shun, invite,
        out));
    return;
  }
  box = form("Room settings", [...roomFields(room), levelField(room)], "Save", async (fields) => {
    changed(await patch(`rooms/${room.id}`, wanted(fields)));
  }, lobby ? null : gone, invite, out);
  box.append(orderSettings(room) ?? "");
}

// Restores a deleted room under a new name: another room has taken its old one.
export function restoreAs({ id, title }, then) {
  form("Restore room", [
    h("p", {}, `Another room is now called “${title}”. Choose a new name.`),
    h("label", { for: "f-title" }, "Name"),
    h("input", { id: "f-title", name: "title", required: true, autocomplete: "off", value: title }),
  ], "Restore", async (fields) => {
    then(await post(`rooms/${id}/restore`, { title: nameable(fields.title.value) }));
  });
}

// A text field with a list, from which the reader chooses with the arrow keys or by a click. Enter
// waits until the list is `ready`.
function choosing(label, placeholder, fill, ready = Promise.resolve()) {
  let at = 0;
  const list = h("ul", { role: "listbox", id: "f-list", "aria-label": label });
  const input = h("input", {
    // Not of the type `search`: there the first Escape only empties the field.
    type: "text", enterkeyhint: "go", "aria-label": label, placeholder, autocomplete: "off",
    role: "combobox", "aria-expanded": "true", "aria-controls": "f-list",
    "aria-autocomplete": "list",
  });
  const mark = () => {
    [...list.children].forEach((option, i) => {
      option.setAttribute("aria-selected", String(i === at));
    });
    const chosen = list.children[at];
    if (chosen) input.setAttribute("aria-activedescendant", chosen.id);
    else input.removeAttribute("aria-activedescendant");
    chosen?.scrollIntoView({ block: "nearest" });
  };
  const show = (items) => {
    at = 0;
    list.replaceChildren(...items.map(({ content, then }, i) => h("li", {
      role: "option", id: `f-item-${i}`, onclick: then,
    }, content)));
    mark();
  };
  input.addEventListener("input", () => fill(input.value.trim(), show));
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && list.children.length) {
      event.preventDefault();
      at = (at + step + list.children.length) % list.children.length;
      mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      ready.then(() => list.isConnected && list.children[at]?.click());
    }
  });
  return { input, list, show };
}

// `fresh` resolves when the list of rooms is up to date.
export function switcher({ open, direct, fresh }) {
  if (document.querySelector("dialog[open]")) return;
  const fill = (words, show) => {
    const { rooms, direct: two, others } = sorted();
    const fits = (room) => room.title.toLowerCase().includes(words.toLowerCase());
    const first = words ? [] : [...rooms, ...two].filter((room) => room.unread);
    const rest = [...rooms, ...two, ...others].filter((room) => !first.includes(room));
    const all = [...first, ...rest];
    const items = all.filter(fits).slice(0, 30).map((room) => ({
      content: [
        room.kind === "direct" ? avatar(room.title)
          : h("span", { class: "sign" }, room.visibility === "public" ? "#" : icon("lock")),
        h("span", { class: "name" }, room.title),
        room.unread ? h("span", { class: "badge" }, String(room.unread)) : null,
        h("span", { class: "hint" }, room.member ? "" : "Not a member"),
      ],
      then: () => { box.close(); open(room.id); },
    }));
    const starts = ({ name }) => name.toLowerCase().startsWith(words.toLowerCase());
    const names = state.people.filter(starts).slice(0, 8).map(({ name }) => name);
    // A person outside this room, by the whole name.
    const whole = names.some((name) => same(name, words)) ? names : [...names, words];
    for (const name of words ? whole : []) {
      if (isMe(name) || two.some((room) => same(room.title, name))) continue;
      items.push({
        content: [avatar(name), h("span", { class: "name" }, `Message ${name}`)],
        then: () => { box.close(); direct(name); },
      });
    }
    show(items);
  };
  const ready = fresh.then(() => fill(input.value.trim(), show));
  const { input, list, show } =
    choosing("Jump to a room or a person", "Search rooms and people", fill, ready);
  const box = dialog("Go to", input, list);
  box.classList.add("tall");
  fill("", show);
  input.focus();
}

export function search(open) {
  if (document.querySelector("dialog[open]")) return;
  let asked = 0;
  let timer = 0;
  const count = h("p", { class: "hint", role: "status" });
  const here = h("input", { type: "checkbox", name: "here" });
  const more = h("button", { type: "button", hidden: true }, "Load more");
  let found = [];
  const item = (message) => ({
    content: h("div", { class: "hit" },
      h("div", {}, h("b", {}, message.author), " in ",
        h("b", {}, state.rooms.get(message.room)?.title ?? "a room"), " ",
        dateTime(message.time)),
      h("p", {}, message.snippet ?? message.text)),
    then: () => { box.close(); open(message.room, message.seq); },
  });
  const ask = async (words, show, before) => {
    const mine = asked += 1;
    const room = here.checked ? `&room=${state.current}` : "";
    let answer = { before };
    try {
      // A page may be empty although older pages have results.
      do {
        const older = answer.before ? `&before=${answer.before}` : "";
        answer = await get(`search?q=${part(words)}${room}${older}&limit=30`);
        if (mine !== asked) return;
      } while (answer.before && !answer.messages.length);
      found = before ? [...found, ...answer.messages] : answer.messages;
      show(found.map(item));
      more.hidden = !answer.more;
      more.onclick = () => ask(words, show, answer.before);
      count.textContent = found.length ? `${found.length}${answer.more ? "+" : ""} found`
        : "No results. Search matches the beginning of words.";
    } catch (failure) {
      if (mine === asked) count.textContent = failure.message;
    }
  };
  const fill = (words, show) => {
    clearTimeout(timer);
    if (words) timer = setTimeout(() => ask(words, show), 200);
    else {
      asked += 1;
      more.hidden = true;
      count.textContent = "";
      show([]);
    }
  };
  const { input, list } = choosing("Search messages", "Search messages", fill);
  here.addEventListener("change", () => input.dispatchEvent(new Event("input")));
  const box = dialog("Search", input,
    h("label", { class: "check" }, here, " Only in this room"), count, list, more);
  box.classList.add("tall");
  input.focus();
}

const KEYS = [
  ["Ctrl K", "jump to a room or person"],
  ["Alt ↑ ↓", "previous, next room"],
  ["Enter", "send; with Shift a new line"],
  ["↑", "in an empty box: edit your last message"],
  ["Shift Tab", "move focus to the messages; ↑ ↓ there"],
  ["R, E, Del, +", "on a message: reply, edit, delete, react"],
  ["Esc", "close, cancel, or jump to latest"],
];

export function help() {
  const rows = (all) => h("dl", {}, all.map(([name, does]) => [h("dt", {}, name),
    h("dd", {}, does)]).flat());
  dialog("Help", h("h3", {}, "Keyboard shortcuts"), rows(KEYS),
    h("h3", {}, "Commands"), rows(commands), h("h3", {}, "Writing"),
    h("p", {}, "**bold**  *italic*  ~~strikethrough~~  `code`  > quote  - list  [words](address)  "
      + ":smile:"));
}
