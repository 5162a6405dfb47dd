// Settings: theme, notifications, blocked people, sessions, logging out.

import { serverSettings } from "./admin.js";
import { $, dateTime, h, icon, toast } from "./dom.js";
import { get, post, remove } from "./api.js";
import { blocks } from "./blocks.js";
import { dialog, restoreAs } from "./dialogs.js";
import { notificationFields } from "./notifications.js";
import { newKey } from "./first-run.js";
import { BY_PROXY, keep, recall, state } from "./state.js";
import { stream } from "./stream.js";

const THEMES = [["system", "System"], ["light", "Light"], ["dark", "Dark"]];

export function suitTheme() {
  const theme = recall("theme", "system");
  document.documentElement.style.colorScheme = theme === "system" ? "" : theme;
}

export function settings({ logOut, help, nick, back }) {
  const themes = THEMES.map(([value, name]) => h("label", { class: "check" },
    h("input", {
      type: "radio", name: "theme", value, checked: recall("theme", "system") === value,
      onchange: () => { keep("theme", value); suitTheme(); },
    }), ` ${name}`));
  const list = h("ul", { class: "sessions" }, h("li", { class: "hint" }, "…"));
  const shunned = h("ul", { class: "shunned", "aria-label": "Blocked people" });
  const gone = h("div", { hidden: true });
  const who = state.me.by_proxy ? h("p", {}, BY_PROXY) : state.me.guest
    ? h("div", {}, h("p", {}, "You're a guest. Your name is reserved until you leave. ",
      "Create an account to keep it."), nick)
    : h("p", {}, "Your key is the only way to log in again, and was shown once, when you ",
      "registered. Make sure you have it before you log out.");
  const box = dialog(`Settings for ${state.me.name}`,
    h("fieldset", { class: "inline" }, h("legend", {}, "Theme"), themes),
    notificationFields(),
    h("h3", {}, "You"), who,
    h("div", { class: "row" },
      h("button", { type: "button", onclick: () => { box.close(); help(); } },
        "Shortcuts and commands"),
      state.me.role ? h("button", {
        type: "button", onclick: () => { box.close(); serverSettings(); },
      }, "Server settings") : null,
      state.me.guest || state.me.by_proxy ? null : h("button", {
        type: "button", onclick: () => { box.close(); newKey(); },
      }, "Get a new key"),
      state.me.by_proxy ? null
        : h("button", { type: "button", class: "danger", onclick: logOut }, "Log out")),
    h("h3", {}, "Blocked people"), shunned,
    h("h3", {}, "Active sessions"), list, gone,
    h("p", { class: "hint" }, `Shanty ${state.server.version ?? ""}. `, stream.slow
      ? "Connected (server-sent events: WebSocket is blocked, typing indicators are off)"
      : "Connected (WebSocket)"));
  sessions(list);
  blocks.list(shunned);
  deleted(gone, (room) => { box.close(); back(room); });
}

// Deleted rooms of the reader that can be restored.
async function deleted(place, back) {
  const { rooms } = await get("me/deleted").catch(() => ({ rooms: [] }));
  place.hidden = !rooms.length;
  place.replaceChildren(h("h3", {}, "Deleted rooms"), h("ul", { class: "sessions" },
    rooms.map((room) => h("li", {},
      h("div", {}, h("b", {}, room.title),
        h("div", { class: "hint" }, "can be restored until ", dateTime(room.until))),
      h("button", {
        type: "button", "aria-label": `Restore ${room.title}`,
        onclick: async () => {
          try {
            back(await post(`rooms/${room.id}/restore`));
          } catch (failure) {
            if (failure.code === "title_taken") return restoreAs(room, back);
            toast(failure.message);
            deleted(place, back);
          }
        },
      }, "Restore")))));
}

async function sessions(list) {
  const found = await get("sessions").catch((failure) => {
    list.replaceChildren(h("li", { class: "trouble" }, failure.message));
  });
  if (!found) return;
  list.replaceChildren(...found.sessions.map((session) => h("li", {},
    h("div", {}, h("b", {}, session.current ? "This browser" : agent(session.agent)),
      h("div", { class: "hint" }, "last used ", dateTime(session.last_used))),
    session.current ? null : h("button", {
      type: "button", "aria-label": `Log out of ${agent(session.agent)}`,
      onclick: async () => {
        await remove(`sessions/${session.id}`).catch(() => {});
        sessions(list);
      },
    }, "Log out"))));
}

// A browser's name for people, from its `User-Agent`.
function agent(text) {
  const browser = /(Edg|OPR|Firefox|Chrome|Safari|curl)/.exec(text)?.[1] ?? "";
  const system = /(Android|iPhone|iPad|Windows|Mac OS|Linux)/.exec(text)?.[1] ?? "";
  const name = { Edg: "Edge", OPR: "Opera" }[browser] ?? browser;
  return name && system ? `${name} on ${system}` : name || text.slice(0, 40) || "Unknown device";
}

export function drawMe(face) {
  const words = h("span", { class: "name" }, state.me.name);
  const guest = h("span", { class: "hint" }, state.me.guest ? "guest" : "");
  const gear = h("span", { class: "sign" }, icon("gear"));
  $("settings").replaceChildren(face, words, guest, gear,
    h("span", { class: "unseen" }, "Settings"));
}
