// Settings: how it looks, where one is logged in, and the way out.

import { $, dateTime, h, icon, toast } from "./dom.js";
import { get, post, remove } from "./api.js";
import { blocks } from "./blocks.js";
import { dialog, restoreAs } from "./dialogs.js";
import { noticeFields } from "./notice.js";
import { keep, recall, state } from "./state.js";
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
  const who = state.me.guest
    ? h("div", {}, h("p", {}, "You are a guest: your name is yours while you are here, and ",
      "nobody else can have it. Register for a name that stays."), nick)
    : h("p", {}, "Your key is the only way back to your name, and it was shown once, when you ",
      "registered. Be sure that you have it before you log out.");
  const box = dialog(`Settings for ${state.me.name}`,
    h("fieldset", { class: "inline" }, h("legend", {}, "Theme"), themes),
    noticeFields(),
    h("h3", {}, "You"), who,
    h("div", { class: "row" },
      h("button", { type: "button", onclick: () => { box.close(); help(); } },
        "Shortcuts and commands"),
      h("button", { type: "button", class: "danger", onclick: logOut }, "Log out")),
    h("h3", {}, "Blocked people"), shunned,
    h("h3", {}, "Active sessions"), list, gone,
    h("p", { class: "hint" }, `Shanty ${state.server.version ?? ""}. `, stream.slow
      ? "Websockets do not get through here; server-sent events do, and all works but typing."
      : "Connected (WebSocket)"));
  sessions(list);
  blocks.list(shunned);
  deleted(gone, (room) => { box.close(); back(room); });
}

// Rooms that one has deleted, and can bring back.
async function deleted(place, back) {
  const { rooms } = await get("me/deleted").catch(() => ({ rooms: [] }));
  place.hidden = !rooms.length;
  place.replaceChildren(h("h3", {}, "Deleted rooms"), h("ul", { class: "sessions" },
    rooms.map((one) => h("li", {},
      h("div", {}, h("b", {}, one.title),
        h("div", { class: "hint" }, "can be brought back until ", dateTime(one.until))),
      h("button", {
        type: "button", "aria-label": `Bring back ${one.title}`,
        onclick: async () => {
          try {
            back(await post(`rooms/${one.id}/restore`));
          } catch (failure) {
            if (failure.code === "title_taken") return restoreAs(one, back);
            toast(failure.message);
            deleted(place, back);
          }
        },
      }, "Bring back")))));
}

async function sessions(list) {
  const found = await get("sessions").catch((failure) => {
    list.replaceChildren(h("li", { class: "trouble" }, failure.message));
  });
  if (!found) return;
  list.replaceChildren(...found.sessions.map((one) => h("li", {},
    h("div", {}, h("b", {}, one.current ? "This browser" : agent(one.agent)),
      h("div", { class: "hint" }, "last used ", dateTime(one.last_used))),
    one.current ? null : h("button", {
      type: "button", "aria-label": `Log out of ${agent(one.agent)}`,
      onclick: async () => {
        await remove(`sessions/${one.id}`).catch(() => {});
        sessions(list);
      },
    }, "Log out"))));
}

// What a person would call that browser.
function agent(text) {
  const browser = /(Edg|OPR|Firefox|Chrome|Safari|curl)/.exec(text)?.[1] ?? "";
  const system = /(Android|iPhone|iPad|Windows|Mac OS|Linux)/.exec(text)?.[1] ?? "";
  const name = { Edg: "Edge", OPR: "Opera" }[browser] ?? browser;
  return name && system ? `${name} on ${system}` : name || text.slice(0, 40) || "Something";
}

export function drawMe(face) {
  const words = h("span", { class: "name" }, state.me.name);
  const guest = h("span", { class: "hint" }, state.me.guest ? "guest" : "");
  const gear = h("span", { class: "sign" }, icon("gear"));
  $("settings").replaceChildren(face, words, guest, gear,
    h("span", { class: "unseen" }, "Settings"));
}
