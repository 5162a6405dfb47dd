// The composer: the text field, replies and edits, drafts, completion, commands.

import { $, h, toast, touch } from "./dom.js";
import { lookUp, pick, replaced } from "./emoji.js";
import { log } from "./log.js";
import { outbox } from "./outbox.js";
import { speaking } from "./speaking.js";
import { BY_PROXY, keepMine, on, recallMine, room, state, tell } from "./state.js";
import { stream } from "./stream.js";
import { direction, fold } from "./words.js";

const DRAFT_MS = 300;
const TYPING_MS = 3000;
// A visible character: the server accepts no message without one.
const VISIBLE = /[^\s\p{Cc}\p{Cf}\p{M}\p{Default_Ignorable_Code_Point}\u2800]/u;
const NAME_MAX = 32;
const HUGE = 20_000; // The field does not grow with a longer text.
const DRAFT_MAX = 100_000;
const text = $("text");
const box = $("complete");
let about = null; // {kind: "reply" | "edit", message}
let unsaved = false; // the field's text was written in this tab, and is not stored yet
let timer = 0;
let typed = 0;
let choices = [];
let chosen = 0;
let from = 0;
let writer = null; // the person to whom the field's text belongs
let place = null; // the id of its room
let actions = {};

export const composer = {
  start(handlers) { actions = handlers; },

  // Shows the draft of the open room; leaves a text that is being written there as it is.
  open() {
    text.placeholder = room() ? `Message ${room().title}` : "";
    if (writer === state.me && place === state.current) return;
    writer = state.me;
    place = state.current;
    restore();
    hide();
    if (!touch()) text.focus();
  },

  reply(message) {
    if (about?.kind === "edit") this.cancel();
    about = { kind: "reply", message };
    context();
    text.focus();
    keepDraft();
  },

  edit(message) {
    save();
    about = { kind: "edit", message };
    text.value = message.text;
    context();
    fit();
    text.focus();
    text.setSelectionRange(text.value.length, text.value.length);
    keepDraft();
  },

  // Ends an edit, and shows the draft from before it; or makes a reply an ordinary message.
  cancel() {
    const edited = about?.kind === "edit";
    about = null;
    if (edited) {
      keepMine(`edit:${place}`, null);
      restore();
    } else {
      context();
      keepDraft();
    }
  },

  // A message is deleted: cancels a reply to it, or an edit of it.
  forget(message) {
    if (about?.message.seq === message.seq) this.cancel();
  },

  // Appends a text that could not be sent to the draft of its room.
  giveBack(room, words) {
    const behind = (before) => (before ? `${before}\n${words}` : words);
    if (room === place && about?.kind !== "edit") {
      text.value = behind(text.value);
      return changed();
    }
    const draft = draftOf(room);
    keepMine(`draft:${room}`, { ...draft, text: behind(draft.text) });
    tell("draft");
  },

  insert(words) {
    text.setRangeText(words, text.selectionStart, text.selectionEnd, "end");
    changed();
    text.focus();
  },
};

// A draft: the text, and the message to which it replies.
function draftOf(room) {
  const kept = recallMine(`draft:${room}`, "");
  return typeof kept === "string" ? { text: kept } : kept;
}

// Shows the stored edit or draft of the open room.
function restore() {
  clearTimeout(timer);
  unsaved = false;
  const edit = recallMine(`edit:${place}`);
  const draft = edit ?? draftOf(place);
  const message = edit?.message ?? draft.reply;
  about = message ? { kind: edit ? "edit" : "reply", message } : null;
  text.value = draft.text;
  context();
  fit();
}

// The part of a message that a stored reply or edit needs.
const gist = ({ seq, room, author, text }) => ({ seq, room, author, text });

function context() {
  $("context").hidden = !about;
  if (!about) return;
  const { kind, message } = about;
  const label = $("context").firstElementChild;
  if (kind === "edit") label.replaceChildren(h("b", {}, "Editing your message"));
  else {
    label.replaceChildren("Reply to ", h("b", {}, message.author), " ",
      h("span", { class: "hint" },
        message.deleted ? "a deleted message" : (message.text ?? "").slice(0, 120)));
  }
}

// Many browsers can make a field grow themselves (`field-sizing`), which is cheaper.
const grows = CSS.supports("field-sizing", "content");

function fit() {
  if (!grows) {
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight + 2, innerHeight * 0.4)}px`;
  }
  const most = state.server.limits.message_chars_max ?? 4000;
  const { length } = text.value;
  // Counting characters is slow for a long text; far beyond the limit, UTF-16 units are exact
  // enough.
  const left = most - (length > 4 * most ? length : [...text.value].length);
  text.classList.toggle("huge", length > HUGE);
  text.dir = direction(text.value);
  $("count").hidden = left > 200;
  $("count").classList.toggle("trouble", left < 0);
  $("count").textContent = left < 0
    ? `${(-left).toLocaleString()} characters over the limit` : `${left} characters left`;
  $("composer").classList.toggle("empty", !text.value.trim());
  return left >= 0;
}

// Stores the field's text; not if this tab has not changed it, as another tab may have.
function save() {
  clearTimeout(timer);
  if (!unsaved || !place) return;
  unsaved = false;
  if (about?.kind === "edit") {
    return keepMine(`edit:${place}`, { message: gist(about.message), text: text.value });
  }
  if (text.value.length > DRAFT_MAX) return; // Far too long to send, and storage is small.
  const had = Boolean(recallMine(`draft:${place}`));
  const reply = about ? gist(about.message) : undefined;
  keepMine(`draft:${place}`, text.value || reply ? { text: text.value, reply } : null);
  if (had !== Boolean(text.value)) tell("draft");
}
addEventListener("pagehide", save);
export const saveDraft = save;

function keepDraft() {
  unsaved = true;
  save();
}

// Another tab has changed or sent the draft of this room.
addEventListener("storage", ({ key }) => {
  if (!unsaved && place && new RegExp(`:(draft|edit):${place}$`).test(key ?? "")) restore();
});

function changed() {
  fit();
  unsaved = true;
  clearTimeout(timer);
  timer = setTimeout(save, DRAFT_MS);
  complete();
  if (text.value && about?.kind !== "edit" && Date.now() - typed > TYPING_MS) {
    typed = Date.now();
    stream.say({ type: "typing", room: state.current });
  }
}

// Removes control characters, which a pasted text may contain.
const sayable = (words) => words.replace(/\r\n?/g, "\n").trimEnd()
  .replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, "");

// The message of a reply or an edit may change, or be deleted.
on("log", () => {
  const now = about && log.message(about.message.seq);
  if (!now || now === about.message) return;
  about.message = now;
  context();
});

async function submit() {
  hide();
  const words = sayable(text.value);
  if (!fit()) {
    toast("This message is too long. Shorten it, or send it in parts.");
    return;
  }
  if (about?.kind === "edit") {
    const { message } = about;
    if (!VISIBLE.test(words)) return actions.delete(message);
    composer.cancel();
    const { deleted, text: before } = log.message(message.seq) ?? message;
    if (deleted) {
      toast("The message was deleted. Your text is still here.");
      composer.giveBack(place, words);
    } else if (words !== before) actions.edit(message, replaced(words));
    return;
  }
  if (!VISIBLE.test(words)) return;
  const begun = /^\/([a-z]+)(?:\s+([\s\S]*))?$/i.exec(words);
  if (begun) {
    const [, name, rest = ""] = begun;
    const command = COMMANDS[name.toLowerCase()];
    if (!command) {
      return toast(`Unknown command /${name}. Type /help for the list, or start with // to send it `
        + "as text.");
    }
    if (command === COMMANDS.me && speaking.refuses) return toast(speaking.refuses);
    clear();
    await command[1](rest.trim());
    return;
  }
  if (speaking.refuses) return toast(speaking.refuses);
  send(replaced(words.replace(/^\/\//, "/")));
}

function send(words) {
  const reply = about?.kind === "reply" ? about.message.seq : undefined;
  clear();
  log.forgetLine();
  outbox.add(state.current, words, reply);
  speaking.spoke();
  log.latest();
}

function clear() {
  text.value = "";
  about = null;
  typed = 0;
  context();
  fit();
  keepDraft();
}

// The slash commands. To add a command, add a line here: its help text, and a function of the rest
// of the line. Actions that concern the whole page come from app.js.
const COMMANDS = {
  help: ["show help", () => actions.help()],
  me: ["send an action: /me waves", (rest) => rest && send(`*${rest.replaceAll("*", "\\*")}*`)],
  join: ["join a room: /join Harbour", (rest) => actions.join(rest)],
  leave: ["leave this room", () => actions.leave()],
  msg: ["send a direct message: /msg Ann", (rest) => rest && actions.direct(rest)],
  block: ["block a person: /block Ann", (rest) => rest && actions.block(rest, true)],
  unblock: ["unblock a person: /unblock Ann", (rest) => rest && actions.block(rest, false)],
  nick: ["change your guest name: /nick Bo", (rest) => rest && actions.nick(rest)],
  online: ["show people", () => actions.people()],
  emojis: ["pick an emoji", () => pick(text, (emoji) => composer.insert(emoji))],
  logout: ["log out", () => state.me.by_proxy ? toast(BY_PROXY) : actions.logout()],
};
export const commands = Object.entries(COMMANDS).map(([name, [does]]) => [`/${name}`, does]);

// The beginning of a name behind an `@`; null if there is no mention before the cursor.
function nameBegun(before) {
  const at = before.lastIndexOf("@");
  const name = before.slice(at + 1);
  const word = before.slice(Math.max(0, at - NAME_MAX), Math.max(0, at));
  const address = /[A-Za-z0-9][_+-]*$/.test(word);
  return at < 0 || address || name.length > NAME_MAX || /^ |\n/.test(name) ? null : name;
}

// Lists the completions of the word at the cursor.
function complete() {
  const before = text.value.slice(0, text.selectionStart);
  if (before.length > HUGE) return hide();
  const emoji = /(?:^|[\s(]):([\p{L}\p{N}_+-]*)$/u.exec(before);
  const name = nameBegun(before);
  const command = /^\/(\w*)$/.exec(before);
  choices = [];
  if (command) {
    from = 0;
    choices = commands.filter(([name]) => name.startsWith(before))
      .map(([name, does]) => ({ becomes: `${name} `, shows: name, says: does }));
  } else if (emoji) {
    const start = emoji[1].toLowerCase();
    from = before.length - start.length - 1;
    if (start.length > 1) {
      choices = lookUp(start, 8)
        .map(([name, emoji]) => ({ becomes: `${emoji} `, shows: emoji, says: `:${name}:` }));
    }
  } else if (name !== null) {
    from = before.length - name.length - 1;
    const start = fold(name);
    choices = state.people.filter(({ name }) => fold(name).startsWith(start))
      .slice(0, 8).map(({ name }) => ({ becomes: `@${name} `, shows: name, says: "" }));
  }
  chosen = 0;
  draw();
}

function draw() {
  box.hidden = !choices.length;
  box.replaceChildren(...choices.map(({ shows, says }, at) => h("div", {
    role: "option", id: `choice-${at}`, "aria-selected": String(at === chosen),
    onmousedown: (event) => { event.preventDefault(); take(at); },
  }, h("b", {}, shows), " ", h("span", { class: "hint" }, says))));
  if (choices.length) text.setAttribute("aria-activedescendant", `choice-${chosen}`);
  else text.removeAttribute("aria-activedescendant");
}

function hide() {
  choices = [];
  draw();
}

function take(at) {
  text.setRangeText(choices[at].becomes, from, text.selectionStart, "end");
  hide();
  changed();
  hide();
}

text.addEventListener("input", changed);
text.addEventListener("blur", hide);
// Pasting a huge text into a field that grows with it takes the browser minutes.
text.addEventListener("paste", (event) => {
  const words = event.clipboardData.getData("text/plain");
  if (words.length <= HUGE) return;
  event.preventDefault();
  text.classList.add("huge");
  composer.insert(words);
});
// The browser would open a dropped file in place of the page.
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "none";
    if (kind === "drop") toast("Files can't be sent here yet.");
  });
}
text.addEventListener("keydown", (event) => {
  // An Enter that confirms a syllable belongs to the input method (IME).
  if (event.isComposing || event.keyCode === 229) return;
  const { key } = event;
  if (choices.length) {
    if (key === "ArrowDown" || key === "ArrowUp") {
      event.preventDefault();
      chosen = (chosen + (key === "ArrowDown" ? 1 : choices.length - 1)) % choices.length;
      return draw();
    }
    if (key === "Tab" || (key === "Enter" && !event.shiftKey && !isWhole())) {
      event.preventDefault();
      return take(chosen);
    }
    if (key === "Escape") {
      event.stopPropagation();
      return hide();
    }
  }
  if (key === "Enter" && !event.shiftKey && !event.altKey && (!touch() || event.ctrlKey)) {
    event.preventDefault();
    submit();
  } else if (key === "ArrowUp" && !text.value && !event.shiftKey && !event.altKey) {
    const last = log.lastOwn();
    if (!last) return;
    event.preventDefault();
    composer.edit(last);
  } else if (key === "Escape" && about) {
    event.stopPropagation();
    composer.cancel();
  }
});

// Whether a command is complete: Enter then runs it instead of completing it.
function isWhole() {
  return choices.some(({ shows }) => shows === text.value.trim());
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  text.focus();
  submit();
});
$("context-end").addEventListener("click", () => {
  composer.cancel();
  text.focus();
});
$("emoji").addEventListener("click", () => pick(text, (emoji) => composer.insert(emoji)));
