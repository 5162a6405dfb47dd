// Keeps the page in this browser, so that it opens without a connection, too. It holds the files
// of one version, all or none; what people say, and all else that the server answers, it never
// touches.

// The build completes these: the folder's name changes with whatever is in it.
const FOLDER = "web/";
const FILES = [];

const WAIT_MS = 4000;
// Other chats may live on the same host, below other paths.
const OURS = `shanty ${registration.scope} `;
const CACHE = OURS + FOLDER;

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(fill());
});

async function fill() {
  const page = await fetch("./", { cache: "no-cache" });
  // The server may have become another one since it gave us this script; the next one is right.
  if (!page.ok || !(await page.clone().text()).includes(FOLDER)) throw new Error("another version");
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES.map((name) => FOLDER + name));
  await cache.put("./", page);
}

addEventListener("activate", (event) => event.waitUntil(forget()));

async function forget() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(OURS) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
}

addEventListener("fetch", (event) => {
  const { request } = event;
  const path = request.url.replace(registration.scope, "").replace(/[?#].*/, "");
  if (request.mode === "navigate" && path === "") event.respondWith(page(request));
  else if (path.startsWith(FOLDER)) event.respondWith(file(request));
});

// The server's page, so that nobody stays with an old one; the kept one where there is no server,
// or only a proxy before it that says so.
async function page(request) {
  const kept = await caches.match("./", { cacheName: CACHE });
  try {
    const answer = await fetch(request, kept && { signal: AbortSignal.timeout(WAIT_MS) });
    return kept && answer.status >= 500 ? kept : answer;
  } catch (failure) {
    if (kept) return kept;
    throw failure;
  }
}

// What is in the folder never changes.
async function file(request) {
  return await caches.match(request, { cacheName: CACHE }) ?? fetch(request);
}

// A notification leads to its message, in a page that is open if there is one.
addEventListener("notificationclick", (event) => {
  const { notification } = event;
  notification.close();
  event.waitUntil(lead(notification.data));
});

async function lead(address) {
  const [page] = await clients.matchAll({ type: "window", includeUncontrolled: true });
  if (!page) return clients.openWindow(`./${address}`);
  await page.focus().catch(() => {}); // Browsers decide whether we may.
  page.postMessage(address);
}
