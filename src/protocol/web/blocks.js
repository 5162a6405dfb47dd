// Whom one has blocked: until that is over, neither can write to the other.

import { h, toast } from "./dom.js";
import { get, part, put, remove } from "./api.js";
import { sure } from "./dialogs.js";
import { same, state, tell } from "./state.js";

export const blocks = {
  has: (name) => state.blocked.some((one) => same(one, name)),

  async load() {
    if (!state.me) return;
    const found = await get("me/blocked").catch(() => null);
    if (!found) return;
    state.blocked = found.blocked.map((one) => one.name);
    tell("blocks");
  },

  async set(name, on) {
    const question = `Block ${name}? Neither of you can write to the other until you unblock `
      + "them, and in other rooms they cannot call you.";
    if (on && !await sure(question, `Block ${name}`)) return;
    try {
      await (on ? put : remove)(`me/blocked/${part(name)}`);
      toast(on ? `${name} is blocked.` : `${name} is not blocked any more.`);
      await this.load();
    } catch (failure) {
      toast(failure.message);
    }
  },

  // All of them, each with the way back.
  async list(element) {
    await this.load();
    const all = [...state.blocked].sort((one, other) => one.localeCompare(other));
    element.replaceChildren(...all.map((name) => h("li", {}, h("b", {}, name), h("button", {
      type: "button", "aria-label": `Unblock ${name}`,
      onclick: async () => {
        await this.set(name, false);
        await this.list(element);
        (element.querySelector("button") ?? element.closest("dialog")).focus();
      },
    }, "Unblock"))));
    if (!all.length) element.append(h("li", { class: "hint" }, "Nobody."));
  },
};
