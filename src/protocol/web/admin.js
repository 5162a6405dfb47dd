// People in charge: the setup link of a new server, and the server's settings.

import { dateTime, h, toast } from "./dom.js";
import { get, part, patch, post, put, remove } from "./api.js";
import { dialog } from "./dialogs.js";
import { firstRun } from "./first-run.js";
import { invitations, lostKey } from "./invite.js";
import { copy } from "./sign-in.js";
import { setupToken, state } from "./state.js";

// Makes the reader the owner of a server that has none, if the address has the setup link.
export async function setUp(make) {
  const token = setupToken();
  if (!token) return;
  history.replaceState(null, "", "#/");
  try {
    await post("setup", { token });
    state.me.role = "owner";
    firstRun({ make, settings: serverSettings });
  } catch (failure) {
    toast(state.me.guest
      ? "A guest can't own a server. Create an account, then open the setup link again."
      : failure.message);
  }
}

const REGISTRATION = [
  ["open", "Anyone", "Everyone who opens this page can create an account."],
  ["invite", "Only invited people",
    "People with an invite link. You can also create accounts for others."],
  ["closed", "No one", "There are no new accounts."],
];
const GUESTS = [
  ["on", "Everything", "Guests can chat and create rooms."],
  ["rooms", "Only chat", "Guests can chat, but not create rooms."],
  ["off", "Nothing", "Only people with an account can join."],
];

export async function serverSettings() {
  const place = h("div", {}, h("p", { class: "hint" }, "…"));
  dialog("Server settings", place);
  try {
    const found = await get("server/settings");
    place.replaceChildren(
      policy("Who can create an account", "registration", REGISTRATION, found.registration),
      policy("What guests can do", "guests", GUESTS, found.guests),
      h("h3", {}, "Invite people"), invitations(), newAccount(), newKey(),
      state.me.role === "owner" ? roles() : "", bans(), activity());
  } catch (failure) {
    place.replaceChildren(h("p", { class: "trouble" }, failure.message));
  }
}

// Radio buttons for one setting, saved at once.
function policy(title, name, choices, { value, fixed }) {
  const box = h("fieldset", { disabled: fixed }, h("legend", {}, title),
    choices.map(([choice, label, says]) => h("label", { class: "choice" },
      h("input", {
        type: "radio", name, value: choice, checked: choice === value,
        onchange: async () => {
          try {
            await patch("server/settings", { [name]: choice });
            state.server = await get("server").catch(() => state.server);
            toast("Saved");
          } catch (failure) {
            toast(failure.message);
          }
        },
      }), h("span", {}, h("b", {}, label), h("span", { class: "hint" }, says)))));
  return h("div", {}, box,
    fixed ? h("p", { class: "hint" }, "The server's command line sets this.") : null);
}

// A form with one name, its buttons, and what came of it.
function nameForm(title, buttons) {
  const id = `f-${buttons[0][0].toLowerCase().replaceAll(" ", "-")}`;
  const input = h("input", { id, name: "name", required: true, autocomplete: "off" });
  const outcome = h("div", { role: "status" });
  const act = async (event, action) => {
    event.preventDefault();
    if (!input.reportValidity()) return;
    try {
      outcome.replaceChildren(await action(input.value.trim()));
      input.value = "";
    } catch (failure) {
      outcome.replaceChildren(h("p", { class: "trouble" }, failure.message));
    }
  };
  return h("form", { onsubmit: (event) => act(event, buttons[0][1]) }, h("h3", {}, title),
    h("label", { for: id }, "Username"), input,
    h("div", { class: "row end" }, buttons.map(([label, action], at) => h("button", {
      type: at ? "button" : "submit", onclick: at ? (event) => act(event, action) : null,
    }, label))), outcome);
}

function newAccount() {
  return nameForm("New account for someone", [["Create account", async (username) => {
    const { name, key } = await post("accounts", { name: username });
    return h("div", {}, h("p", {}, `Give ${name} this key. It logs in on any device, and we can't `,
      "show it a second time:"), h("code", { class: "key" }, key),
    h("button", { type: "button", onclick: () => copy(key, "Key") }, "Copy"));
  }]]);
}

function newKey() {
  return nameForm("Someone has lost their key", [["Create link for a new key", lostKey]]);
}

function roles() {
  const path = (name) => `users/${part(name)}/role`;
  return nameForm("Administrators", [
    ["Make administrator", async (name) => {
      await put(path(name), { role: "administrator" });
      return h("p", {}, `${name} is now an administrator.`);
    }],
    ["Remove role", async (name) => {
      await remove(path(name));
      return h("p", {}, `${name} has no role any more.`);
    }],
  ]);
}

const HOURS = 24;

// Bans a person from the server.
export function banPerson(name) {
  const reason = h("input", {
    id: "f-reason", name: "reason", autocomplete: "off", maxlength: 200,
  });
  const address = h("input", { type: "checkbox", name: "address" });
  const trouble = h("p", { class: "trouble", role: "alert" });
  const box = dialog(`Ban ${name}?`, h("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      try {
        await put(`users/${part(name)}/ban`, {
          reason: reason.value.trim() || undefined,
          address_minutes: address.checked ? HOURS * 60 : undefined,
        });
        box.close();
        toast(`${name} is banned.`);
      } catch (failure) {
        trouble.textContent = failure.message;
      }
    },
  },
  h("p", {}, `${name} is logged out everywhere and can't come back. Messages stay. You can lift `,
    "the ban in the server settings."),
  h("label", { for: "f-reason" }, "Reason (only administrators see it)"), reason,
  h("label", { class: "check" }, address, ` Also block their network address for ${HOURS} hours`),
  trouble,
  h("div", { class: "row end" },
    h("button", { type: "button", onclick: () => box.close() }, "Cancel"),
    h("button", { class: "danger" }, "Ban"))));
  reason.focus();
}

// The banned people, each with a button that lifts the ban.
function bans() {
  const list = h("ul", { class: "sessions", "aria-label": "Banned people" });
  const load = async () => {
    const { users } = await get("bans/users").catch(() => ({ users: [] }));
    list.replaceChildren(...users.length ? users.map(({ name }) => h("li", {}, h("b", {}, name),
      h("button", {
        type: "button", "aria-label": `Unban ${name}`,
        onclick: async () => {
          await remove(`users/${part(name)}/ban`).catch((failure) => toast(failure.message));
          load();
        },
      }, "Unban"))) : [h("li", { class: "hint" }, "No one")]);
  };
  load();
  return h("div", {}, h("h3", {}, "Banned people"), list);
}

// What people in charge have done, in words.
const DEEDS = {
  give_role: ({ user, role }) =>
    `made ${user} ${role === "owner" ? "an owner" : "an administrator"}`,
  take_role: ({ user }) => `took ${user}'s role`,
  ban: ({ user }) => `banned ${user}`,
  lift_ban: ({ user }) => `unbanned ${user}`,
  ban_address: ({ address }) => `blocked the address ${address}`,
  lift_address_ban: ({ address }) => `unblocked the address ${address}`,
  change_settings: ({ registration, guests }) =>
    `set accounts to “${registration}”, guests to “${guests}”`,
  invite: ({ title, uses }) =>
    `created an invite link${title ? ` to “${title}”` : ""}, to be used ${uses} times at most`,
  end_invitation: () => "ended an invitation",
  make_recovery: ({ user }) => `created a link for a new key of ${user}`,
  delete_message: ({ user }) => `deleted a message${user ? ` of ${user}` : ""}`,
  expel: ({ user, title }) => `removed ${user} from “${title}”`,
  make_moderator: ({ user, title }) => `made ${user} a moderator of “${title}”`,
  take_moderator: ({ user, title }) => `took ${user}'s moderator role in “${title}”`,
  mute: ({ user, title }) => `muted ${user} ${title ? `in “${title}”` : "everywhere"}`,
  unmute: ({ user, title }) => `unmuted ${user} ${title ? `in “${title}”` : "everywhere"}`,
  ban_from_room: ({ user, title }) => `banned ${user} from “${title}”`,
  lift_room_ban: ({ user, title }) => `unbanned ${user} in “${title}”`,
  change_rules: ({ title }) => `changed the moderation of “${title}”`,
  transfer: ({ user, title }) => `made ${user} the owner of “${title}”`,
  delete_messages: ({ user, title }) =>
    `deleted recent messages of ${user} ${title ? `in “${title}”` : "everywhere"}`,
  remove_room: ({ title }) => `deleted the room “${title}”`,
  change_room: ({ title }) => `renamed or described the room “${title}”`,
};

// The latest of these deeds, and older ones on request.
function activity() {
  const list = h("ul", { class: "sessions", "aria-label": "Activity" });
  const more = h("button", { type: "button", hidden: true }, "Load more");
  const load = async (before) => {
    const { deeds, next } = await get(`audit?limit=20${before ? `&before=${before}` : ""}`)
      .catch((failure) => {
        toast(failure.message);
        return { deeds: [] };
      });
    list.append(...deeds.map((deed) => h("li", {}, h("div", {},
      h("div", {}, h("b", {}, deed.by ?? "The operator"),
        ` ${DEEDS[deed.what]?.(deed) ?? "did something"}`),
      h("div", { class: "hint" }, dateTime(deed.time), deed.reason ? `: ${deed.reason}` : "")))));
    more.hidden = !next;
    more.onclick = () => load(next);
  };
  load();
  return h("div", {}, h("h3", {}, "Activity"), list, more);
}
