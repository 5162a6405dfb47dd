// Invitations: makes and ends them, and comes in by one; links for people who have lost their key.

import { dateTime, h, toast } from "./dom.js";
import { get, part, post, put, remove } from "./api.js";
import { forget, invitation } from "./codes.js";
import { dialog } from "./dialogs.js";
import { address } from "./rooms.js";
import { copy } from "./sign-in.js";

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = 4; // light modules around a code

// The page's own address, of which the server makes links.
const page = () => new URL("./", location).href;

// Draws the rows of a QR code: strings of 0 (light) and 1 (dark).
function drawQr(rows) {
  const size = rows.length + 2 * MARGIN;
  const runs = rows.flatMap((row, y) => [...row.matchAll(/1+/g)].map(({ 0: run, index }) =>
    `M${index + MARGIN} ${y + MARGIN}h${run.length}v1h-${run.length}z`));
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "QR code of this link");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", runs.join(""));
  svg.append(path);
  return h("div", { class: "qr" }, svg);
}

// A link with its QR code.
export function showLink(words, { link, qr }) {
  const field = h("input", { readonly: true, value: link, "aria-label": "Link" });
  return h("div", {}, h("p", {}, words), h("div", { class: "row" }, field,
    h("button", { type: "button", onclick: () => copy(link, "Link") }, "Copy link")),
  qr ? drawQr(qr) : null);
}

function select(id, label, choices) {
  return [h("label", { for: id }, label), h("select", { id }, choices.map(
    ([value, words, chosen]) => h("option", { value, selected: chosen }, words)))];
}

// A form that makes an invitation to the server or, with `room`, to a room; and the list of them.
export function invitations(room = null) {
  const outcome = h("div", { role: "status" });
  const list = h("ul", { class: "sessions", "aria-label": "Invitations" });
  const form = h("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      const [uses, days] = [...form.querySelectorAll("select")].map(({ value }) => Number(value));
      try {
        const made = await post("invitations", { uses, days, room: room?.id, page: page() });
        outcome.replaceChildren(showLink("Send this link, or let people scan the code. "
          + "We can't show it again:", made));
        load();
      } catch (failure) {
        outcome.replaceChildren(h("p", { class: "trouble" }, failure.message));
      }
    },
  },
  h("div", { class: "row" },
    h("div", {}, select("f-uses", "Can be used by", [[1, "1 person"], [5, "5 people"],
      [25, "25 people", true], [100, "100 people"], [1000, "1,000 people"]])),
    h("div", {}, select("f-days", "Ends after", [[1, "1 day"], [7, "7 days", true],
      [30, "30 days"], [365, "1 year"]]))),
  h("div", { class: "row end" }, h("button", { class: "primary" }, "Create invite link")), outcome);
  const load = async () => {
    const found = await get(`invitations${room ? `?room=${room.id}` : ""}`).catch((failure) => {
      toast(failure.message);
      return { invitations: [] };
    });
    const all = found.invitations;
    list.replaceChildren(...all.length ? all.map((one) => item(one, load))
      : [h("li", { class: "hint" }, "None yet")]);
  };
  load();
  return h("div", {}, form, h("h3", {}, "Invitations"), list);
}

const STATES = { used_up: "used up", expired: "expired", ended: "no longer works" };

function item(one, load) {
  const to = one.title ? ` to “${one.title}”` : "";
  const came = one.users.map(({ name }) => name).join(", ");
  const open = one.state === "open";
  return h("li", {}, h("div", {},
    h("div", {}, h("b", {}, one.by ?? "The operator"), `${to}: ${one.used} of ${one.uses} used`),
    h("div", { class: "hint" }, open ? "until " : `${STATES[one.state]}, made `,
      dateTime(open ? one.until : one.created), came ? `. Joined: ${came}` : "")),
  open ? h("button", {
    type: "button", "aria-label": `End the invitation of ${one.by ?? "the operator"}`,
    onclick: async () => {
      await remove(`invitations/${one.id}`).catch((failure) => toast(failure.message));
      load();
    },
  }, "End") : null);
}

export function inviteTo(room) {
  dialog(`Invite people to “${room.title}”`, invitations(room));
}

// Makes a link by which somebody gets a new key.
export async function lostKey(name) {
  const made = await post(`users/${part(name)}/recovery`, { page: page() });
  return showLink(`Send this link to ${name}. Once, within a day, it gives them a new key and logs `
    + "them out everywhere. We can't show it again:", made);
}

// Comes in by the invitation of this tab, if there is one. `seen`: who invites to what, if the
// reader has seen it.
export async function comeIn(seen) {
  const code = invitation();
  if (!code) return;
  try {
    const { by, title, room } = seen ?? await post("invitation", { code });
    if (!seen && (!title || !await agrees(by, title))) {
      if (!title) toast("This invitation is for new people. You already have an account here.");
      return forget("invite");
    }
    const { id } = await put("invitation/membership", { code }).catch(async (failure) => {
      // Its last use was this one, whose answer was lost.
      const there = room && await get(`rooms/${room}`).catch(() => null);
      if (!there?.member) throw failure;
      return there;
    });
    history.replaceState(null, "", `./${address(id)}`);
    forget("invite");
  } catch (failure) {
    toast(failure.message);
    if (!failure.passing) forget("invite");
  }
}

// Asks whether the reader wants to join.
function agrees(by, title) {
  return new Promise((done) => {
    let agreed = false;
    const join = () => { agreed = true; box.close(); };
    const box = dialog(invites({ by, title }), h("div", { class: "row end" },
      h("button", { type: "button", onclick: () => box.close() }, "Not now"),
      h("button", { type: "button", class: "primary", onclick: join }, "Join")));
    box.addEventListener("close", () => done(agreed));
    box.querySelector(".primary").focus();
  });
}

// Who invites to what, in words.
export function invites({ by, title }) {
  const to = title ? `“${title}” on this chat server` : "this chat server";
  return by ? `${by} invites you to ${to}.` : `You're invited to ${to}.`;
}
