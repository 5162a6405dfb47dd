// What the parts of the page's suite share: pages of somebody's own, what one does on them, and
// what a browser complains of.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { equal, that } from "../kit.mjs";

const PATIENCE_MS = 15_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const WIDE = { viewport: { width: 1280, height: 800 }, colorScheme: "light" };
export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true,
  colorScheme: "dark" };
export const MARKUP = "<img src=x onerror=\"document.title='broken'\"><b>bold</b>&amp;";

// Websockets that can be cut, and that then do not get through.
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

// A page in a window of which the test says whether it is in front (`front`), and whose
// notifications can be looked at (`shown`: those that are not closed). For `prepare` of `visit`.
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

// What browsers complained of, on any page.
export const troubles = [];

// A page of somebody's own; `down`: while the server is, browsers complain, and rightly.
export async function visit(browser, url, options = WIDE, down = false, prepare = () => {}) {
  const page = await (await browser.newContext(options)).newPage();
  await prepare(page);
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("pageerror", (error) => troubles.push(error.stack));
  page.on("console", (said) => {
    // Browsers note every 4xx, among them the question whether somebody is logged in.
    const noted = /status of 4\d\d|ERR_NETWORK_CHANGED/.test(said.text()) || down;
    if (said.type() === "error" && !noted) troubles.push(said.text());
  });
  // A network that changes on this machine stops what is being loaded.
  let changed = false;
  page.on("requestfailed", (one) => {
    changed ||= one.failure()?.errorText === "net::ERR_NETWORK_CHANGED";
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

// Asks the server something in the page's name.
export function ask(page, method, path, body) {
  return page.evaluate(async ([method, path, body]) => {
    const response = await fetch(`/api/v1/${path}`, { method, body: JSON.stringify(body) });
    return { status: response.status, ...await response.json().catch(() => ({})) };
  }, [method, path, body]);
}

// An account of that name, made beforehand; its key.
export async function account(url, name) {
  const body = JSON.stringify({ name });
  const response = await fetch(`${url}/api/v1/accounts`, { method: "POST", body });
  return (await response.json()).key;
}

// Logs in with a key, at the door.
export async function logIn(page, key) {
  await page.click("#login-part summary");
  await page.fill("#login-key", key);
  await page.press("#login-key", "Enter");
  await inside(page);
}

export const inside = (page) => page.waitForSelector("#composer:not([hidden])");

// A registered person's page.
export async function beSomebody(browser, url, name, options = WIDE, prepare = undefined) {
  const page = await visit(browser, url, options, false, prepare);
  await logIn(page, await account(url, name));
  return page;
}

export async function say(page, text) {
  await page.fill("#text", text);
  await page.click("#composer .send");
}

// The newest of one's own messages that stands, if it is newer than that; otherwise 0.
function newestOwn(than) {
  const own = [...document.querySelectorAll("#messages .mine[data-seq]")];
  const newest = Math.max(0, ...own.map((one) => Number(one.dataset.seq)));
  return newest > than ? newest : 0;
}

// Says it, and waits until it stands.
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

// Waits until an element's text is, or holds, the words.
export async function reads(page, selector, words, what) {
  const holds = ([selector, words]) =>
    [...document.querySelectorAll(selector)].some((one) => one.textContent.includes(words));
  await page.waitForFunction(holds, [selector, words]).then(
    () => that(true, what),
    async () => that(false, what, await page.locator(selector).allInnerTexts()),
  );
}

export const titled = (page, title, what = `in ${title}`) => reads(page, "#title", title, what);

// Makes a room by its form.
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
