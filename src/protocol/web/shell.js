// The page opens without a connection, too: a service worker keeps it (sw.js). Browsers have them
// on secure origins only.

import { $ } from "./dom.js";
import { on, state } from "./state.js";

const workers = navigator.serviceWorker;

async function keep() {
  const registration = await workers.register("sw.js").catch(() => null);
  // After a reconnect the server may be a newer version.
  on("link", () => { if (state.link === "open") registration?.update().catch(() => {}); });
}

// A page that stays open for weeks would stay what it was. It becomes the newer one while nobody
// looks, unless somebody is in the middle of something.
let renewed = false;
function renew() {
  const busy = !state.me || $("text").value || document.querySelector("dialog[open]");
  if (renewed && document.hidden && !busy) location.reload();
}

if (workers) {
  const before = workers.controller;
  workers.addEventListener("controllerchange", () => {
    renewed = Boolean(before);
    renew();
  });
  document.addEventListener("visibilitychange", renew);
  keep();
}
