// Unread messages: counts, the "New" line, jumps, read markers on all of a person's devices,
// notifications, sound; and their settings.

import { equal, that } from "../kit.mjs";
import { CUT, WIDE, accessible, account, ask, beGuest, beSomebody, inside, logIn, makeRoom, reads,
  say, saySurely, shows, titled, visit } from "./page.mjs";

// A page that the test can hide, and that counts its notifications and sounds.
const ELSEWHERE = () => {
  let hidden = false;
  const seen = globalThis.seen = { asked: 0, notices: [], sounds: 0 };
  Object.defineProperties(document, {
    visibilityState: { get: () => (hidden ? "hidden" : "visible") },
    hidden: { get: () => hidden },
  });
  globalThis.look = (away) => {
    hidden = away;
    document.dispatchEvent(new Event("visibilitychange"));
  };
  globalThis.Notification = class {
    static permission = "default";
    static async requestPermission() {
      seen.asked += 1;
      return this.permission = "granted";
    }
    constructor(title, { body, tag }) {
      seen.notices.push([title, body, tag]);
      globalThis.lastNotice = this;
    }
    close() {}
  };
  globalThis.AudioContext = class {
    constructor() {
      seen.sounds += 1;
      throw new Error("there is no sound in a test");
    }
  };
};

export async function notices({ browser, server }) {
  const prepare = (page) => page.addInitScript(ELSEWHERE);
  const ann = await beSomebody(browser, server.url, "Ann", WIDE, prepare);
  const bob = await visit(browser, server.url);
  await beGuest(bob, "Bob");
  const galley = await makeRoom(ann, "Galley");
  const seen = () => ann.evaluate(() => globalThis.seen);
  const away = (is) => ann.evaluate((is) => globalThis.look(is), is);
  const level = async (value) => {
    await away(false);
    await ann.click("#room-menu");
    await ann.selectOption("#f-level", value);
    await ann.keyboard.press("Escape");
    await away(true);
  };
  await bob.goto(`${server.url}/#/room/${galley}`);
  await bob.click("#join-room .primary");
  await inside(bob);
  const heard = async (text) => {
    await saySurely(bob, text);
    await shows(ann, text, text);
  };
  await away(true);
  await heard("@Ann unasked");
  equal((await seen()).asked, 0, "nobody is asked who has not clicked");
  equal((await seen()).notices, [], "and nothing is shown");
  await reads(ann, "title", "(1) Galley", "but the title counts, in a hidden tab");
  that((await ann.getAttribute("#icon", "href")).startsWith("data:"), "and the icon has a mark");
  await away(false);
  await ann.waitForFunction(() => !document.title.startsWith("("));
  that((await ann.getAttribute("#icon", "href")).endsWith(".svg"), "until one looks");

  await ann.click("#settings");
  await ann.check("text=Show notifications");
  await ann.waitForFunction(() => globalThis.seen.asked === 1);
  await ann.keyboard.press("Escape");
  await heard("@Ann while you look");
  equal((await seen()).notices, [], "who looks needs no notification");
  await away(true);
  await heard("to nobody");
  equal((await seen()).notices, [], "of a room one is told what calls one");
  await heard("@Ann come");
  equal((await seen()).notices.splice(0), [["Bob in Galley", "@Ann come", `shanty-${galley}`]],
    "and of that");
  equal((await seen()).sounds, 0, "without a sound, which nobody wanted");
  await level("all");
  await heard("anything");
  equal((await seen()).notices.length, 2, "of all, if one likes");
  await level("none");
  await heard("@Ann anything");
  equal((await seen()).notices.length, 2, "or of nothing");
  await ask(bob, "PUT", "users/Ann/room");
  await bob.goto(`${server.url}/#/room/1`);
  await titled(bob, "Public Chat");
  await bob.click("a.room >> text=Ann");
  await titled(bob, "Ann");
  await saySurely(bob, "psst");
  await ann.waitForFunction(() => globalThis.seen.notices.length === 3);
  equal((await seen()).notices[2].slice(0, 2), ["Bob", "psst"], "of a direct room of all");
  await away(false);
  await ann.evaluate(() => globalThis.lastNotice.onclick());
  await titled(ann, "Bob", "a click on it leads there");

  await ann.click("#settings");
  await ann.check("text=Play a sound");
  equal((await seen()).sounds, 1, "a sound is played for trial");
  await ann.keyboard.press("Escape");
  await saySurely(bob, "silent");
  await shows(ann, "silent", "who looks");
  equal((await seen()).sounds, 1, "hears nothing");
  await away(true);
  await saySurely(bob, "loud");
  await shows(ann, "loud", "who looks elsewhere");
  equal((await seen()).sounds, 2, "does");
  await ann.reload();
  await inside(ann);
  await ann.click("#settings");
  that(await ann.isChecked("text=Play a sound"), "it is remembered");
}

export async function devices({ browser, server }) {
  const key = await account(server.url, "Ann");
  const prepare = (page) => page.addInitScript(CUT);
  const desk = await visit(browser, server.url, WIDE, true, prepare);
  const phone = await visit(browser, server.url);
  await logIn(desk, key);
  await logIn(phone, key);
  const bob = await visit(browser, server.url);
  await beGuest(bob, "Bob");
  await makeRoom(desk, "Galley");
  await phone.waitForSelector("a.room >> text=Galley");
  await phone.click("a.room >> text=Galley");
  await titled(phone, "Galley");
  const send = (from, to) => bob.evaluate(async ([from, to]) => {
    for (let at = from; at < to; at += 1) {
      const body = JSON.stringify({ text: `line ${at}\nof many` });
      await fetch(`/api/v1/rooms/1/messages/n${at}`, { method: "PUT", body });
    }
  }, [from, to]);
  await send(0, 40);
  for (const page of [desk, phone]) await reads(page, "a.room .badge", "40", "unread on both");
  await desk.click("a.room >> text=Public Chat");
  await desk.waitForSelector("#messages .line");
  const first = desk.locator("#messages .line + .message");
  that((await first.innerText()).includes("line 0"), "the line is above the first new one");
  that(await desk.locator(".line").isVisible(), "and on the screen");
  that(await desk.isVisible("#jump-latest"), "from there a button leads to the newest");
  that(await phone.locator("a.room .badge").count() > 0, "what is not seen is not read");
  await accessible(desk, "unread messages");
  await desk.click("#jump-latest");
  await desk.waitForFunction(() => !document.title.startsWith("("));
  await phone.waitForFunction(() => !document.title.startsWith("(")
    && !document.querySelector("a.room .badge"));
  that(true, "what is read on one device is read on the other");
  // Also if the first request fails.
  await desk.route("**/api/v1/rooms/1/read", (route) => route.abort());
  const lost = desk.waitForEvent("requestfailed", (one) => one.url().endsWith("/read"));
  await ask(bob, "PUT", "rooms/1/messages/late", { text: "late" });
  await shows(desk, "late", "one more");
  await lost;
  await reads(phone, "a.room .badge", "1", "the other cannot know yet");
  await desk.unroute("**/api/v1/rooms/1/read");
  await desk.evaluate(() => globalThis.live.close());
  await phone.waitForFunction(() => !document.querySelector("a.room .badge"));
  that(true, "and does, when the connection is back");
  await desk.click("#jump-unread");
  await desk.waitForFunction(() => {
    const line = document.querySelector(".line").getBoundingClientRect();
    return line.top > document.getElementById("log").getBoundingClientRect().top;
  });
  await desk.waitForSelector("#jump-unread", { state: "hidden" });
  that(true, "a button leads back to the line");
  await desk.keyboard.press("Escape");
  await desk.waitForFunction(() => !document.querySelector(".line"));
  that(true, "Esc ends it");
  const end = () => desk.evaluate(() => {
    const log = document.getElementById("log");
    return log.scrollHeight - log.scrollTop - log.clientHeight;
  });
  that(await end() < 5, "and leads to the newest", await end());

  // While the reader looks at older messages, new ones are counted and do not move the page.
  await desk.mouse.move(600, 400);
  await desk.mouse.wheel(0, -1500);
  await desk.waitForSelector("#jump-latest:not([hidden])");
  await send(40, 43);
  await reads(desk, "#jump-latest", "3 new", "new ones below are counted");
  await desk.click("#jump-latest");
  await shows(desk, "line 42", "and a click away");

  // A person's sessions are listed, and can be ended.
  await desk.click("#settings");
  await desk.waitForSelector(".sessions button");
  await reads(desk, ".sessions", "This browser", "this one");
  equal(await desk.locator(".sessions li").count(), 2, "and the other");
  await reads(desk, "dialog", "Your key is the only way to log in", "the key is called to mind");
  await accessible(desk, "settings");
  await desk.click(".sessions button");
  await reads(phone, "#sign-in-trouble", "been logged out", "the other is locked out");
  await desk.waitForFunction(() => document.querySelectorAll(".sessions li").length === 1);
  await desk.keyboard.press("Escape");
  await say(desk, "still in");
  await shows(bob, "still in", "this one is not");

  // Colours.
  const paper = () => desk.evaluate(() =>
    getComputedStyle(document.getElementById("room")).backgroundColor);
  const light = await paper();
  await desk.emulateMedia({ colorScheme: "dark" });
  const dark = await paper();
  that(light !== dark, "as the system has it", { light, dark });
  await desk.click("#settings");
  await desk.check("dialog [value=light]");
  equal(await paper(), light, "light where the system is dark");
  await desk.keyboard.press("Escape");
  await desk.reload();
  await inside(desk);
  equal(await paper(), light, "for good");
  await desk.emulateMedia({ colorScheme: "light" });
  await desk.click("#settings");
  await desk.check("dialog [value=dark]");
  equal(await paper(), dark, "and dark where it is light");
}

// A guest whose session has ended while the page was closed is told so, and returns with a click.
export async function returning({ browser, server }) {
  const page = await visit(browser, server.url);
  await beGuest(page, "Ann Lee");
  await ask(page, "DELETE", "sessions/current");
  await page.goto("about:blank");
  await page.goto(server.url);
  await reads(page, "#sign-in-trouble", "your guest name was released", "what happened is said");
  equal(await page.inputValue("#guest-name"), "Ann Lee", "the name stands there again");
  await accessible(page, "the first screen of somebody who comes back");
  await page.click("#guest button");
  await inside(page);
  await page.reload();
  await inside(page);

  // After a logout the sign-in screen does not suggest the earlier guest name.
  await page.click("#settings");
  await page.locator("dialog .danger").last().click();
  await page.locator("dialog", { hasText: "Log out?" }).locator(".danger").last().click();
  await page.waitForSelector("#sign-in:not([hidden])");
  equal(await page.inputValue("#guest-name"), "", "nobody's name stands there");
}
