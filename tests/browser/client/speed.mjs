// The page's speed, by the browser's performance entries: only reported, as machines differ. The
// checks concern the amount of work.

import { that } from "../kit.mjs";
import { beSomebody, account, ask, logIn, inside, reads, visit } from "./page.mjs";

const MANY = 10_000;
const SECONDS = 8;
const RATE = 50;

// Records the browser's performance entries: long tasks, and the latency of key presses.
const WATCH = () => {
  globalThis.told = { tasks: [], keys: [] };
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) globalThis.told.tasks.push(Math.round(duration));
  }).observe({ type: "longtask", buffered: true });
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) {
      if (!["keydown", "keypress", "input", "keyup"].includes(one.name)) continue;
      const { startTime, duration, processingStart: start, processingEnd: end } = one;
      globalThis.told.keys.push({ duration, waited: start - startTime, work: end - start });
    }
  }).observe({ type: "event", buffered: true, durationThreshold: 16 });
};

const say = (what, figures) => console.log(`  ${what}: ${figures}`);

const at = (values, part) => [...values].sort((one, other) => one - other)
  .at(Math.min(values.length - 1, Math.floor(values.length * part))) ?? 0;

export async function speed({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann");
  const { id } = await ask(ann, "POST", "rooms", { title: "Long", visibility: "public" });
  await fill(server.url, await account(server.url, "Bob"), id, MANY);
  const prepare = (page) => page.addInitScript(WATCH);
  const page = await visit(browser, server.url, undefined, false, prepare);
  await logIn(page, await account(server.url, "Cid"));
  await ask(page, "PUT", `rooms/${id}/membership`);
  await page.keyboard.press("Control+k");
  await reads(page, "[role=option]", "Long", "the long room");
  await page.keyboard.press("Escape");

  // From the click to the frame that shows the newest message.
  const open = () => page.evaluate((id) => new Promise((done) => {
    const list = document.getElementById("messages");
    const watch = new MutationObserver(() => {
      if (!list.textContent.includes("message 9999")) return;
      watch.disconnect();
      requestAnimationFrame(() => setTimeout(() => {
        performance.measure("open", "click");
        done(Math.round(performance.getEntriesByName("open").at(-1).duration));
      }));
    });
    watch.observe(list, { childList: true, subtree: true });
    performance.clearMarks();
    performance.mark("click");
    document.querySelector(`a[href="#/room/${id}"]`).click();
  }), id);
  const opened = [];
  for (let time = 0; time < 5; time += 1) {
    opened.push(await open());
    await page.goto(`${server.url}/#/room/1`);
    if (time < 2) await page.reload();
    await inside(page);
    await page.waitForSelector(`a[href="#/room/${id}"]`);
  }
  say(`opening a room with ${MANY} messages, ms, from the click to the frame`, opened.join(" "));
  await open();
  const nodes = () => page.evaluate(() => document.querySelectorAll("#messages *").length);
  const shown = () => page.locator("#messages .message").count();
  that(await shown() <= 160, "few are loaded", await shown());

  // Typing, in a quiet room and in a busy one.
  await watch(page);
  await typing(page, "nobody talks");
  const talking = talk(server.url, await account(server.url, "Dee"), id);
  await typing(page, `${RATE} messages a second arrive`);
  const said = await talking;
  await reads(page, "#messages", `talk ${said - 1}`, "all are shown");
  that(await shown() <= 300, "the list is bounded", await shown());
  that(await nodes() < 6000, "and so is the page", await nodes());
  say("elements in the list at the end", await nodes());
}

// A headless browser draws few frames for a page that nobody sees; a screencast makes it draw.
async function watch(page) {
  const devtools = await page.context().newCDPSession(page);
  devtools.on("Page.screencastFrame", ({ sessionId }) => {
    devtools.send("Page.screencastFrameAck", { sessionId }).catch(() => {});
  });
  await devtools.send("Page.startScreencast", { format: "jpeg", quality: 20 });
}

async function typing(page, when) {
  await page.fill("#text", "");
  await page.focus("#text");
  await page.evaluate(() => { globalThis.told.tasks = []; globalThis.told.keys = []; });
  const text = "the quick brown fox jumps over the lazy dog ";
  const began = Date.now();
  let typed = 0;
  while (Date.now() - began < SECONDS * 1000) {
    await page.keyboard.type(text[typed % text.length]);
    typed += 1;
    await page.waitForTimeout(40);
  }
  const { tasks, keys } = await page.evaluate(() => globalThis.told);
  const lasted = keys.map(({ duration }) => duration);
  const waited = keys.map((one) => one.waited);
  const work = keys.map((one) => one.work);
  const most = (values) => `95 % ${at(values, 0.95).toFixed(0)}, most ${at(values, 1).toFixed(0)}`;
  say(`typing ${typed} keys in ${SECONDS} s while ${when}, ms`, [
    `to the next frame median ${at(lasted, 0.5)}, ${most(lasted)}`,
    `until the page hears of it ${most(waited)}`, `in its handlers ${most(work)}`,
    `${tasks.length} long tasks, most ${Math.max(0, ...tasks)}`].join("; "));
  that((await page.inputValue("#text")).length === typed, "every key arrived");
}

const put = (url, key, room, id, text) => fetch(`${url}/api/v1/rooms/${room}/messages/${id}`, {
  method: "PUT", body: JSON.stringify({ text }), headers: { Authorization: `Bearer ${key}` },
}).then((response) => {
  if (response.status !== 201) throw new Error(`${id}: ${response.status}`);
});

async function member(url, key, room) {
  const headers = { Authorization: `Bearer ${key}` };
  await fetch(`${url}/api/v1/rooms/${room}/membership`, { method: "PUT", headers, body: "{}" });
}

async function fill(url, key, room, many) {
  await member(url, key, room);
  for (let from = 0; from < many; from += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, i) =>
      put(url, key, room, `n${from + i}`, `message ${from + i} with *some* \`code\` in it`)));
  }
}

async function talk(url, key, room) {
  await member(url, key, room);
  const began = Date.now();
  const all = [];
  while (Date.now() - began < SECONDS * 1000) {
    while (all.length < (Date.now() - began) * RATE / 1000) {
      all.push(put(url, key, room, `t${all.length}`, `talk ${all.length} and **so** on 👍`));
    }
    await new Promise((done) => { setTimeout(done, 5); });
  }
  await Promise.all(all);
  return all.length;
}
