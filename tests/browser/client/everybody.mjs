// Accessibility: with the keyboard alone, on narrow and wide screens, with large text, in the dark
// theme, without motion, and with a screen reader.

import { equal, that } from "../kit.mjs";
import { PHONE, WIDE, accessible, account, ask, beGuest, beSomebody, bodies, inside, makeRoom,
  reads, saySurely, shows, titled, visit } from "./page.mjs";

// Presses a key until that element has the focus; each element on the way must show its focus.
async function until(page, key, selector, what, most = 40) {
  for (let pressed = 0; pressed < most; pressed += 1) {
    await page.keyboard.press(key);
    const found = await focus(page, selector);
    that(found.shown, `the focus shows on ${found.name}`, found);
    if (found.there) return that(true, what);
  }
  throw new Error(`${what}: not reached with ${key}`);
}

const focus = (page, selector) => page.evaluate((selector) => {
  const it = document.activeElement;
  const box = it.getBoundingClientRect();
  const style = getComputedStyle(it);
  const around = getComputedStyle(it.closest(".writing") ?? it);
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const inView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return {
    name: `${it.tagName} ${it.id || it.className || it.textContent.slice(0, 20)}`,
    there: it.matches(selector),
    shown: it !== document.body && (outlined || around.boxShadow !== "none") && inView,
  };
}, selector);

// Checks that the focus reaches an element, and shows.
async function has(page, selector, what) {
  await page.waitForFunction((selector) => document.activeElement.matches(selector), selector)
    .catch(() => {});
  const found = await focus(page, selector);
  that(found.there && found.shown, what, found);
}

// A whole visit without a mouse.
export async function keyboard({ browser, server }) {
  const key = await account(server.url, "Bob");
  const page = await visit(browser, server.url);
  const keys = page.keyboard;
  await has(page, "#guest-name", "one can write one's name at once");
  await keys.type("Ann");
  await keys.press("Enter");
  await inside(page);
  await has(page, "#text", "and then a message");
  await keys.type("Ahoy");
  await keys.press("Enter");
  await shows(page, "Ahoy", "written");

  // A new room, by the button at the side.
  await until(page, "Shift+Tab", "#make", "back to the rooms");
  await keys.press("Enter");
  await has(page, "#f-title", "in the form");
  await keys.type("Galley");
  await until(page, "Tab", "[name=visibility]", "to who may come in");
  await keys.press("ArrowDown");
  await until(page, "Tab", "#f-password", "to its password");
  await keys.type("correct horse");
  await keys.press("Enter");
  await titled(page, "Galley", "the room is made");
  await has(page, "#text", "and one can write in it");
  for (const text of ["first", "second", "third"]) {
    await keys.type(text);
    await keys.press("Enter");
    await shows(page, text, text);
  }
  await page.waitForFunction(() => !document.querySelector("#messages .pending"));

  // In the conversation: react, reply, edit, delete.
  await until(page, "Shift+Tab", ".message", "into the conversation");
  await keys.press("ArrowUp");
  await keys.press("ArrowUp");
  await has(page, ".message", "up to the first");
  await keys.press("+");
  await keys.type("rocket");
  await keys.press("Enter");
  await reads(page, ".reactions button", "🚀", "a reaction");
  await has(page, ".message", "back on the message");
  await keys.press("r");
  await keys.type("an answer");
  await keys.press("Enter");
  await shows(page, "an answer", "a reply");
  equal((await page.locator(".quote").innerText()).trim(), "Ann first", "to the first");
  await page.waitForFunction(() => !document.querySelector("#messages .pending"));
  await keys.press("ArrowUp");
  await keys.type(", better");
  await keys.press("Enter");
  await shows(page, "an answer, better", "an edit");
  await until(page, "Shift+Tab", ".message", "into the conversation again");
  await keys.press("ArrowUp");
  await keys.press("ArrowRight");
  await has(page, ".message button", "right to what one can do");
  for (let at = 0; at < 12 && !(await focus(page, "[aria-label=Delete]")).there; at += 1) {
    await keys.press("ArrowRight");
  }
  await keys.press("Enter");
  await has(page, "dialog .danger", "it asks first");
  await keys.press("Enter");
  await reads(page, ".message", "This message was deleted", "deleted");
  await has(page, ".message, #text", "the focus is not lost");

  // Search, switch, people, settings, leave.
  await until(page, "Shift+Tab", "#find", "to the search");
  await keys.press("Enter");
  await keys.type("second");
  await page.waitForSelector("dialog .hit");
  await keys.press("Enter");
  await page.waitForSelector(".message.found");
  await has(page, ".message", "what is found has the focus");
  await keys.press("Escape");
  await has(page, "#text", "Esc leads to writing");
  await keys.press("Control+k");
  await keys.type("publ");
  await keys.press("Enter");
  await titled(page, "Public Chat");
  await has(page, "#text", "where one can write");
  await keys.press("Alt+ArrowUp");
  await titled(page, "Galley");
  await until(page, "Shift+Tab", "#room-menu", "to the room's settings");
  await keys.press("Enter");
  await until(page, "Tab", "dialog button:not(.danger, .primary, .tool)", "to the way out");
  await keys.press("Enter");
  await keys.press("Enter");
  await titled(page, "Public Chat", "left");
  await until(page, "Tab", "#people button:not(:disabled), #settings, #hide-people", "on");
  await keys.press("Control+k");
  await keys.press("Escape");
  that((await focus(page, "body")).there === false, "closing leads back");
  await until(page, "Shift+Tab", "#settings", "to the settings");
  await keys.press("Enter");
  await until(page, "Tab", "dialog .danger", "to the way out of all");
  await keys.press("Enter");
  await keys.press("Enter");
  await page.waitForSelector("#sign-in:not([hidden])");
  await has(page, "#guest-name", "and at the door again");
  await until(page, "Tab", "#login-part summary", "to the keys");
  await keys.press("Enter");
  await until(page, "Tab", "#login-key", "into the field");
  await keys.type(key);
  await keys.press("Enter");
  await inside(page);
  await reads(page, "#settings", "Bob", "in again, as another");
}

const LONG = `Donaudampfschifffahrtsgesellschaftskapitän${"-".repeat(40)} ${"w".repeat(120)}`;

// Everything fits the screen: nothing is outside it, nothing is cut off.
async function fits(page, where) {
  const found = await page.evaluate((innerWidth) => {
    const wide = document.documentElement.scrollWidth - innerWidth;
    const out = [];
    for (const it of document.querySelectorAll("button, input, textarea, a, h1, h2, p, label")) {
      const box = it.getBoundingClientRect();
      const hidden = !box.width || it.closest(".unseen, pre, [hidden]");
      if (hidden || (box.right <= innerWidth + 1 && box.left >= -1)) continue;
      out.push(`${it.tagName} ${it.id || it.className} ${Math.round(box.left)}–${box.right}`);
    }
    // Text of a button that the button cuts off.
    for (const it of document.querySelectorAll("button, label, dt, dd, .hint, h1, h2")) {
      const box = it.getBoundingClientRect();
      const soft = getComputedStyle(it).textOverflow === "ellipsis" || it.closest(".unseen");
      if (box.width && !soft && it.scrollWidth > it.clientWidth + 2 && it.clientWidth) {
        out.push(`cut: ${it.tagName} ${it.id || it.className} ${it.textContent.slice(0, 30)}`);
      }
    }
    return { wide: Math.max(0, wide), out };
  }, page.viewportSize().width);
  equal(found, { wide: 0, out: [] }, `${where} fits`);
}

const SCREENS = [
  ["320 px", { viewport: { width: 320, height: 560 }, colorScheme: "light" }, "", "light"],
  ["320 px, dark", { ...PHONE, viewport: { width: 320, height: 560 } }, "", "dark"],
  ["2,560 px", { viewport: { width: 2560, height: 1300 }, colorScheme: "dark" }, "", "dark"],
  ["large text", { ...WIDE, reducedMotion: "reduce" }, "200%", "light"],
  ["large text on a phone", PHONE, "200%", "dark"],
];

export async function screens({ browser, server }) {
  const host = await beSomebody(browser, server.url, "Host");
  await makeRoom(host, "A room with a title as long as a title may ever be, seventy letters",
    "private", "correct horse", "And a description that goes on for as long as one may, too, so");
  const room = /room\/(\d+)/.exec(host.url())[1];
  await saySurely(host, [LONG, "```", LONG, "```", `> ${LONG}`,
    `- https://example.org/${LONG}`].join("\n"));
  for (const [where, options, size] of SCREENS) {
    const prepare = (page) => size && page.addInitScript((size) => {
      addEventListener("DOMContentLoaded", () => {
        document.documentElement.style.fontSize = size;
      });
    }, size);
    const page = await visit(browser, server.url, options, false, prepare);
    const look = async (what) => {
      await fits(page, `${what}, ${where},`);
      await accessible(page, `${what}, ${where}`);
    };
    await page.click("#register-part summary");
    await page.click("#login-part summary");
    await look("the door");
    const guest = SCREENS.findIndex(([name]) => name === where);
    await page.fill("#guest-name", `Guest ${guest} with a long name`);
    await page.press("#guest-name", "Enter");
    await inside(page);
    await look("an empty room");
    await page.goto(`${server.url}/#/room/${room}`);
    await page.waitForSelector("#join-room input");
    await look("the gate");
    await page.fill("#join-room input", "correct horse");
    await page.press("#join-room input", "Enter");
    await inside(page);
    await look("the conversation");
    await saySurely(page, "mine");
    await page.locator("#messages .message").last().focus();
    await look("a message with its bar");
    if (await page.isHidden("#people")) await page.click("#show-people");
    await look("people");
    await page.keyboard.press("Escape");
    if (await page.isVisible("#back")) {
      await page.click("#back");
      await look("the rooms");
    }
    const dialogs = [["#make", "a new room"], ["#find", "search"], ["#switch", "the switcher"],
      ["#settings", "settings"]];
    for (const [button, what] of dialogs) {
      await page.click(button);
      if (button === "#find") await page.keyboard.type("Donau");
      await page.waitForTimeout(300);
      await look(what);
      await page.keyboard.press("Escape");
    }
    await page.click("a.room >> text=A room");
    await inside(page);
    for (const command of ["/help", "/emojis"]) {
      await page.fill("#text", command);
      await page.click(".send");
      await look(command);
      await page.keyboard.press("Escape");
    }
    await page.click("#room-menu");
    await look("the room's settings");
    await page.close();
  }
}

// A screen reader reads each new message once, and no old message.
export async function hearing({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann");
  for (let at = 0; at < 70; at += 1) {
    await ask(ann, "PUT", `rooms/1/messages/n${at}`, { text: `line ${at}` });
  }
  const listen = (page) => page.addInitScript(() => {
    globalThis.heard = [];
    addEventListener("DOMContentLoaded", () => {
      const note = () => {
        const words = document.getElementById("announcer").textContent.trim();
        if (words) globalThis.heard.push(words);
      };
      const all = { childList: true, characterData: true, subtree: true };
      new MutationObserver(note).observe(document.getElementById("announcer"), all);
    });
  });
  const bob = await visit(browser, server.url, WIDE, false, listen);
  await beGuest(bob, "Bob");
  await shows(bob, "line 69", "the history is there");
  await bob.mouse.move(600, 400);
  await bob.mouse.wheel(0, -9000);
  await shows(bob, "line 2", "and more of it");
  equal(await bob.evaluate(() => globalThis.heard), [], "of which nothing is read out");
  equal(await bob.getAttribute("#log", "aria-live"), "off", "nor by the list itself");
  // The scroll wheel moves on for a while, and new messages are read out only at the end.
  await bob.waitForFunction(async () => {
    const log = document.getElementById("log");
    const at = log.scrollTop;
    await new Promise((done) => setTimeout(done, 200));
    return log.scrollTop === at && !document.getElementById("jump-latest").hidden;
  });
  await bob.keyboard.press("Escape");
  await bob.waitForSelector("#jump-latest", { state: "hidden" });
  await saySurely(ann, "Something new");
  await shows(bob, "Something new", "what is new");
  equal(await bob.evaluate(() => globalThis.heard), ["Ann: Something new"], "is read out, once");
  await saySurely(bob, "my own");
  equal(await bob.evaluate(() => globalThis.heard.length), 1, "her own messages are not");
  const order = await bob.locator("#messages .message").last().innerText();
  that(/Bob[\s\S]*my own/.test(order), "author, then text", order);
  that((await bodies(bob)).length <= 300, "a bounded list");
}

// With `prefers-reduced-motion` nothing moves.
export async function still({ browser, server }) {
  const page = await visit(browser, server.url, { ...WIDE, reducedMotion: "reduce" });
  const moving = () => page.evaluate(() => [...document.querySelectorAll("*")].filter((one) => {
    const style = getComputedStyle(one);
    const before = getComputedStyle(one, "::before");
    return [style, before].some((one) => one.animationName !== "none"
      || one.transitionDuration.split(",").some((time) => parseFloat(time) > 0));
  }).map((one) => one.className || one.tagName));
  equal(await moving(), [], "at the door");
  await beGuest(page, "Ann");
  await saySurely(page, "hello");
  equal(await moving(), [], "and inside");
}
