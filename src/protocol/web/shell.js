// Registers the service worker (sw.js), which caches the page, so that the page also opens without
// a connection. Browsers have service workers on secure origins only.

import { $ } from "./dom.js";
import { on, state } from "./state.js";

const workers = navigator.serviceWorker;

async function register() {
  const registration = await workers.register("sw.js").catch(() => null);
  // While the connection was lost, the server may have been updated.
  on("link", () => { if (state.link === "open") registration?.update().catch(() => {}); });
}

// A page that stays open for weeks still has to be updated. It reloads while it is hidden, unless
// the reader is signing in, writing, or in a dialog.
let outdated = false;
function reload() {
  const busy = !state.me || $("text").value || document.querySelector("dialog[open]");
  if (outdated && document.hidden && !busy) location.reload();
}

if (workers) {
  const before = workers.controller;
  workers.addEventListener("controllerchange", () => {
    outdated = Boolean(before);
    reload();
  });
  document.addEventListener("visibilitychange", reload);
  register();
}
