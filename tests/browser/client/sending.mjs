// Sending and receiving while the server or the network fails: every message appears once and in
// order on every screen. And long histories.

import { equal, serve, that } from "../kit.mjs";
import { CUT, WIDE, accessible, ask, beGuest, bodies, reads, say, saySurely, shows,
  visit } from "./page.mjs";

// The server is killed: between a send and its answer, while many messages are on their way, and
// while the page is closed.
export async function killed(place) {
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
    await route.fetch(); // The log has the message; its answer never arrives.
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
  await reads(ann, "#banner", "Retrying in", "and when it tries again");
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
}

// A long history: it opens soon, loads while the reader scrolls, keeps the reader's place, and is
// bounded.
export async function long({ browser, server }) {
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
  // A reader at the very top stays at the same message when older ones appear above it.
  const top = await bob.evaluate(() => {
    document.getElementById("log").scrollTop = 0;
    const first = document.querySelector(".message");
    return { seq: first.dataset.seq, top: first.getBoundingClientRect().top };
  });
  const before = await count();
  await bob.waitForFunction((before) => document.querySelectorAll(".message").length > before,
    before);
  const moved = await bob.evaluate(({ seq, top }) => Math.abs(top
    - document.querySelector(`[data-seq="${seq}"]`).getBoundingClientRect().top), top);
  that(moved < 40, "the place at the top is kept", moved);
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
}

// After a lost connection the missed messages appear, once and in order.
export async function away({ browser, server }) {
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
  // A room that has not been loaded is opened without a connection.
  const blue = { title: "The Blue", visibility: "public" };
  const { id } = await ask(bob, "POST", "rooms", blue);
  await bob.waitForSelector(`[href="#/room/${id}"]`);
  await bob.context().setOffline(true);
  await bob.evaluate(() => globalThis.cut());
  await bob.click(`[href="#/room/${id}"]`);
  await reads(bob, "#toast", "Can't reach", "its history cannot be had");
  await say(bob, "into the blue");
  await shows(bob, "into the blue", "what one writes is shown all the same", ".pending");
  await bob.evaluate(() => { globalThis.blocked = false; });
  await bob.context().setOffline(false);
  await shows(bob, "into the blue", "and sent", ".message[data-seq]");
  await reads(bob, "#start", "This is the start of", "and the history comes");
  await bob.click('[href="#/room/1"]');
  await shows(bob, "line 4", "back");
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
  // Websockets are blocked: the page uses server-sent events.
  await bob.evaluate(() => globalThis.cut());
  await reads(bob, "#toast", "Using server-sent events", "the page says that it goes another way");
  await say(ann, "by another way");
  await shows(bob, "by another way", "without websockets");
  await say(bob, "heard");
  await shows(ann, "heard", "both ways");
  await bob.click("#settings");
  await reads(bob, "dialog", "server-sent events: ", "the settings say so, too");
  await bob.keyboard.press("Escape");
  await bob.fill("#text", "typing");
  await saySurely(ann, "and on");
  await shows(bob, "and on", "it goes on");
}
