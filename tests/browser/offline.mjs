// The page in a real browser (Chromium): without a server, after an update of the server, and below
// the path of a proxy.
//
//     node offline.mjs [PART]...
//
// Prints a line for each failed check, the time of each part, then `N passed, N failed`.

import { createServer, request } from "node:http";
import { connect } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { equal, main, remembering, serve, that } from "./kit.mjs";
import { beGuest, inside, reads, saySurely, shows, visit, WIDE } from "./client/page.mjs";

const NEWER = "0".repeat(16);
const MARK = "\ndocument.documentElement.dataset.version = \"newer\";\n";

// A proxy that serves the server below a path, and removes the path from requests. `newer`: it
// makes the server look like a later version, with another folder name and another app.js. `named`:
// the person whom it has logged in.
async function proxy(target, below, named = "") {
  const place = { newer: false, sockets: new Set() };
  const folder = /web\/([0-9a-f]{16})\//.exec(await (await fetch(`${target.url}/sw.js`)).text())[1];
  const front = createServer((asked, answer) => {
    const { method, url, headers } = asked;
    if (named) headers["remote-user"] = named;
    if (!url.startsWith(below)) return answer.writeHead(404).end("a neighbour");
    let path = url.slice(below.length - 1);
    if (place.newer) {
      if (path.includes(folder)) return answer.writeHead(404).end();
      path = path.replace(NEWER, folder);
      delete headers["if-none-match"];
      delete headers["accept-encoding"];
    }
    const behind = request({ port: target.port, method, path, headers }, async (got) => {
      let body = Buffer.concat(await got.toArray());
      const kind = got.headers["content-type"] ?? "";
      if (place.newer && /html|javascript|manifest/.test(kind)) {
        body = body.toString().replaceAll(folder, NEWER) + (path.endsWith("/app.js") ? MARK : "");
        delete got.headers["content-length"];
        delete got.headers.etag;
      }
      answer.writeHead(got.statusCode, got.headers).end(body);
    });
    behind.on("error", () => answer.writeHead(502).end("no server"));
    asked.pipe(behind);
  });
  front.on("connection", (socket) => place.sockets.add(socket));
  front.on("upgrade", ({ url, rawHeaders }, socket, first) => {
    const lines = [`GET ${url.slice(below.length - 1)} HTTP/1.1`];
    rawHeaders.forEach((name, at) => at % 2 || lines.push(`${name}: ${rawHeaders[at + 1]}`));
    if (named) lines.push(`Remote-User: ${named}`);
    const behind = connect(target.port, "127.0.0.1");
    behind.write(`${lines.join("\r\n")}\r\n\r\n`);
    behind.write(first);
    socket.pipe(behind).pipe(socket);
    for (const [one, other] of [[socket, behind], [behind, socket]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  await new Promise((done) => { front.listen(0, "127.0.0.1", done); });
  place.url = `http://127.0.0.1:${front.address().port}${below}`;
  place.cut = () => { for (const socket of place.sockets) socket.destroy(); };
  place.end = () => {
    front.close();
    place.cut();
  };
  return place;
}

// The files that the service worker has cached, by their paths in the page.
async function kept(page) {
  return page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    const all = [];
    for (const name of await caches.keys()) {
      const keys = await (await caches.open(name)).keys();
      all.push(...keys.map(({ url }) => url.replace(location.href.split("#")[0], "")));
    }
    return all.sort();
  });
}

const version = (page) => page.evaluate(() => document.documentElement.dataset.version);
const TRYING = "Can't reach the server. Reconnecting…";

async function offline(place) {
  const { browser, folder } = place;
  const page = await visit(browser, place.server.url, WIDE, true);
  await beGuest(page, "Ann");
  await saySurely(page, "before");
  const files = await kept(page);
  const right = files.every((path) => path === "" || path.startsWith("web/"));
  that(right && files.length > 25, "the page and its files are kept, and nothing else", files);
  await page.fill("#text", "unfinished");
  await page.reload();
  await inside(page);
  await place.server.end();
  await page.reload();
  await reads(page, "#sign-in-trouble", TRYING, "the page opens without its server, and says so");
  const dressed = () => [...document.styleSheets].every((sheet) => sheet.cssRules.length > 9);
  that(await page.evaluate(dressed), "it is dressed");
  place.server = await serve(folder, place.server.port);
  await inside(page);
  await shows(page, "before", "the server is back, and so is what was said");
  equal(await page.inputValue("#text"), "unfinished", "and what was not finished");
  await page.fill("#text", "");
  await saySurely(page, "after");
  equal(await kept(page), files, "what is said is not kept");
}

async function below(place) {
  const { browser, folder } = place;
  const front = await proxy(place.server, "/chat/");
  const ann = await visit(browser, front.url, WIDE, true);
  const bob = await visit(browser, `${front.url}chats/1/entrance`, WIDE, true);
  equal(bob.url(), `${front.url}#/room/1`, "an entrance leads to the room");
  const strays = [];
  for (const page of [ann, bob]) {
    page.on("request", (one) => { if (!one.url().startsWith(front.url)) strays.push(one.url()); });
    page.on("websocket", (one) => {
      if (!one.url().startsWith(front.url.replace("http", "ws"))) strays.push(one.url());
    });
  }
  await beGuest(ann, "Ann");
  await beGuest(bob, "Bob");
  await saySurely(ann, "ahoy");
  await shows(bob, "ahoy", "below a path one chats");
  await ann.reload();
  await inside(ann);
  that(ann.url().startsWith(`${front.url}#/room/1`), "and is known again", ann.url());
  await ann.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await ann.click("#room-link");
  await reads(ann, "#toast", "copied", "a room's link is copied");
  const link = await ann.evaluate(() => navigator.clipboard.readText());
  equal(link, `${front.url}#/room/1`, "and is one from there");
  const scope = (page) => page.evaluate(async () => (await navigator.serviceWorker.ready).scope);
  equal(await scope(ann), front.url, "the service worker keeps to it");
  await kept(ann);
  await place.server.end();
  await ann.reload();
  await reads(ann, "#sign-in-trouble", TRYING, "a proxy that answers for the server is no server");
  place.server = await serve(folder, place.server.port);
  await inside(ann);
  equal(strays, [], "nothing was asked of the neighbours");
  front.end();
}

// The server below a path by itself, and a proxy that has logged the person in.
async function ownPath({ browser }) {
  const folder = mkdtempSync(join(tmpdir(), "shanty-path-"));
  const server = await serve(folder, 0, ["--base-path", "/chat"]);
  const ann = await visit(browser, `${server.url}/chat`, WIDE, true);
  equal(ann.url(), `${server.url}/chat/`, "the path gets its slash");
  await beGuest(ann, "Ann");
  await saySurely(ann, "ahoy");
  await ann.reload();
  await inside(ann);
  await shows(ann, "ahoy", "below a path of its own one chats, and is known again");
  const scope = await ann.evaluate(async () => (await navigator.serviceWorker.ready).scope);
  equal(scope, `${server.url}/chat/`, "the service worker keeps to it");
  await server.end();
  rmSync(folder, { recursive: true });
}

async function vouched({ browser }) {
  const folder = mkdtempSync(join(tmpdir(), "shanty-vouched-"));
  const flags = ["--auth-header", "Remote-User", "--trusted-proxy", "127.0.0.1"];
  const server = await serve(folder, 0, flags);
  const front = await proxy(server, "/", "ann");
  const ann = await visit(browser, front.url, WIDE, true);
  await inside(ann);
  await saySurely(ann, "nobody asked for my key");
  await ann.click("#settings");
  await reads(ann, "dialog", "To log out, log out there", "one logs out where one has logged in");
  equal(await ann.locator("dialog .danger:has-text('Log out')").count(), 0, "and not here");
  await ann.keyboard.press("Escape");
  await ann.fill("#text", "/logout");
  await ann.keyboard.press("Enter");
  await reads(ann, "#toast", "log out there", "nor by a command");
  const wrong = await proxy(server, "/", "ann@example.org");
  const zoe = await visit(browser, wrong.url, WIDE, true);
  await reads(zoe, "#sign-in-trouble", "cannot be a name here", "a name that cannot be is told");
  front.end();
  wrong.end();
  await server.end();
  rmSync(folder, { recursive: true });
}

async function newer(place) {
  const { browser } = place;
  const front = await proxy(place.server, "/");
  const ann = await visit(browser, front.url, WIDE, true);
  const bob = await visit(browser, front.url, WIDE, true);
  for (const [page, name] of [[ann, "Ann"], [bob, "Bob"]]) {
    await beGuest(page, name);
    await kept(page);
    await page.reload(); // From now on the service worker answers the page's requests.
    await inside(page);
    equal(await version(page), undefined, "the old page");
  }
  // Bob's page is hidden while the server is updated.
  await bob.evaluate(() => {
    Object.defineProperty(document, "hidden", { get: () => true });
  });
  front.newer = true;
  front.cut();
  await ann.reload();
  equal(await version(ann), "newer", "one reload, and the page is the new one");
  await bob.waitForFunction(() => document.documentElement.dataset.version === "newer").then(
    () => that(true, ""),
    () => that(false, "a page that nobody looks at becomes the new one by itself"),
  );
  await inside(ann);
  await ann.waitForFunction(async () => (await caches.keys()).length === 1);
  const files = await kept(ann);
  const right = files.every((path) => path === "" || path.startsWith(`web/${NEWER}/`));
  that(right && files.length > 25, "the old files are gone, the new ones kept", files);
  await place.server.end();
  await ann.reload();
  await reads(ann, "#sign-in-trouble", TRYING, "without a server");
  equal(await version(ann), "newer", "it is the new page, too");
  front.end();
}

async function installable({ folder, server }) {
  const context = await remembering(join(folder, "profile"));
  const page = await context.newPage();
  await page.goto(server.url);
  await kept(page);
  const devtools = await context.newCDPSession(page);
  const { installabilityErrors } = await devtools.send("Page.getInstallabilityErrors");
  equal(installabilityErrors, [], "Chromium finds that it can be installed");
  const { errors, url, manifest } = await devtools.send("Page.getAppManifest");
  equal({ errors, url }, { errors: [], url: `${server.url}/manifest.webmanifest` }, "a manifest");
  equal([manifest.startUrl, manifest.scope], [`${server.url}/`, `${server.url}/`], "its scope");
  const icons = await page.evaluate(async (url) => {
    const { icons } = await (await fetch(url)).json();
    return Promise.all(icons.map(async ({ src, sizes, type }) => {
      const image = new Image();
      image.src = src;
      await image.decode();
      return type === "image/svg+xml" || sizes === `${image.width}x${image.height}`;
    }));
  }, url);
  equal(icons, [true, true, true, true], "icons of the sizes that it names");
  const touch = await page.evaluate(() =>
    fetch(document.querySelector("link[rel=apple-touch-icon]").href).then(({ status }) => status));
  equal(touch, 200, "and one for whoever reads no manifest");
  await context.close();
}

// On phones the service worker shows notifications.
async function phone({ browser, folder, server }) {
  const bob = await visit(browser, server.url);
  await beGuest(bob, "Bob");
  const context = await remembering(join(folder, "profile"));
  await context.grantPermissions(["notifications"], { origin: server.url });
  const ann = await context.newPage();
  await ann.addInitScript(() => {
    Object.defineProperty(document, "visibilityState", {
      get: () => (globalThis.away ? "hidden" : "visible"),
    });
    globalThis.Notification = new Proxy(Notification, {
      construct() { throw new TypeError("Illegal constructor"); },
    });
    // Listing Chromium's notifications while it shows one can remove that one.
    const workers = ServiceWorkerRegistration.prototype;
    const show = workers.showNotification;
    globalThis.notified = new Promise((done) => {
      workers.showNotification = function showNotification(...options) {
        const shown = show.apply(this, options);
        shown.finally(done);
        return shown;
      };
    });
  });
  await ann.goto(server.url);
  await beGuest(ann, "Ann");
  await kept(ann);
  await ann.click("#settings");
  await ann.check("text=Show notifications");
  await ann.waitForFunction(() => localStorage.getItem("shanty:notify"));
  await ann.keyboard.press("Escape");
  await ann.evaluate(() => { globalThis.away = true; });
  await saySurely(bob, "@Ann come");
  // The shown notifications, once there are this many.
  const shown = (many) => ann.evaluate(async (many) => {
    for (let left = 150; ; left -= 1) {
      const all = await (await navigator.serviceWorker.ready).getNotifications();
      if (all.length === many || !left) return all.map(({ title, body }) => [title, body]);
      await new Promise((done) => { setTimeout(done, 100); });
    }
  }, many);
  await ann.evaluate(() => globalThis.notified);
  equal(await shown(1), [["Bob in Public Chat", "@Ann come"]], "the notification is shown");
  const touched = () => context.serviceWorkers()[0].evaluate(async () => {
    const [notification] = await registration.getNotifications();
    dispatchEvent(new NotificationEvent("notificationclick", { notification }));
  });
  await touched();
  await ann.waitForFunction(() => /room\/1\/\d+$/.test(location.hash)).then(
    () => that(true, ""),
    () => that(false, "a touch leads to the message"),
  );
  equal(await shown(0), [], "and takes the notification away");
  await context.close();
}

await main([offline, below, ownPath, vouched, newer, installable, phone]);
