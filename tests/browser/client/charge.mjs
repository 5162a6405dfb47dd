// People in charge: the setup link, the server's settings, deleting what others wrote, bans.

import { equal, that } from "../kit.mjs";
import { accessible, account, ask, beGuest, inside, logIn, reads, saySurely, shows, titled,
  visit } from "./page.mjs";

export async function charge({ browser, server }) {
  const [link] = await server.setup;
  // A guest cannot own the server, and the link goes on working.
  const guest = await visit(browser, server.url);
  await beGuest(guest, "Gus");
  await guest.goto(link);
  await reads(guest, "#toast", "A guest can't own a server", "a guest is told what to do");

  // A new person creates an account on the way.
  const ann = await visit(browser, link);
  await reads(ann, "#lead", "Create an account to become its owner", "the link says what it is");
  that(await ann.isHidden("#guest"), "a guest could not own the server");
  await accessible(ann, "the sign-in screen of a setup link");
  await ann.fill("#register-name", "Ann");
  await ann.press("#register-name", "Enter");
  await ann.waitForSelector("#fresh:not([hidden])");
  await ann.click("#fresh button:not([type])");
  await ann.click("dialog button:has-text('Decide who can join')");
  await reads(ann, "dialog", "Who can create an account", "the owner sees the server's settings");
  await inside(ann);
  equal((await ask(ann, "GET", "me")).role, "owner", "the account owns the server");
  that(!ann.url().includes("setup"), "the token is not left in the address");
  await accessible(ann, "the server's settings");

  // Nobody else can use it, and nobody else sees the settings.
  const bob = await visit(browser, server.url);
  const bobsKey = await account(server.url, "Bob");
  await logIn(bob, bobsKey);
  await bob.goto(link);
  await reads(bob, "#toast", "setup link does not work", "the link works once");
  await bob.click("#settings");
  equal(await bob.locator("dialog >> text=Server settings").count(), 0, "not for everybody");
  await bob.keyboard.press("Escape");

  // Who can come in.
  await ann.click("dialog >> text=Only invited people");
  await reads(ann, "#toast", "Saved", "a setting is saved at once");
  await ann.click("dialog >> text=Only people with an account");
  await guest.waitForSelector("#sign-in:not([hidden])");
  await reads(guest, "#sign-in-trouble", "guests", "a guest is put out, and told why");
  const stranger = await visit(browser, server.url);
  await stranger.waitForSelector("#login-part[open]");
  that(await stranger.isHidden("#register-part"), "nobody registers");
  that(await stranger.isHidden("#guest"), "nobody comes as a guest");
  await ann.locator("dialog form").filter({ hasText: "New account" }).locator("input").fill("Cara");
  await ann.click("dialog button:has-text('Create account')");
  const key = await ann.locator("dialog code").innerText();
  await stranger.fill("#login-key", key);
  await stranger.press("#login-key", "Enter");
  await inside(stranger);
  that(true, "the new account's key logs in");
  await ann.keyboard.press("Escape");

  // Another's message goes, and the person, too.
  await saySurely(bob, "Something rude");
  await shows(ann, "Something rude", "the owner reads it");
  await ann.locator("#messages .message").filter({ hasText: "Something rude" }).hover();
  await ann.click(".bar [aria-label='Delete']");
  await ann.click("dialog .danger");
  await bob.waitForFunction(() => !document.body.innerText.includes("Something rude"));
  that(true, "a deleted message is gone for its author");
  await ann.hover("#people li:has-text('Bob')");
  await ann.click("#people [aria-label='Manage Bob']");
  await ann.click("dialog >> text=Ban from the server");
  await ann.fill("#f-reason", "rude");
  await accessible(ann, "the question whether to ban");
  await ann.click("dialog .danger");
  await bob.waitForSelector("#sign-in:not([hidden])");
  that(true, "a banned person is logged out");
  await reads(bob, "#sign-in-trouble", "You're banned from this server", "and told why at once");
  await bob.fill("#login-key", bobsKey);
  await bob.click("#login button");
  await reads(bob, "#sign-in-trouble", "banned", "and told why at the next login");
  await ann.click("#settings");
  await ann.click("dialog >> text=Server settings");
  await reads(ann, "[aria-label='Activity']", "Ann banned Bob", "what was done is listed");
  await reads(ann, "[aria-label='Activity']", "rude", "with its reason");
  await ann.click("dialog [aria-label='Unban Bob']");
  await reads(ann, "[aria-label='Banned people']", "No one", "the ban is lifted");
  await ann.keyboard.press("Escape");

  // The main room's name is the owner's to change; it stays open.
  await ann.click("#room-menu");
  equal(await ann.locator("dialog [name=visibility]").count(), 0, "the main room stays open");
  await ann.fill("#f-title", "Deck");
  await ann.click("dialog .primary");
  await titled(ann, "Deck", "the main room has a new name");
  await titled(stranger, "Deck", "for everybody");
}
