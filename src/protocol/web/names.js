// Opens a direct room by a person's name, and joins a room by its title.

import { toast } from "./dom.js";
import { part, put } from "./api.js";
import { same, state } from "./state.js";

export function byName(open, joined) {
  async function direct(name) {
    try {
      const room = await put(`users/${part(name)}/room`);
      state.rooms.set(room.id, room);
      open(room.id);
    } catch (failure) {
      toast(failure.message);
    }
  }

  async function join(title) {
    const found = [...state.rooms.values()].find((room) => same(room.title, title));
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
