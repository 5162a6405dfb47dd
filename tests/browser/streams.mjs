// The stream of `/api/v1/events` in a real browser (Chromium) and in curl, while the server is
// killed with -9 and started again on the same port.
//
//     node streams.mjs
//
// A page's EventSource reconnects by itself and sends its position in `Last-Event-ID`; its
// WebSocket and curl send it in `since`. Each receives every message once. Prints a line for each
// failed check, then `N passed, N failed`.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { equal, main, serve } from "./kit.mjs";

const PATIENCE_MS = 30000;

async function ask(url, method, path, body, key) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const text = JSON.stringify(body);
  const response = await fetch(`${url}/api/v1${path}`, { method, headers, body: text });
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
  return response.json();
}

// Opens streams in the page; records the messages, and the start of each connection.
function listen() {
  window.said = [];
  window.opened = [];
  window.known = "";
  const take = (frame) => {
    if (frame.type === "open") window.opened.push(frame.seq);
    if (frame.type === "message") window.said.push(frame.text);
    return frame;
  };
  window.source = new EventSource("/api/v1/events");
  window.source.onmessage = ({ data, lastEventId }) => {
    take(JSON.parse(data));
    if (lastEventId) window.known = lastEventId;
  };
}

function listenByWebSocket() {
  window.said = [];
  window.opened = [];
  let epoch = "";
  let seq = null;
  const connect = () => {
    const since = seq === null ? "" : `?since=${epoch}:${seq}`;
    const socket = new WebSocket(`ws://${location.host}/api/v1/events${since}`);
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.type === "open") {
        window.opened.push(frame.seq);
        epoch = frame.epoch;
      }
      if (frame.type === "message") window.said.push(frame.text);
      if (frame.seq !== undefined) seq = frame.seq;
      window.known = `${epoch}:${seq}`;
    };
    socket.onclose = () => setTimeout(connect, 200);
  };
  connect();
}

class Curl {
  constructor(url, key, since) {
    this.said = [];
    this.seq = null;
    const path = `/api/v1/events${since ? `?since=${since}` : ""}`;
    const words = ["-sS", "-N", "-H", `Authorization: Bearer ${key}`, `${url}${path}`];
    this.child = spawn("curl", words, { stdio: ["ignore", "pipe", "ignore"] });
    this.over = new Promise((done) => this.child.on("exit", done));
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      const frame = JSON.parse(line);
      if (frame.type === "open") this.epoch = frame.epoch;
      if (frame.type === "message") this.said.push(frame.text);
      if (frame.seq !== undefined) this.seq = frame.seq;
    });
  }
}

async function until(what, holds) {
  const start = Date.now();
  while (!(await holds())) {
    if (Date.now() - start > PATIENCE_MS) throw new Error(`waited in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

async function streams(place) {
  const { browser, folder } = place;
  const { url, port } = place.server;
  const { key } = await ask(url, "POST", "/accounts", { name: "Ann" });
  const pages = [];
  for (const script of [listen, listenByWebSocket]) {
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${url}/healthz`);
    await page.evaluate((key) => fetch("/api/v1/sessions", {
      method: "POST", body: JSON.stringify({ key, remember: true }),
    }), key);
    await page.evaluate(script);
    await page.waitForFunction(() => window.opened.length === 1);
    pages.push(page);
  }
  let curl = new Curl(url, key);
  await until("curl listens", () => curl.seq !== null);
  const texts = [];
  let count = 0;
  const say = async (what) => {
    count += 1;
    const path = `/rooms/1/messages/s${count}`;
    await ask(url, "PUT", path, { text: what }, key);
    texts.push(what);
  };
  const said = (page) => page.evaluate(() => window.said);
  for (let round = 0; round < 3; round += 1) {
    for (let number = 0; number < 5; number += 1) await say(`live ${round}.${number}`);
    for (const page of pages) {
      await until("a page hears", async () => (await said(page)).length >= texts.length);
    }
    await until("curl hears", () => curl.said.length >= texts.length);
    const known = [];
    for (const page of pages) known.push(await page.evaluate(() => window.known));
    await place.server.end();
    await curl.over;
    place.server = await serve(folder, port);
    for (let number = 0; number < 5; number += 1) await say(`missed ${round}.${number}`);
    const before = curl;
    curl = new Curl(url, key, `${before.epoch}:${before.seq}`);
    curl.said = before.said;
    await until("curl comes back", () => curl.said.length >= texts.length);
    for (const [index, page] of pages.entries()) {
      await until("a page comes back", async () => (await said(page)).length >= texts.length);
      const opened = await page.evaluate(() => window.opened);
      equal(opened.length, round + 2, "one connection more");
      equal(opened.at(-1), Number(known[index].split(":")[1]), "it goes on where it was");
    }
  }
  await say("the end");
  for (const page of pages) {
    await until("the end", async () => (await said(page)).includes("the end"));
    equal(await said(page), texts, "every message once, in order");
  }
  await until("the end", () => curl.said.includes("the end"));
  equal(curl.said, texts, "curl hears every message once, in order");
}

await main([streams]);
