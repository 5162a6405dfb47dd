// Random actions on three pages in a real browser (Chromium), while the server is killed and
// requests fail: in the end every page shows the log, and no sent message is lost or doubled.
//
//     SEED=7 STEPS=300 node chance.mjs
//
// Prints its seed, a line for each failed check, then `N passed, N failed`.

import { equal, main, serve, that } from "./kit.mjs";
import { WIDE, ask, beGuest, inside, troubles, visit } from "./client/page.mjs";

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
const STEPS = Number(process.env.STEPS ?? 200);
const ROOMS = [1, 2, 3];
const SOON = { timeout: 2000 };
const GONE = "This message was deleted.";

// A random number below `most`, repeatable by the seed (a linear congruential generator).
let state = SEED;
function below(most) {
  state = (state * 1103515245 + 12345) % 2 ** 31;
  return Math.floor(state / 2 ** 31 * most);
}

const link = (room) => `#rooms a[href="#/room/${room}"]`;

// The `seq` and the text of the page's last own message; null if there is none.
const last = (page) => page.evaluate(() => {
  const own = [...document.querySelectorAll("#messages .mine[data-seq]")].at(-1);
  return own && { seq: own.dataset.seq, text: own.querySelector(".body").innerText.trim() };
});

// Presses Enter if the field still has this text. Returns what happened to the text.
const enter = (page, text) => page.evaluate((text) => {
  const field = document.getElementById("text");
  if (field.value !== text) return "kept";
  const editing = !document.getElementById("context").hidden;
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", cancelable: true }));
  return editing ? "edited" : "said";
}, text);

// The open room on the screen, and the same room in the log, in one format.
const shown = (page) => page.evaluate(() =>
  [...document.querySelectorAll("#messages .message")].map((one) => [
    one.querySelector(".body").innerText.trim(),
    [...one.querySelectorAll(".reactions button")].map(({ title }) => title).sort().join(),
  ]));
async function logged(page, room) {
  const { messages } = await ask(page, "GET", `rooms/${room}/messages?limit=200`);
  return messages.map(({ text, reactions = {} }) => [text ?? GONE,
    Object.values(reactions).map((names) => names.join(", ")).sort().join()]);
}

async function chance(place) {
  console.log(`seed ${SEED}`);
  const pages = [];
  for (const name of ["Ann", "Bob", "Cat"]) {
    const page = await visit(place.browser, place.server.url, WIDE, true);
    await beGuest(page, name);
    pages.push(page);
  }
  const [ann] = pages;
  for (const room of ROOMS.slice(1)) {
    await ask(ann, "POST", "rooms", { title: `Room ${room}`, visibility: "public" });
    for (const page of pages) await ask(page, "PUT", `rooms/${room}/membership`, {});
  }
  for (const page of pages) for (const room of ROOMS) await page.waitForSelector(link(room));

  let words = 0;
  const said = [];
  const touched = new Set(); // messages that a page has tried to edit or delete
  const cut = new Set(); // pages whose requests fail, or take long
  const trip = async (route) => {
    if (below(2)) return route.abort();
    await new Promise((done) => { setTimeout(done, below(1500)); });
    return route.continue();
  };
  const say = async (page) => {
    const text = `word ${words += 1}`;
    await page.fill("#text", text, SOON);
    // A failed edit goes back into the field, to be sent again; only a message is sure to be sent.
    if (await enter(page, text) === "said") said.push(text);
  };
  const go = (page) => page.click(link(ROOMS[below(3)]), SOON);
  const acts = [say, say, say, say, say, go, go, go,
    async (page) => {
      if (cut.delete(page)) return page.unroute("**/api/**");
      cut.add(page);
      return page.route("**/api/**", (route) => trip(route).catch(() => {}));
    },
    async (page) => {
      if (cut.has(page)) return;
      await page.reload();
      await inside(page);
    },
    async (page) => {
      await place.server.end();
      if (below(2)) await page.waitForTimeout(below(2500));
      place.server = await serve(place.folder, place.server.port);
    },
    async (page) => {
      await page.press("#text", "ArrowUp", SOON);
      if (await page.isHidden("#context")) return;
      touched.add(await page.inputValue("#text"));
      await say(page);
    },
    async (page) => {
      const message = await last(page);
      if (!message) return;
      touched.add(message.text);
      const room = new URL(page.url()).hash.split("/")[2];
      await ask(page, "DELETE", `rooms/${room}/messages/${message.seq}`).catch(() => {});
    },
    async (page) => {
      await page.locator("#messages .message[data-seq]").last().hover(SOON);
      await page.locator(".bar button").first().click(SOON);
    },
    (page) => page.evaluate(() => { document.getElementById("log").scrollTop = 0; }),
    (page) => page.keyboard.press("Escape"),
    (page) => page.waitForTimeout(below(800)),
  ];
  for (let step = 0; step < STEPS; step += 1) {
    const page = pages[below(pages.length)];
    // The element may be missing: then the action is impossible.
    await acts[below(acts.length)](page).catch((error) => {
      if (error.name !== "TimeoutError") throw error;
    });
  }

  for (const page of cut) await page.unroute("**/api/**");
  for (const page of pages) {
    await page.waitForFunction(() => document.getElementById("banner").hidden
      && !Object.keys(localStorage).some((key) => key.endsWith(":outbox")), null,
    { timeout: 60_000 });
  }
  await ann.waitForTimeout(1000);
  const stand = [];
  for (const room of ROOMS) {
    const log = await logged(ann, room);
    stand.push(...log.map(([text]) => text).filter((text) => text !== GONE));
    for (const [at, page] of pages.entries()) {
      await page.click(link(room));
      await page.keyboard.press("Escape");
      await page.waitForTimeout(1000); // Long enough to count as read.
      const found = await shown(page);
      equal(found.slice(-40), log.slice(-40), `what page ${at} shows of room ${room}`);
    }
  }
  equal(stand.filter((text, at) => stand.indexOf(text) !== at), [], "nothing stands twice");
  equal(said.filter((text) => !touched.has(text) && !stand.includes(text)), [], "nothing is lost");
  for (const [at, page] of pages.entries()) {
    await page.waitForFunction(async () => {
      const { rooms } = await (await fetch("/api/v1/rooms")).json();
      return !rooms.some((room) => room.member && room.unread);
    }, null, { polling: 500 }).catch(() => that(false, `what page ${at} has read is read`));
  }
  that(said.length > STEPS / 20, "enough was said", said.length);
  equal(troubles, [], "the browser complains of nothing");
}

await main([chance]);
