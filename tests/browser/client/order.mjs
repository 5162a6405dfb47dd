// Order in rooms: moderators, mutes, bans from a room, slow mode, read-only rooms, the next owner.

import { equal, that } from "../kit.mjs";
import { accessible, account, ask, logIn, reads, saySurely, shows, visit } from "./page.mjs";

export async function order({ browser, server }) {
  const [own, mod, bob] = await Promise.all(["Own", "Mod", "Bob"].map(async (name) => {
    const page = await visit(browser, server.url);
    await logIn(page, await account(server.url, name));
    return page;
  }));
  const room = await ask(own, "POST", "rooms", { title: "The den", visibility: "public" });
  for (const page of [mod, bob]) await ask(page, "PUT", `rooms/${room.id}/membership`);
  for (const page of [own, mod, bob]) {
    await page.goto(`${server.url}/#/room/${room.id}`);
    await page.waitForSelector("#people li:has-text('Bob')");
  }
  const managed = await bob.locator("#people [aria-label^='Manage']").count();
  equal(managed, 0, "nothing for Bob to manage");
  await bob.click("#room-menu");
  equal(await bob.locator("#f-slow").count(), 0, "no moderation in his room's settings");
  await bob.keyboard.press("Escape");

  // The owner makes a moderator.
  await own.click("#people [aria-label='Manage Mod']");
  await accessible(own, "the dialog about a person");
  await own.click("dialog >> text=Make moderator");
  await reads(own, "#toast", "Mod is now a moderator", "it is done");
  await reads(bob, "#people li", "moderator", "everybody sees the role");
  await mod.waitForSelector("#people [aria-label='Manage Bob']");
  equal(await mod.locator("#people [aria-label='Manage Own']").count(), 0, "not over the owner");

  // Who mutes.
  await saySurely(bob, "Something rude");
  await shows(mod, "Something rude", "the moderator reads it");
  await mod.locator("#messages .message").filter({ hasText: "Something rude" }).hover();
  await mod.click(".bar [aria-label='Manage Bob']");
  equal(await mod.locator("dialog >> text=Make moderator").count(), 0, "that is the owner's");
  await mod.selectOption("dialog select", { label: "for an hour" });
  await mod.click("dialog >> text=Mute in this room");
  await reads(bob, "#hush", "You're muted in this room until", "Bob is told");
  that(await bob.isDisabled("#text"), "and cannot write");
  await mod.locator("#messages .message").filter({ hasText: "Something rude" }).hover();
  await mod.click(".bar [aria-label='Delete']");
  await mod.click("dialog .danger");
  await bob.waitForFunction(() => !document.body.innerText.includes("Something rude"));
  await mod.click("#room-menu");
  await accessible(mod, "a moderator's room settings");
  await mod.click("dialog [aria-label='Unmute Bob']");
  await reads(mod, "[aria-label='Muted and banned']", "No one", "the mute is lifted");
  await bob.waitForFunction(() => !document.querySelector("#text").disabled);
  equal(await mod.locator("dialog >> text=Locked").count(), 0, "a lock is the owner's");

  // Slow mode.
  await mod.selectOption("#f-slow", { label: "10 seconds" });
  await reads(mod, "#toast", "Saved", "slow mode is saved at once");
  await mod.keyboard.press("Escape");
  await reads(bob, "#hush", "Slow mode: one message every 10 s", "Bob sees it");
  await saySurely(bob, "First");
  await reads(bob, "#hush", "Slow mode: wait", "and how long he must wait");
  await bob.fill("#text", "Second");
  await bob.press("#text", "Enter");
  await reads(bob, "#toast", "Slow mode: wait", "nothing is sent too early");
  equal(await bob.inputValue("#text"), "Second", "and the text is not lost");
  await saySurely(mod, "One");
  await saySurely(mod, "Two");
  that(true, "moderators need not wait");

  // Read-only.
  await own.click("#room-menu");
  await own.selectOption("#f-slow", { label: "Off" });
  await own.click("dialog >> text=Only the owner and moderators can post");
  await reads(bob, "#hush", "Only moderators can post here", "Bob is told");
  await accessible(bob, "a room in which one cannot write");
  await own.click("dialog >> text=Only the owner and moderators can post");
  await bob.waitForFunction(() => !document.querySelector("#text").disabled);
  await own.keyboard.press("Escape");

  // Everything goes, and the person, too.
  await mod.click("#people [aria-label='Manage Bob']");
  await mod.click("dialog >> text=Delete last hour's messages");
  await mod.click("dialog .danger >> text=Delete messages");
  await bob.waitForFunction(() => !document.body.innerText.includes("First"));
  that(true, "what he wrote is gone");
  await mod.click("#people [aria-label='Manage Bob']");
  await mod.click("dialog >> text=Ban from room");
  await mod.locator("dialog").last().locator(".danger").click();
  await bob.waitForSelector("#join-room:not([hidden])");
  await bob.click("#join-room button");
  await reads(bob, "#join-room", "banned from this room", "and does not come back");

  // The room has another owner, who is told.
  await own.click("#people [aria-label='Manage Mod']");
  await own.click("dialog >> text=Make owner");
  await own.locator("dialog").last().locator(".danger").click();
  await reads(mod, "#toast", "You're now the owner of “The den”", "the new owner is told");
  await own.waitForFunction(() => !document.querySelector("#people [aria-label^='Manage']"));
  that(true, "the old one manages nobody any more");
}
