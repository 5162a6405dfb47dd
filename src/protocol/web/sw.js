// The service worker: it caches the page's files, so that the page also opens without a connection.
// It caches all files of one version or none, and never a message or another answer of the server.

// The build completes these. The folder's name contains a hash of the files.
const FOLDER = "web/";
const FILES = [];

const WAIT_MS = 4000;
// Another instance of the page may be served by the same host, below another path.
const OURS = `shanty ${registration.scope} `;
const CACHE = OURS + FOLDER;

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(fill());
});

async function fill() {
  const page = await fetch("./", { cache: "no-cache" });
  // The server may have been updated since it sent this script: then this installation fails, and
  // the browser installs the new server's script later.
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

// Answers with the server's page, so that an update arrives. If the server does not answer, or only
// a proxy answers with an error, answers with the cached page.
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

// A file in the folder never changes, so a cached copy is always right.
async function file(request) {
  return await caches.match(request, { cacheName: CACHE }) ?? fetch(request);
}

// A click on a notification shows its message: in an open page, or else in a new one.
addEventListener("notificationclick", (event) => {
  const { notification } = event;
  notification.close();
  event.waitUntil(lead(notification.data));
});

async function lead(address) {
  const [page] = await clients.matchAll({ type: "window", includeUncontrolled: true });
  if (!page) return clients.openWindow(`./${address}`);
  await page.focus().catch(() => {}); // The browser may forbid it.
  page.postMessage(address);
}
