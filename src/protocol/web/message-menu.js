// The message menu: a small bar at the message under the pointer or focus, and its keys.

import { $, h, tool, touch } from "./dom.js";
import { composer } from "./composer.js";
import { confirm } from "./dialogs.js";
import { copy } from "./sign-in.js";
import { QUICK, pick } from "./emoji.js";
import { log, move } from "./log.js";
import { manage, manages, moderates } from "./moderation.js";
import { outbox } from "./outbox.js";
import { address } from "./rooms.js";
import { isMe, isMine, recall, room } from "./state.js";

const list = $("messages");
const bar = h("div", { class: "bar", role: "toolbar", "aria-label": "This message" });
let at = null;

export const messageActions = {
  react: (message, emoji, on) => outbox.react(message, emoji, on),
  edit: (message, text) => outbox.edit(message, text),

  async delete(message) {
    if (!await confirm("Delete this message for everyone?", "Delete")) return;
    outbox.delete(message);
    composer.forget(message);
  },
};

const deletable = (message) => isMine(message) || isMe(room()?.owner)
  || moderates();

function messageOf(element) {
  const seq = Number(element?.dataset.seq);
  return seq ? log.message(seq) : null;
}

function open(element) {
  if (element === at && bar.isConnected) return;
  at = element;
  const message = messageOf(element);
  if (!message || message.deleted || !room()?.member) return bar.remove();
  const react = (emoji) => {
    const { reactions } = log.message(message.seq) ?? message;
    messageActions.react(message, emoji, !reactions?.[emoji]?.some(isMe));
  };
  const quick = recall("emoji", QUICK).slice(0, touch() ? 4 : 3);
  const choose = tool("smile", "React", () => pick(element, react));
  bar.replaceChildren(...[
    ...quick.map((emoji) => h("button", {
      type: "button", class: "tool", "aria-label": `React with ${emoji}`,
      onclick: () => react(emoji),
    }, emoji)),
    choose,
    tool("reply", "Reply", () => composer.reply(message)),
    isMine(message) && tool("edit", "Edit", () => composer.edit(message)),
    tool("link", "Copy a link to this message",
      () => copy(new URL(`./${address(message.room, message.seq)}`, location).href, "Link")),
    room().kind === "room" && manages(message.author)
      && tool("shield", `Manage ${message.author}`, () => manage(message.author)),
    deletable(message) && tool("trash", "Delete", () => messageActions.delete(message)),
  ].filter(Boolean));
  element.append(bar);
}

const row = (target) => target.closest?.("#messages > .message");

list.addEventListener("pointerover", ({ target, pointerType }) => {
  const element = row(target);
  if (element && pointerType === "mouse") open(element);
});
list.addEventListener("focusin", ({ target }) => { if (row(target)) open(row(target)); });
list.addEventListener("pointerleave", () => {
  if (!list.contains(document.activeElement)) bar.remove();
});
list.addEventListener("focusout", ({ relatedTarget }) => {
  // A dialog that a button of the menu has opened gives the focus back to the menu.
  const elsewhere = !list.contains(relatedTarget) && !relatedTarget?.closest("dialog");
  if (elsewhere && !list.matches(":hover")) bar.remove();
});
list.addEventListener("click", ({ target }) => {
  // The first touch shows the menu, the next one hides it.
  const element = row(target);
  if (!touch() || !element || target.closest("a, button")) return;
  if (bar.isConnected && at === element && bar.dataset.open) {
    bar.remove();
    delete bar.dataset.open;
  } else {
    open(element);
    bar.dataset.open = "1";
  }
});

list.addEventListener("keydown", (event) => {
  const element = row(event.target);
  if (!element || event.ctrlKey || event.metaKey || event.altKey) return;
  const message = messageOf(element);
  const step = { ArrowUp: -1, ArrowDown: 1, Home: -1e6, End: 1e6 }[event.key];
  if (step) {
    event.preventDefault();
    return move(step);
  }
  if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
    const all = [...element.querySelectorAll("button, a")];
    const next = all.indexOf(document.activeElement) + (event.key === "ArrowRight" ? 1 : -1);
    event.preventDefault();
    return (all[next] ?? element).focus();
  }
  if (event.target !== element) return;
  if (!message && element.dataset.client && event.key === "Delete") {
    return outbox.drop(element.dataset.client);
  }
  if (!message || message.deleted) return;
  const does = {
    r: () => composer.reply(message),
    e: () => isMine(message) && composer.edit(message),
    Delete: () => deletable(message) && messageActions.delete(message),
    "+": () => pick(element, (emoji) => messageActions.react(message, emoji, true)),
  }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!does) return;
  event.preventDefault();
  does();
});
