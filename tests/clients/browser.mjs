// A real browser (Chromium) against a server: the trial page, and a page of one's own making.
//
//     node browser.mjs [FOLDER]
//
// Two people chat on the trial page, one registered and one a guest; markup as a message and as a
// name stays text. A private room is entered from a page with the token as subprotocol, the only
// way that browsers have. Screenshots, light and dark and as narrow as a phone, go to FOLDER, or to
// a temporary one. Prints a line for each check that fails, then `N passed, N failed`.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const BINARY = process.env.SHANTY ?? join(ROOT, "target", "debug", "shanty");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const MARKUP = "<img src=x onerror=\"document.title='broken'\"><b>bold</b>&amp;";
const PATIENCE_MS = 5000;

let passed = 0;
let failed = 0;

function that(ok, what, found = "") {
  if (ok) passed += 1;
  else {
    failed += 1;
    console.log(`FAILED ${what}`, found);
  }
}

function equal(found, wanted, what) {
  that(JSON.stringify(found) === JSON.stringify(wanted), what, { found, wanted });
}

// Starts the server on a port of its choice; its origin, and how to end it.
async function serve(folder) {
  const words = ["--listen", "127.0.0.1:0", "--db", join(folder, "shanty.db"), "--log", "warn"];
  const server = spawn(BINARY, words, { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: server.stdout })) {
    const found = line.match(/http:\/\/[0-9.]+:\d+/);
    if (found) return { url: found[0], end: () => server.kill("SIGKILL") };
  }
  throw new Error("the server does not start");
}

// What a page would do that wants to chat in a private room.
async function privateRoom(context, url) {
  const page = await context.newPage();
  await page.goto(url);
  const outcome = await page.evaluate(async () => {
    const post = async (path, body) => {
      const response = await fetch(path, { method: "POST", body: JSON.stringify(body) });
      return response.json();
    };
    const password = "correct horse";
    const { id } = await post("/chats", { title: "Cabin", visibility: "private", password });
    const { token } = await post(`/chats/${id}/token`, { name: "david", secret: password });
    const refused = await new Promise((done) => {
      const socket = new WebSocket(`ws://${location.host}/chats/${id}/ws`);
      socket.onopen = () => done(false);
      socket.onerror = () => done(true);
    });
    return new Promise((done) => {
      const socket = new WebSocket(`ws://${location.host}/chats/${id}/ws`, token);
      const heard = [];
      socket.onopen = () => {
        for (const event_type of ["join", "send"]) {
          socket.send(JSON.stringify({ event_type, name: "david", msg: "aye 💣" }));
        }
      };
      socket.onmessage = ({ data }) => {
        heard.push(JSON.parse(data).msg);
        if (heard.length === 2) socket.close(1000);
      };
      socket.onclose = ({ code, wasClean }) => done({
        heard, code, wasClean, refused, echoed: socket.protocol === token,
        extensions: socket.extensions,
      });
    });
  });
  const heard = ["david entered the room.", "aye 💣"];
  const wanted = { heard, code: 1000, wasClean: true, refused: true, echoed: true, extensions: "" };
  equal(outcome, wanted, "a private room, the token as subprotocol");
  const foreign = await context.newPage();
  await foreign.route("http://foreign.example/", (route) => route.fulfill({ body: "<p>hello" }));
  await foreign.goto("http://foreign.example/");
  const read = await foreign.evaluate(async (from) => {
    return fetch(`${from}/chats`).then((response) => response.status, () => "refused");
  }, url);
  equal(read, "refused", "a foreign page reads nothing");
  await Promise.all([page.close(), foreign.close()]);
}

// Whether a line with both texts is on the page's log.
async function shows(page, text, what) {
  const line = page.locator("#log li").filter({ hasText: text }).last();
  await line.waitFor({ timeout: PATIENCE_MS }).then(
    () => that(true, what),
    async () => that(false, what, await page.locator("#log").innerText()),
  );
}

async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

async function trialPage(browser, url, shots) {
  const wide = { viewport: { width: 1100, height: 700 } };
  const anne = await (await browser.newContext({ ...wide, colorScheme: "light" })).newPage();
  const phone = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };
  const guest = await (await browser.newContext({ ...phone, colorScheme: "dark" })).newPage();
  const troubles = [];
  for (const page of [anne, guest]) {
    page.on("pageerror", (error) => troubles.push(String(error)));
    page.on("console", (said) => {
      // Browsers note every 4xx, among them the questions whether somebody is logged in.
      const is4xx = /status of 4\d\d/.test(said.text());
      if (said.type() === "error" && !is4xx) troubles.push(said.text());
    });
    await page.goto(url);
  }
  await anne.screenshot({ path: join(shots, "door-light.png") });
  await guest.screenshot({ path: join(shots, "door-dark-phone.png") });
  await anne.fill("#guest [name=name]", "not a name!");
  await anne.click("#register");
  await anne.waitForFunction(() => document.getElementById("trouble").textContent !== "");
  await anne.screenshot({ path: join(shots, "door-trouble.png") });
  await anne.fill("#guest [name=name]", "Anne");
  await anne.click("#register");
  await anne.locator("#fresh").waitFor();
  that(/^[0-9a-f]{64}$/.test(await anne.textContent("#key")), "the key is shown");
  await anne.screenshot({ path: join(shots, "door-registered.png") });
  await anne.click("#login button");
  await anne.locator("#chat").waitFor();
  await guest.fill("#guest [name=name]", "Zoë ☠");
  await guest.click("#guest button:not([type=button])");
  await shows(anne, "Zoë ☠ entered the room.", "the registered one sees the guest come");
  await say(anne, "Ahoy!");
  await shows(guest, "Ahoy!", "the guest reads");
  await say(guest, "Aye, captain 🏴‍☠️ שלום");
  await shows(anne, "Aye, captain 🏴‍☠️ שלום", "the registered one reads");
  await say(guest, MARKUP);
  await shows(anne, MARKUP, "markup as a message is text");
  await say(anne, "A longer one: " + "the quick brown fox jumps over the lazy dog. ".repeat(6));
  await say(guest, "x".repeat(200));
  await shows(anne, "x".repeat(200), "a long word");

  const name = "<b onclick=alert(1)>Mallory</b>";
  const third = await (await browser.newContext(wide)).newPage();
  await third.goto(url);
  await third.fill("#guest [name=name]", name);
  await third.press("#guest [name=name]", "Enter");
  await shows(anne, `${name} entered the room.`, "markup as a name is text");
  await say(third, "I am text");
  await shows(guest, `${name}`, "everywhere");
  for (const page of [anne, guest, third]) {
    equal(await page.locator("#log img, #log li b b, #log script").count(), 0, "no markup inside");
    equal(await page.title(), "Shanty", "nothing ran");
    const fits = await page.evaluate(() => {
      const { scrollWidth, clientWidth, scrollHeight, clientHeight } = document.documentElement;
      return scrollWidth <= clientWidth && scrollHeight <= clientHeight;
    });
    that(fits, "the page does not scroll, only the log does");
  }
  await third.close();
  await shows(anne, `${name} has left the room.`, "who closes the page leaves");
  await anne.screenshot({ path: join(shots, "chat-light.png") });
  await guest.screenshot({ path: join(shots, "chat-dark-phone.png") });

  const again = await (await browser.newContext({ ...wide, colorScheme: "dark" })).newPage();
  await again.goto(url);
  await again.fill("#guest [name=name]", "ANNE");
  await again.press("#guest [name=name]", "Enter");
  await again.waitForFunction(() => document.getElementById("trouble").textContent !== "");
  that(await again.isVisible("#door"), "a name that is taken leads back to the door");
  await again.screenshot({ path: join(shots, "door-dark-taken.png") });
  await again.close();

  for (let number = 1; number <= 60; number += 1) await say(guest, `line ${number}`);
  await shows(anne, "line 60", "many lines");
  const bottom = await anne.$eval("#log", (log) => {
    return log.scrollHeight - log.scrollTop - log.clientHeight;
  });
  that(bottom < 2, "the log stays at its end", bottom);
  await anne.screenshot({ path: join(shots, "chat-light-full.png") });
  await anne.emulateMedia({ colorScheme: "dark" });
  await anne.screenshot({ path: join(shots, "chat-dark.png") });
  await guest.emulateMedia({ colorScheme: "light" });
  await guest.screenshot({ path: join(shots, "chat-light-phone.png") });
  await anne.reload();
  await anne.locator("#chat").waitFor();
  that(true, "who is logged in comes right in");
  await anne.click("#out");
  await anne.locator("#door").waitFor();
  await shows(guest, "Anne has left the room.", "Anne leaves");
  await anne.reload();
  await anne.waitForTimeout(300);
  that(await anne.isVisible("#door"), "and is logged out");
  equal(troubles, [], "the browser complains of nothing");
}

const folder = mkdtempSync(join(tmpdir(), "shanty-browser-"));
const shots = process.argv[2] ?? mkdtempSync(join(tmpdir(), "shanty-screenshots-"));
const server = await serve(folder);
const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
try {
  await privateRoom(await browser.newContext(), server.url);
  await trialPage(browser, server.url, shots);
} catch (error) {
  that(false, "ran to its end", error);
} finally {
  await browser.close();
  server.end();
  rmSync(folder, { recursive: true });
}
console.log(`screenshots: ${shots}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
