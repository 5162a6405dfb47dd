// Many people, many rooms and long words: none of them may make the page itself scroll.

import { equal, that } from "../kit.mjs";
import { PHONE, WIDE, account, beGuest, beSomebody, inWindow, logIn, makeRoom, reads, say,
  saySurely, shows, titled, visit } from "./page.mjs";

const PEOPLE = 500;
const ROOMS = 300;
const LONG = "x".repeat(3000);

// How far the page itself can scroll, down and sideways, and how far it has scrolled.
const over = (page) => page.evaluate(() => {
  const { scrollHeight, scrollWidth, scrollTop, scrollLeft } = document.scrollingElement;
  return [scrollHeight - innerHeight, scrollWidth - innerWidth, scrollTop, scrollLeft];
});

async function fill(url, key) {
  const headers = { Authorization: `Bearer ${key}` };
  const ask = (path, body, headers) =>
    fetch(`${url}/api/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  const times = (many, act) => Promise.all(Array.from({ length: many }, (_, at) => act(at)));
  for (let from = 0; from < PEOPLE; from += 50) {
    await times(50, (at) => ask("guests", { name: `Guest ${from + at} ${"w".repeat(15)}` }));
  }
  for (let from = 0; from < ROOMS; from += 50) {
    const room = (at) => ({ title: `Room ${from + at} ${"w".repeat(50)}`, visibility: "public",
      description: "y".repeat(200) });
    await times(50, (at) => ask("rooms", room(at), headers));
  }
}

export async function crowded({ browser, server }) {
  const key = await account(server.url, "Ann");
  const ann = await visit(browser, server.url);
  await logIn(ann, key);
  await fill(server.url, key);
  await saySurely(ann, `a word without an end: ${LONG}`);
  await ann.reload();
  await shows(ann, "a word without an end", "a long word");
  await ann.waitForFunction((many) =>
    document.querySelectorAll("#people li").length >= many, Math.min(PEOPLE, 500));
  const still = async (page, what) => equal(await over(page), [0, 0, 0, 0], what);
  await still(ann, "hundreds of people and rooms do not scroll the page");
  await ann.locator("#people li button:enabled").last().focus();
  await still(ann, "nor does the last of the people");
  await ann.locator("#rooms a").last().focus();
  await still(ann, "nor the last room");
  await ann.fill("#text", LONG);
  await still(ann, "nor what is being written");
  await ann.fill("#text", "");
  for (const opener of ["#settings", "#switch", "#find", "#room-menu"]) {
    await ann.click(opener);
    await still(ann, `nor ${opener}`);
    await ann.keyboard.press("Escape");
  }

  const phone = await visit(browser, server.url, PHONE);
  await beGuest(phone, "Bob");
  await still(phone, "nor a phone's page");
  await phone.click("#show-people");
  await still(phone, "with the people over it");
  await phone.click("#hide-people");
  await phone.click("#back");
  await still(phone, "or the rooms alone");
}

// Typing notices appear in the room of the typing person, while that person types.
export async function typing({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann");
  const bob = await visit(browser, server.url);
  await beGuest(bob, "Bob");
  await makeRoom(ann, "Galley");
  await ann.click("a.room >> text=Public Chat");
  await titled(ann, "Public Chat");
  await bob.type("#text", "hm");
  await reads(ann, "#typing", "Bob is typing", "who types is shown");
  await ann.click("a.room >> text=Galley");
  await titled(ann, "Galley");
  equal(await ann.innerText("#typing"), "", "but not in another room");
  await bob.fill("#text", "");
  await say(bob, "said");
}

// In a visible window without the focus, messages stay unread.
export async function behind({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann", WIDE, inWindow);
  const bob = await visit(browser, server.url);
  await beGuest(bob, "Bob");
  await ann.click("#settings");
  await ann.check("text=Show notifications");
  await ann.keyboard.press("Escape");
  const marks = [];
  ann.on("request", (one) => { if (one.url().endsWith("/read")) marks.push(one.postData()); });
  await ann.evaluate(() => { globalThis.front = false; });
  await saySurely(bob, "@Ann behind another window");
  await shows(ann, "behind another window", "it comes");
  await ann.waitForFunction(() => globalThis.shown.length === 1).then(
    () => that(true, ""), () => that(false, "whoever looks elsewhere is notified"));
  await reads(ann, "title", "(1)", "it counts as unread");
  await ann.waitForTimeout(1500);
  equal(marks, [], "and is not marked as read");
  await ann.evaluate(() => {
    globalThis.front = true;
    dispatchEvent(new Event("focus"));
  });
  await ann.waitForFunction(() => !document.title.startsWith("("));
  that(marks.length > 0, "until the window comes to the front");
}
