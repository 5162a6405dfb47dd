// A direct room: it is hidden and comes back, and one person blocks the other.

import { equal, that } from "../kit.mjs";
import { accessible, ask, beSomebody, reads, say, saySurely, shows, titled } from "./page.mjs";

const listed = (page, name) => page.waitForSelector(`a.room >> text=${name}`);
const unlisted = (page, name) =>
  page.waitForFunction((name) => ![...document.querySelectorAll("#rooms .name")]
    .some((one) => one.textContent === name), name);
const menu = async (page, words) => {
  await page.click("#room-menu");
  await page.click(`dialog >> text=${words}`);
};

export async function conversations({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann");
  const bob = await beSomebody(browser, server.url, "Bob");
  await bob.locator("#people .person").filter({ hasText: "Ann" }).click();
  await titled(bob, "Ann");
  await unlisted(ann, "Bob");
  that(true, "nobody has a conversation in which nothing was said");
  await saySurely(bob, "Between us");
  await listed(ann, "Bob");
  await ann.click("a.room >> text=Bob");
  await shows(ann, "Between us", "what was said first is there");

  // Hidden by the menu, with the keyboard alone; and it comes back.
  await ann.focus("#room-menu");
  await ann.keyboard.press("Enter");
  await accessible(ann, "the menu of a conversation");
  await ann.focus("dialog >> text=Hide conversation");
  await ann.keyboard.press("Enter");
  await titled(ann, "Public Chat", "who hides a conversation is elsewhere");
  await reads(ann, "#toast", "Hidden until", "and told until when");
  await unlisted(ann, "Bob");
  await saySurely(bob, "Are you there?");
  await listed(ann, "Bob");
  equal(await ann.locator("a.room.unread .badge").last().innerText(), "1", "with what is new");
  await ann.click("a.room >> text=Bob");
  await shows(ann, "Are you there?", "the next message brings it back");
  await shows(ann, "Between us", "with all that was said before");
  await say(ann, "/leave");
  await unlisted(ann, "Bob");
  that(true, "/leave hides it, too");

  // Blocked from the list of people, or from the conversation.
  await ann.hover("#people li:has-text('Bob')");
  await ann.click("#people [aria-label='Block Bob']");
  await reads(ann, "dialog", "Neither of you", "one is asked, and told what it means");
  await accessible(ann, "whether to block somebody");
  await ann.click("dialog .danger");
  await reads(ann, "#people .hint", "blocked", "it shows who is blocked");
  await say(bob, "Hello?");
  await reads(bob, "#messages", "one of you has blocked the other", "who is blocked is told why");
  await unlisted(ann, "Bob");
  await ann.click("#settings");
  await reads(ann, "[aria-label='Blocked people']", "Bob", "the settings list them");
  await accessible(ann, "settings with somebody blocked");
  await ann.click("dialog [aria-label='Unblock Bob']");
  await reads(ann, "[aria-label='Blocked people']", "Nobody", "and end it");
  await ann.keyboard.press("Escape");
  await say(ann, "/msg Bob");
  await titled(ann, "Bob");
  await saySurely(ann, "Here I am");
  await shows(bob, "Here I am", "after that one can write again");
  await menu(ann, "Block Bob");
  await ann.click("dialog .danger");
  await reads(ann, "#join-room", "You have blocked Bob", "a conversation with them says so");
  that(await ann.isHidden("#composer"), "and nothing is written there");
  await accessible(ann, "a conversation with somebody who is blocked");
  await say(bob, "@Ann in our room?");
  await ann.click("#join-room .primary");
  await ann.waitForSelector("#composer:not([hidden])");
  equal(await ann.evaluate(() => document.activeElement.id), "text", "and one can go on writing");
  await ann.click("#room-menu");
  await ann.click("dialog >> text=Block Bob");
  await ann.keyboard.press("Escape");
  equal((await ask(ann, "GET", "me/blocked")).blocked, [], "who thinks better of it blocks nobody");
}
