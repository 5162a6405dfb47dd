// Entering a room: the form below a room that the reader is not a member of.

import { $, h, touch } from "./dom.js";
import { put } from "./api.js";
import { blocks } from "./blocks.js";
import { on, room, state } from "./state.js";

let then = () => {};

// Shows the form, unless the reader is a member; calls `joined` with the room afterwards.
export function joinForm(info, joined = then) {
  then = joined;
  const form = $("join-room");
  const blocked = info?.kind === "direct" && blocks.has(info.title);
  const inside = Boolean(info?.member) && !blocked;
  form.hidden = inside;
  $("composer").hidden = !inside;
  if (inside) return $("room").classList.remove("shut");
  const closed = !blocked && (!info || info.visibility !== "public");
  form.classList.toggle("closed", closed);
  $("room").classList.toggle("shut", closed);
  const trouble = h("p", { class: "trouble", role: "alert" });
  const password = closed && h("input", {
    type: "password", name: "password", required: true, autocomplete: "off",
    "aria-label": "Password", placeholder: "Password",
  });
  const words = !info
    ? "This room doesn't exist or is hidden. If you have its password, enter it here."
    : closed ? "This room is private. Enter the password to join."
    : blocked ? `You have blocked ${info.title}. Neither of you can write here.`
    : "You're previewing this room. Join to post and get updates.";
  const does = closed ? "Join" : blocked ? `Unblock ${info.title}` : "Join this room";
  form.replaceChildren(h("p", {}, words), h("div", { class: "row" }, password || null,
    h("button", { class: "primary" }, does)), trouble);
  form.onsubmit = async (event) => {
    event.preventDefault();
    trouble.textContent = "";
    if (blocked) return blocks.set(info.title, false);
    try {
      const body = password ? { password: password.value } : {};
      joined(await put(`rooms/${state.current}/membership`, body));
    } catch (failure) {
      trouble.textContent = failure.code === "room_not_found"
        ? "Room not found, or wrong password." : failure.message;
      password && password.select?.();
    }
  };
  if (!touch()) form.querySelector("input, button").focus();
}

// The other person of the open direct room may be blocked or unblocked meanwhile.
on("blocks", () => {
  if (room()?.kind !== "direct") return;
  const here = $("join-room").contains(document.activeElement);
  joinForm(room());
  if (here && $("join-room").hidden) $("text").focus();
});
