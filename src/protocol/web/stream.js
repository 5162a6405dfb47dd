// The stream of events: a websocket, or server-sent events if something blocks websockets. After a
// lost connection it resumes at its position, `<epoch>:<seq>`.

import { get, putOut } from "./api.js";
import { toast } from "./dom.js";
import { state, tell } from "./state.js";

const SILENCE_MS = 60_000; // The server sends a frame every 25 s at least.
const RETRY_MS_MAX = 30_000;
const BLOCKED_AFTER = 2; // Websockets are blocked if this many fail while the server answers.

let socket = null;
let source = null;
let cursor = null; // {epoch, seq}
let failures = 0;
let blocked = 0;
let timer = 0;
let watch = 0;
let pausedUntil = 0; // until then nothing is sent
let warned = false; // the reader knows that websockets are blocked
let running = false;
let hear = () => {};

export const stream = {
  retryAt: 0,
  lostAt: 0,
  get slow() { return Boolean(source); },

  start(listener) {
    hear = listener;
    running = true;
    cursor = null;
    failures = 0;
    drop();
    connect();
  },

  stop() {
    running = false;
    clearTimeout(timer);
    drop();
  },

  // Connects without a position: the page loads everything again instead.
  afresh() {
    cursor = null;
    this.retry();
  },

  retry() {
    if (!running) return;
    drop();
    connect();
  },

  // Sends a frame that may get lost; drops it while the server has asked the page to wait.
  say(frame) {
    if (pausedUntil > Date.now() || socket?.readyState !== WebSocket.OPEN) return;
    socket.send(JSON.stringify(frame));
  },
};

function drop() {
  clearTimeout(watch);
  const old = socket;
  socket = null;
  if (old) {
    old.onmessage = old.onclose = null;
    old.close();
  }
  source?.close();
  source = null;
}

function connect() {
  clearTimeout(timer);
  stream.retryAt = 0;
  if (state.link !== "lost") state.link = "opening";
  stream.lostAt ||= Date.now();
  tell("link");
  const path = `api/v1/events${cursor ? `?since=${cursor.epoch}:${cursor.seq}` : ""}`;
  if (blocked >= BLOCKED_AFTER) {
    source = new EventSource(path);
    if (!warned) toast("WebSocket is blocked. Using server-sent events.");
    warned = true;
    source.onmessage = ({ data }) => take(data);
    source.onerror = () => lose(1006);
  } else {
    const url = new URL(path, document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    socket = new WebSocket(url);
    let opened = false;
    socket.onopen = () => { opened = true; };
    socket.onmessage = ({ data }) => take(data);
    socket.onclose = ({ code }) => lose(code, opened);
  }
  guard();
}

// A connection that stays silent for long is dead, even if the browser reports it as open.
function guard() {
  clearTimeout(watch);
  watch = setTimeout(() => lose(1006, true), state.link === "open" ? SILENCE_MS : 15_000);
}

function take(data) {
  const frame = JSON.parse(data);
  guard();
  switch (frame.type) {
    case "open":
      failures = 0;
      if (socket) blocked = 0;
      state.link = "open";
      stream.lostAt = 0;
      hear({ ...frame, fresh: !cursor });
      cursor ??= { epoch: frame.epoch, seq: frame.seq };
      tell("link");
      return;
    case "reset":
      cursor = { epoch: frame.epoch, seq: frame.seq };
      break;
    case "bye":
      if (frame.code === "replaced") state.link = "replaced";
      if (frame.code === "banned") putOut("banned", "You're banned from this server.");
      return;
    case "error":
      if (frame.error.code === "rate_limited") {
        pausedUntil = Date.now() + (frame.error.retry_after_ms ?? 1000);
      }
      return;
    case "ack":
      return;
    default:
      if (frame.seq && cursor) {
        // A replayed frame that the page already has.
        if (frame.seq <= cursor.seq && frame.type !== "caught_up" && frame.type !== "ping") return;
        cursor.seq = Math.max(cursor.seq, frame.seq);
      }
  }
  hear(frame);
}

async function lose(code, opened = true) {
  drop();
  if (!running) return;
  stream.lostAt ||= Date.now();
  if (state.link === "replaced") return tell("link");
  state.link = "lost";
  // The server has refused this session's stream: a request shows whether the session has ended.
  if (code === 1008) {
    await get("me").catch(() => {});
    if (!running || socket || source) return;
  }
  // Exponential back-off with jitter.
  const wait = Math.min(500 * 2 ** failures, RETRY_MS_MAX) * (0.5 + Math.random());
  failures += 1;
  stream.retryAt = Date.now() + wait;
  clearTimeout(timer);
  timer = setTimeout(connect, wait);
  tell("link");
  // If a request succeeds although the websocket did not open, something blocks websockets.
  if (!opened && await get("me").then(() => true, () => false)) blocked += 1;
}

// The network or the reader is back: connects at once.
function back() {
  if (running && state.link === "lost") stream.retry();
}
addEventListener("online", back);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") back();
});
