// The way into a room that one is not in.

import { $, h, touch } from "./dom.js";
import { put } from "./api.js";
import { blocks } from "./blocks.js";
import { on, room, state } from "./state.js";

let then = () => {};

// Who is not in the room sees how to come in; who comes in is told to `joined`.
export function gate(one, joined = then) {
  then = joined;
  const form = $("gate");
  const shunned = one?.kind === "direct" && blocks.has(one.title);
  const inside = Boolean(one?.member) && !shunned;
  form.hidden = inside;
  $("composer").hidden = !inside;
  if (inside) return $("room").classList.remove("shut");
  const closed = !shunned && (!one || one.visibility !== "public");
  form.classList.toggle("closed", closed);
  $("room").classList.toggle("shut", closed);
  const trouble = h("p", { class: "trouble", role: "alert" });
  const password = closed && h("input", {
    type: "password", name: "password", required: true, autocomplete: "off",
    "aria-label": "Password", placeholder: "Password",
  });
  const words = !one
    ? "This room doesn't exist or is hidden. If you have its password, enter it here."
    : closed ? "This room is private. Enter the password to join."
    : shunned ? `You have blocked ${one.title}. Neither of you can write here.`
    : "You're previewing this room. Join to post and get updates.";
  const does = closed ? "Join" : shunned ? `Unblock ${one.title}` : "Join this room";
  form.replaceChildren(h("p", {}, words), h("div", { class: "row" }, password || null,
    h("button", { class: "primary" }, does)), trouble);
  form.onsubmit = async (event) => {
    event.preventDefault();
    trouble.textContent = "";
    if (shunned) return blocks.set(one.title, false);
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

// Whether it is shut between two may change while one looks.
on("blocks", () => {
  if (room()?.kind !== "direct") return;
  const here = $("gate").contains(document.activeElement);
  gate(room());
  if (here && $("gate").hidden) $("text").focus();
});
