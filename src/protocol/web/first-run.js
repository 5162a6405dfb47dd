// The first run: what the owner of a new server does first.

import { h, toast } from "./dom.js";
import { post } from "./api.js";
import { confirm, dialog } from "./dialogs.js";
import { invitations } from "./invite.js";
import { notificationFields } from "./notifications.js";
import { copy } from "./sign-in.js";

// `make` opens the form that creates a room, `settings` the server's settings.
export function firstRun({ make, settings }) {
  const step = (label, hint, onclick) => h("li", {}, h("span", { class: "hint" }, hint),
    h("button", { type: "button", onclick }, label));
  const then = (action) => () => { box.close(); action(); };
  const box = dialog("Your server is ready", h("p", {}, "You're its owner. A good start:"),
    h("ul", { class: "sessions" },
      step("Invite people", "By a link or a QR code",
        then(() => dialog("Invite people", invitations()))),
      step("Create a room", "There is a main room already", then(make)),
      step("Decide who can join", "In the server settings", then(settings)),
      step("Get a new key", "If you haven't saved yours: it replaces the old one",
        then(newKey))),
    notificationFields());
}

// Shows a new key of the reader, in place of the old one.
export async function newKey() {
  const words = "Get a new key? Your old key stops working, and your other devices are logged out.";
  if (!await confirm(words, "Get a new key")) return;
  try {
    const { key } = await post("me/key");
    dialog("Your new key", h("p", {}, "You'll need it to log in again, and it won't be shown ",
      "again. Save it in your password manager."), h("code", { class: "key" }, key),
    h("div", { class: "row end" },
      h("button", { type: "button", class: "primary", onclick: () => copy(key, "Key") }, "Copy")));
  } catch (failure) {
    toast(failure.message);
  }
}
