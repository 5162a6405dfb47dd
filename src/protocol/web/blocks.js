// Blocked people: while a block lasts, neither can write to the other.

import { h, toast } from "./dom.js";
import { get, part, put, remove } from "./api.js";
import { confirm } from "./dialogs.js";
import { same, state, tell } from "./state.js";

export const blocks = {
  has: (name) => state.blocked.some((person) => same(person, name)),

  async load() {
    if (!state.me) return;
    const found = await get("me/blocked").catch(() => null);
    if (!found) return;
    state.blocked = found.blocked.map((person) => person.name);
    tell("blocks");
  },

  async set(name, on) {
    const question = `Block ${name}? Neither of you can write to the other until you unblock `
      + "them, and their mentions won't notify you.";
    if (on && !await confirm(question, `Block ${name}`)) return;
    try {
      await (on ? put : remove)(`me/blocked/${part(name)}`);
      toast(on ? `${name} is blocked.` : `${name} is unblocked.`);
      await this.load();
    } catch (failure) {
      toast(failure.message);
    }
  },

  // Shows all blocked people, each with a button that ends the block.
  async list(element) {
    await this.load();
    const all = [...state.blocked].sort((person, other) => person.localeCompare(other));
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
