// The ways to a person and to a room by their name, as one types it.

import { toast } from "./dom.js";
import { part, put } from "./api.js";
import { same, state } from "./state.js";

export function byName(open, joined) {
  async function direct(name) {
    try {
      const one = await put(`users/${part(name)}/room`);
      state.rooms.set(one.id, one);
      open(one.id);
    } catch (failure) {
      toast(failure.message);
    }
  }

  async function join(title) {
    const found = [...state.rooms.values()].find((one) => same(one.title, title));
    if (!found) return toast("No room with that name.");
    if (found.member || found.visibility !== "public") return open(found.id);
    try {
      joined(await put(`rooms/${found.id}/membership`));
    } catch (failure) {
      toast(failure.message);
    }
  }

  return { direct, join };
}
