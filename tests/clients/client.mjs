// The server's own page in a real browser (Chromium).
//
//     node client.mjs [FOLDER]
//
// Two people, one registered and one a guest on a phone, do what one does in a chat. Messages are
// sent while the server is killed, and stand once; markup in every field stays text; long histories
// are read; axe-core finds nothing on any screen. Screenshots go to FOLDER, or to a temporary one.
// Prints a line for each check that fails, then `N passed, N failed`.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { equal, main, serve, that } from "./kit.mjs";

const PATIENCE_MS = 8000;
const MARKUP = "<img src=x onerror=\"document.title='broken'\"><b>bold</b>&amp;";
const WIDE = { viewport: { width: 1280, height: 800 }, colorScheme: "light" };
const PHONE = { viewport: { width: 375, height: 720 }, isMobile: true, hasTouch: true,
  colorScheme: "dark" };
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const troubles = [];

// A page of somebody's own; `down`: while the server is, browsers complain, and rightly.
async function visit(browser, url, options = WIDE, down = false, prepare = () => {}) {
  const page = await (await browser.newContext(options)).newPage();
  await prepare(page);
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("pageerror", (error) => troubles.push(error.stack));
  page.on("console", (said) => {
    // Browsers note every 4xx, among them the question whether somebody is logged in.
    const noted = /status of 4\d\d/.test(said.text()) || down;
    if (said.type() === "error" && !noted) troubles.push(said.text());
  });
  await page.goto(url);
  return page;
}

async function beGuest(page, name) {
  await page.fill("#guest-name", name);
  await page.click("#guest button");
  await page.waitForSelector("#composer:not([hidden])");
}

async function say(page, text) {
  await page.fill("#text", text);
  await page.click("#composer .send");
}

const bodies = (page) => page.locator("#messages .message .body").allInnerTexts();

async function shows(page, text, what, selector = ".message") {
  const line = page.locator(`#messages ${selector}`).filter({ hasText: text }).last();
  await line.waitFor({ state: "attached" }).then(
    () => that(true, what),
    async () => that(false, what, await bodies(page)),
  );
  return line;
}

async function accessible(page, where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await globalThis.axe.run(document, { runOnly: tags });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) =>
      `${node.html.slice(0, 160)} ${node.failureSummary.slice(0, 200)}`).join(" | ")}`);
  });
  equal(found, [], `axe-core on ${where}`);
}

async function twoPeople({ browser, server, shots }) {
  const shot = (page, name) => page.screenshot({ path: join(shots, `${name}.png`) });
  const ann = await visit(browser, server.url);
  const zoe = await visit(browser, `${server.url}/chats/1/entrance`, PHONE);
  await shot(ann, "door-light");
  await shot(zoe, "door-phone-dark");
  await accessible(ann, "the door");
  await ann.click("#register-part summary");
  await ann.fill("#register-name", "Ann");
  await ann.press("#register-name", "Enter");
  await ann.waitForSelector("#fresh:not([hidden])");
  that(/^[0-9a-f]{64}$/.test(await ann.textContent("#fresh-key")), "the key is shown");
  await shot(ann, "registered-light");
  await accessible(ann, "the key");
  const downloading = ann.waitForEvent("download");
  await ann.click("#fresh-download");
  const download = await downloading;
  const kept = readFileSync(await download.path(), "utf8");
  const key = /key: ([0-9a-f]{64})/.exec(kept)?.[1];
  that(key, "and downloaded", kept);
  await ann.click("#fresh .primary");
  await ann.waitForSelector("#composer:not([hidden])");
  equal(await ann.textContent("#fresh-key"), "", "and not kept on the page");
  await beGuest(zoe, "Zoë");
  equal(await zoe.evaluate(() => location.hash), "#/room/1", "the link survives the login");

  await say(ann, "Ahoy! **Welcome** aboard.");
  await shows(zoe, "Ahoy! Welcome aboard.", "the guest reads");
  await ann.waitForFunction(() => !document.querySelector("#messages .pending"));
  await say(zoe, "Aye, @Ann");
  await shows(ann, "Aye, @Ann", "who is called sees it", ".mentioned");
  await zoe.fill("#text", "Ar");
  await ann.waitForFunction(() => document.getElementById("typing").textContent.includes("Zoë"));
  that(true, "typing shows");
  await zoe.fill("#text", "");

  // With the keyboard: the last one of one's own, corrected.
  await ann.focus("#text");
  await ann.keyboard.press("ArrowUp");
  equal(await ann.inputValue("#text"), "Ahoy! **Welcome** aboard.", "Up brings the last one back");
  await ann.keyboard.press("End");
  await ann.keyboard.type(" Really.");
  await ann.keyboard.press("Enter");
  const edited = await shows(zoe, "Welcome aboard. Really.", "an edit arrives");
  that((await edited.innerText()).includes("edited"), "and says so");
  await ann.keyboard.press("Shift+Tab");
  await ann.keyboard.press("Shift+Tab");
  const last = ann.locator("#messages .message").last();
  await last.focus();
  await ann.keyboard.press("r");
  await ann.keyboard.type("Good to see you");
  await ann.keyboard.press("Enter");
  const reply = await shows(zoe, "Good to see you", "a reply arrives");
  equal((await reply.locator(".quote").innerText()).trim(), "Zoë Aye, @Ann", "with its quote");
  await last.hover();
  await ann.locator("#messages .message").filter({ hasText: "Aye" }).first().hover();
  await ann.click(".bar [aria-label='React with 👍']");
  await zoe.waitForSelector(".reactions button");
  await zoe.tap(".reactions button");
  await ann.waitForFunction(() =>
    document.querySelector(".reactions button")?.textContent.startsWith("👍 2"));
  that(true, "reactions of both");
  await say(zoe, "Forget this");
  const doomed = await shows(zoe, "Forget this", "it is there");
  await zoe.waitForFunction(() => !document.querySelector("#messages .pending"));
  await doomed.tap();
  await zoe.click(".bar [aria-label=Delete]");
  await zoe.click("dialog .danger");
  await shows(ann, "This message was deleted.", "a message is taken back");
  that(!(await bodies(ann)).includes("Forget this"), "with its words");

  await say(ann, "- one\n- `two`\n\n> said\n\n```\ncode <b>\n```\nsee https://example.org/a?b=c.");
  await shows(zoe, "code <b>", "Markdown");
  const href = await zoe.locator("#messages a").getAttribute("href");
  equal(href, "https://example.org/a?b=c", "links");
  await accessible(ann, "the conversation");
  await accessible(zoe, "the conversation on a phone");
  await shot(ann, "chat-light");
  await ann.emulateMedia({ colorScheme: "dark" });
  await accessible(ann, "the conversation in the dark");
  await shot(ann, "chat-dark");
  await ann.emulateMedia({ colorScheme: "light" });
  await shot(zoe, "chat-phone-dark");

  await rooms({ ann, zoe, shot });
  await injection({ ann, zoe });

  // Drafts, and coming back.
  await ann.fill("#text", "unfinished");
  await ann.reload();
  await ann.waitForSelector("#composer:not([hidden])");
  equal(await ann.inputValue("#text"), "unfinished", "a draft survives a reload");
  await ann.fill("#text", "");
  await ann.click("#settings");
  await ann.waitForSelector(".sessions b");
  await shot(ann, "settings-light");
  await accessible(ann, "the settings");
  await ann.click("dialog button.danger");
  await ann.locator("dialog .danger").last().click();
  await ann.waitForSelector("#door:not([hidden])");
  await ann.click("#login-part summary");
  await ann.fill("#login-key", key);
  await ann.press("#login-key", "Enter");
  await ann.waitForSelector("#composer:not([hidden])");
  that(true, "the key opens");
  await Promise.all([ann.context().close(), zoe.context().close()]);
}

async function rooms({ ann, zoe, shot }) {
  await ann.click("#make");
  await shot(ann, "new-room-light");
  await ann.fill("#f-title", "Cabin");
  await ann.check("dialog input[value=private]");
  await ann.fill("#f-description", "The captain's own");
  await accessible(ann, "a new room");
  await ann.fill("#f-password", "correct horse");
  await ann.click("dialog .primary");
  await ann.waitForFunction(() => document.getElementById("title").textContent === "Cabin");
  await say(ann, "The treasure is on the third island");
  await zoe.tap("#back");
  await zoe.waitForSelector("a.room >> text=Cabin");
  await shot(zoe, "rooms-phone-dark");
  await accessible(zoe, "the rooms on a phone");
  await zoe.tap("a.room >> text=Cabin");
  await zoe.waitForSelector("#gate input");
  await shot(zoe, "private-phone-dark");
  await zoe.fill("#gate input", "wrong horse!");
  await zoe.tap("#gate .primary");
  await zoe.waitForFunction(() => document.querySelector("#gate .trouble").textContent !== "");
  await zoe.fill("#gate input", "correct horse");
  await zoe.tap("#gate .primary");
  await shows(zoe, "third island", "who has the password comes in, and reads what was said");
  await say(zoe, "Mine!");
  await shows(ann, "Mine!", "and is heard");
  // Unread, in the other room.
  await zoe.tap("#back");
  await zoe.tap("a.room >> text=Public Chat");
  await say(ann, "Are you there, @zoe? 1");
  await say(ann, "2");
  await zoe.waitForFunction(() => document.title.startsWith("(2)"));
  that(true, "the title counts");
  await zoe.tap("#back");
  await zoe.tap("a.room >> text=Cabin");
  await zoe.waitForSelector("#messages .line");
  await zoe.waitForFunction(() => !document.title.startsWith("("));
  that(true, "there is a line, and what is seen is read");
  await shot(zoe, "unread-phone-dark");
  await ann.keyboard.press("Control+k");
  await ann.keyboard.type("pub");
  await shot(ann, "switcher-light");
  await accessible(ann, "the way to another room");
  await ann.keyboard.press("Enter");
  await ann.waitForFunction(() => document.getElementById("title").textContent === "Public Chat");
  await ann.click("#find");
  await ann.keyboard.type("treasure");
  await ann.waitForSelector("dialog .hit");
  await shot(ann, "search-light");
  await accessible(ann, "search");
  await ann.keyboard.press("Enter");
  await shows(ann, "third island", "what is found is shown where it was said", ".found");
  await ann.keyboard.press("Control+k");
  await ann.keyboard.type("Zoë");
  await ann.keyboard.press("Enter");
  await ann.waitForFunction(() => document.getElementById("title").textContent === "Zoë");
  await say(ann, "Between us");
  await zoe.tap("#back");
  await zoe.tap("a.room >> text=Ann");
  await shows(zoe, "Between us", "a direct message");
  await ann.click("a.room >> text=Public Chat");
}

// Markup, everywhere where one can write.
async function injection({ ann, zoe }) {
  const name = "<b>x</b><img src=x>";
  const guest = await visit(zoe.context().browser(), ann.url().split("#")[0], WIDE);
  await beGuest(guest, name);
  await say(guest, MARKUP);
  const line = await shows(ann, MARKUP, "markup in a message is text");
  that((await line.innerText()).includes(name), "and in a name", await line.innerText());
  await guest.click("#make");
  await guest.fill("#f-title", "<i>room</i>");
  await guest.fill("#f-description", MARKUP.slice(0, 60));
  await guest.click("dialog .primary");
  await guest.waitForFunction(() => document.getElementById("title").textContent.startsWith("<i>"));
  await say(guest, `[${MARKUP}](javascript:alert(1)) \`${MARKUP}\` @<b>`);
  await say(guest, `> ${MARKUP}\n- ${MARKUP}\n\n~~~\n${MARKUP}\n~~~`);
  await shows(guest, "javascript:alert(1)", "no such address is a link");
  await guest.fill("#text", MARKUP);
  await guest.click("#find");
  await guest.keyboard.type("bold");
  await guest.waitForSelector("dialog .hit");
  const inside = await guest.evaluate(() => ({
    broken: document.title.includes("broken"),
    tags: document.querySelectorAll("#app b b, #app i, #messages img, #messages b:not(.author),"
      + " .hit img, .hit p b, a[href^=javascript]").length,
  }));
  equal(inside, { broken: false, tags: 0 }, "nothing became markup");
  await guest.context().close();
}

// The server is killed: between a send and its answer, while many are on their way, and while one
// writes and goes away.
async function killed(place) {
  const { browser, folder } = place;
  let cut = true;
  let deaf = false;
  const ann = await visit(browser, place.server.url, WIDE, true, (page) =>
    page.routeWebSocket(/events/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((frame) => { if (!deaf) socket.send(frame); });
    }));
  const bob = await visit(browser, place.server.url, WIDE, true);
  await beGuest(ann, "Ann");
  await beGuest(bob, "Bob");
  const once = async (page, text) => (await bodies(page)).filter((one) => one === text).length;
  const again = async () => {
    deaf = false;
    place.server = await serve(folder, place.server.port);
  };
  await ann.route("**/messages/*", async (route) => {
    if (route.request().method() !== "PUT" || !cut) return route.continue();
    cut = false;
    deaf = true;
    await route.fetch(); // It stands in the log; its answer never comes.
    await place.server.end();
    await route.abort();
  });
  await say(ann, "once and only once");
  await ann.waitForSelector("#messages .pending");
  await ann.waitForTimeout(500);
  that(await ann.isVisible("#messages .pending"), "it waits while the server is gone");
  await again();
  await ann.waitForFunction(() => !document.querySelector("#messages .pending"), null,
    { timeout: 30_000 });
  await shows(bob, "once and only once", "it arrives");
  await bob.waitForTimeout(500);
  for (const page of [ann, bob]) equal(await once(page, "once and only once"), 1, "it stands once");
  await ann.unroute("**/messages/*");

  const many = Array.from({ length: 30 }, (_, at) => `number ${at}`);
  for (const [at, text] of many.entries()) {
    await say(ann, text);
    if (at === 12) place.server.end();
    if (at === 20) await again();
  }
  await shows(bob, "number 29", "all arrive");
  await ann.waitForFunction(() => !document.querySelector("#messages .pending"), null,
    { timeout: 30_000 });
  for (const page of [ann, bob]) {
    const found = (await bodies(page)).filter((text) => text.startsWith("number"));
    equal(found, many, "each once, in order");
  }

  await place.server.end();
  await ann.waitForTimeout(6500);
  that(await ann.isVisible("#banner"), "after a while the page says that it is cut off");
  await ann.screenshot({ path: join(place.shots, "offline-light.png") });
  await accessible(ann, "the page without a connection");
  await say(ann, "written on the high sea");
  await say(ann, "and this after it");
  equal(await ann.locator("#messages .pending").count(), 2, "what is written waits");
  await ann.close();
  await again();
  await bob.click("#retry").catch(() => {});
  const back = await ann.context().newPage();
  await back.goto(place.server.url);
  await shows(bob, "and this after it", "it is sent when one comes back");
  const found = (await bodies(bob)).slice(-2);
  equal(found, ["written on the high sea", "and this after it"], "in order, each once");
  await bob.waitForFunction(() => document.getElementById("banner").hidden);
  await Promise.all([back.context().close(), bob.context().close()]);
}

// A long history: it opens soon, loads as one scrolls, keeps one's place, and stays bounded.
async function long({ browser, server }) {
  const page = await visit(browser, server.url);
  await beGuest(page, "Ann");
  const sent = await page.evaluate(async () => {
    const send = (at) => fetch(`/api/v1/rooms/1/messages/n${at}`, {
      method: "PUT", body: JSON.stringify({ text: `line ${at}\nof many` }),
    });
    for (let at = 0; at < 600; at += 20) {
      for (const one of await Promise.all(Array.from({ length: 20 }, (_, i) => send(at + i)))) {
        if (one.status !== 201) return one.status;
      }
    }
    return 201;
  });
  equal(sent, 201, "six hundred messages");
  await shows(page, "line 599", "they stream in");
  that(await page.locator("#messages .message").count() <= 650, "bounded");
  const bob = await visit(browser, server.url);
  await beGuest(bob, "Bob");
  await shows(bob, "line 59", "the newest is shown");
  const count = () => bob.locator("#messages .message").count();
  that(await count() <= 160, "and little more", await count());
  const log = bob.locator("#log");
  const end = await log.evaluate((it) => it.scrollHeight - it.scrollTop - it.clientHeight);
  that(end < 5, "at its end", end);
  for (let at = 0; at < 12; at += 1) {
    await bob.mouse.move(600, 400);
    await bob.mouse.wheel(0, -6000);
    await bob.waitForTimeout(150);
  }
  that(await count() <= 300, "scrolled far, it is bounded", await count());
  const first = await log.evaluate(() => {
    const top = document.getElementById("log").getBoundingClientRect().top;
    const found = [...document.querySelectorAll(".message")]
      .find((one) => one.getBoundingClientRect().top >= top);
    return { seq: found.dataset.seq, top: Math.round(found.getBoundingClientRect().top) };
  });
  await say(page, "while one reads");
  await bob.waitForSelector("#jump-latest:not([hidden])");
  const now = await bob.evaluate((seq) => {
    const element = document.querySelector(`[data-seq="${seq}"]`);
    return Math.round(element.getBoundingClientRect().top);
  }, first.seq);
  that(Math.abs(now - first.top) <= 1, "one's place is kept", { now, first });
  await bob.click("#jump-latest");
  await shows(bob, "while one reads", "to the newest");
  await Promise.all([page.context().close(), bob.context().close()]);
}

// Websockets that can be cut, and that then do not get through.
const CUT = () => {
  const Real = WebSocket;
  globalThis.cut = () => {
    globalThis.blocked = true;
    globalThis.live.close();
  };
  globalThis.WebSocket = class {
    static OPEN = 1;
    constructor(url) {
      if (!globalThis.blocked) return globalThis.live = new Real(url);
      setTimeout(() => this.onclose?.({ code: 1006 }), 5);
    }
    close() {}
  };
};

// What is missed while one is away is there when one is back, once and in order.
async function away({ browser, server }) {
  const prepare = (page) => page.addInitScript(CUT);
  const ann = await visit(browser, server.url);
  const bob = await visit(browser, server.url, WIDE, true, prepare);
  await beGuest(ann, "Ann");
  await beGuest(bob, "Bob");
  const send = (from, to) => ann.evaluate(async ([from, to]) => {
    for (let at = from; at < to; at += 1) {
      const text = JSON.stringify({ text: `line ${at}` });
      await fetch(`/api/v1/rooms/1/messages/n${at}`, { method: "PUT", body: text });
    }
  }, [from, to]);
  await send(0, 5);
  await shows(bob, "line 4", "at first");
  await bob.context().setOffline(true);
  await bob.evaluate(() => globalThis.cut());
  await send(5, 505);
  await bob.evaluate(() => { globalThis.blocked = false; });
  await bob.context().setOffline(false);
  await shows(bob, "line 504", "five hundred were missed, and come");
  const found = (await bodies(bob)).filter((text) => text.startsWith("line"));
  const last = Array.from({ length: found.length }, (_, at) => `line ${505 - found.length + at}`);
  that(found.length >= 300 && JSON.stringify(found) === JSON.stringify(last), "each once, in order",
    found.length);
  // Websockets do not get through any more: server-sent events do.
  await bob.evaluate(() => globalThis.cut());
  await bob.waitForTimeout(4000);
  await say(ann, "by another way");
  await shows(bob, "by another way", "without websockets");
  await say(bob, "heard");
  await shows(ann, "heard", "both ways");
  await bob.click("#settings");
  await bob.waitForSelector("dialog >> text=server-sent events do");
  that(true, "and the page says so");
  await Promise.all([ann.context().close(), bob.context().close()]);
}

async function quiet() {
  equal(troubles, [], "the browser complains of nothing");
}

await main(twoPeople, killed, long, away, quiet);
