// The banner about a lost connection: it appears after a few seconds, and says when the page
// retries.

import { $, announce } from "./dom.js";
import { on, state } from "./state.js";
import { stream } from "./stream.js";

const AFTER_MS = 5000;
const OFFLINE_MS = 1000; // if the browser itself reports that it is offline

function link() {
  const banner = $("banner");
  const words = banner.firstElementChild;
  const patience = navigator.onLine ? AFTER_MS : OFFLINE_MS;
  const lost = stream.lostAt && Date.now() - stream.lostAt > patience;
  if (state.link === "replaced") {
    words.textContent = "Open in too many tabs. This one is paused.";
  } else if (state.link !== "open" && lost) {
    const left = Math.ceil((stream.retryAt - Date.now()) / 1000);
    const retrying = left > 0 ? `Retrying in ${left} s.` : "Retrying…";
    // Screen readers do not get the countdown: they would read it out every second.
    if (banner.hidden) announce("You're offline. Messages will be sent when you reconnect.");
    words.textContent = `You're offline. Messages will be sent when you reconnect. ${retrying}`;
  } else {
    if (!banner.hidden) announce("Connected again");
    banner.hidden = true;
    return;
  }
  banner.hidden = false;
}
setInterval(link, 500);
on("link", link);
$("retry").addEventListener("click", () => {
  if (state.link === "replaced") state.link = "lost";
  stream.retry();
});
