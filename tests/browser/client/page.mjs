// Shared by the parts of the page's suite: pages of different people, their actions, and the errors
// that browsers report.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { equal, that } from "../kit.mjs";

const PATIENCE_MS = 15_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const WIDE = { viewport: { width: 1280, height: 800 }, colorScheme: "light" };
export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true,
  colorScheme: "dark" };
export const MARKUP = "<img src=x onerror=\"document.title='broken'\"><b>bold</b>&amp;";

// Lets a test cut the page's websocket, and block new ones.
export const CUT = () => {
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

// Lets a test decide whether the page's window has the focus (`front`), and see the page's open
// notifications (`shown`). For `prepare` of `visit`.
export const inWindow = (page) => page.addInitScript(() => {
  globalThis.front = true;
  document.hasFocus = () => globalThis.front;
  globalThis.shown = [];
  globalThis.Notification = class {
    static permission = "granted";
    constructor(title, { body }) {
      this.body = body;
      globalThis.shown.push(body);
    }
    close() { globalThis.shown.splice(globalThis.shown.indexOf(this.body), 1); }
  };
});

// The errors that browsers have reported on any page.
export const troubles = [];

// Opens the page in a new browser context. `down`: the server will be down at times, so errors in
// the browser's console do not count.
export async function visit(browser, url, options = WIDE, down = false, prepare = () => {}) {
  const page = await (await browser.newContext(options)).newPage();
  await prepare(page);
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("pageerror", (error) => troubles.push(error.stack));
  page.on("console", (said) => {
    // Browsers report every 4xx, also the page's first request, which asks who is logged in.
    const noted = /status of 4\d\d|ERR_NETWORK_CHANGED/.test(said.text()) || down;
    if (said.type() === "error" && !noted) troubles.push(said.text());
  });
  // A change of this machine's network interrupts loading.
  let changed = false;
  page.on("requestfailed", (failed) => {
    changed ||= failed.failure()?.errorText === "net::ERR_NETWORK_CHANGED";
  });
  await page.goto(url);
  if (changed) await page.goto(url);
  return page;
}

export async function beGuest(page, name) {
  await page.fill("#guest-name", name);
  await page.click("#guest button");
  await inside(page);
}

// Sends a request with the page's session.
export function ask(page, method, path, body) {
  return page.evaluate(async ([method, path, body]) => {
    const response = await fetch(`/api/v1/${path}`, { method, body: JSON.stringify(body) });
    return { status: response.status, ...await response.json().catch(() => ({})) };
  }, [method, path, body]);
}

// Registers an account; returns its key.
export async function account(url, name) {
  const body = JSON.stringify({ name });
  const response = await fetch(`${url}/api/v1/accounts`, { method: "POST", body });
  return (await response.json()).key;
}

// Logs in with a key, on the sign-in screen.
export async function logIn(page, key) {
  await page.click("#login-part summary");
  await page.fill("#login-key", key);
  await page.press("#login-key", "Enter");
  await inside(page);
}

export const inside = (page) => page.waitForSelector("#composer:not([hidden])");

// The page of a newly registered person.
export async function beSomebody(browser, url, name, options = WIDE, prepare = undefined) {
  const page = await visit(browser, url, options, false, prepare);
  await logIn(page, await account(url, name));
  return page;
}

export async function say(page, text) {
  await page.fill("#text", text);
  await page.click("#composer .send");
}

// The `seq` of the page's newest sent message if it is newer than `than`; otherwise 0.
function newestOwn(than) {
  const own = [...document.querySelectorAll("#messages .mine[data-seq]")];
  const newest = Math.max(0, ...own.map((message) => Number(message.dataset.seq)));
  return newest > than ? newest : 0;
}

// Sends a message, and waits until the server has confirmed it.
export async function saySurely(page, text) {
  const before = await page.evaluate(newestOwn, 0);
  await say(page, text);
  await page.waitForFunction(newestOwn, before);
}

export const bodies = (page) => page.locator("#messages .message .body").allInnerTexts();

export async function shows(page, text, what, selector = ".message") {
  const line = page.locator(`#messages ${selector}`).filter({ hasText: text }).last();
  await line.waitFor({ state: "attached" }).then(
    () => that(true, what),
    async () => that(false, what, await bodies(page)),
  );
  return line;
}

// Waits until the text of an element contains the words.
export async function reads(page, selector, words, what) {
  const holds = ([selector, words]) =>
    [...document.querySelectorAll(selector)].some(({ textContent }) => textContent.includes(words));
  await page.waitForFunction(holds, [selector, words]).then(
    () => that(true, what),
    async () => that(false, what, await page.locator(selector).allInnerTexts()),
  );
}

export const titled = (page, title, what = `in ${title}`) => reads(page, "#title", title, what);

// Creates a room with the form.
export async function makeRoom(page, title, visibility = "public", password = "", about = "") {
  await page.click("#make");
  await page.fill("#f-title", title);
  await page.fill("#f-description", about);
  await page.check(`dialog input[value=${visibility}]`);
  if (password) await page.fill("#f-password", password);
  await page.click("dialog .primary");
  await titled(page, title, `${title} is made`);
  return Number(/room\/(\d+)/.exec(page.url())[1]);
}

export async function accessible(page, where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await globalThis.axe.run(document, { runOnly: tags });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) =>
      `${node.html.slice(0, 160)} ${node.failureSummary.slice(0, 200)}`).join(" | ")}`);
  });
  equal(found, [], `axe-core on ${where}`);
}
