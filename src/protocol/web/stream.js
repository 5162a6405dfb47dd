// The stream of everything that happens: a websocket, or server-sent events where websockets do
// not get through. It comes back by itself, where it was: `<epoch>:<seq>`.

import { get } from "./api.js";
import { toast } from "./dom.js";
import { state, tell } from "./state.js";

const SILENCE_MS = 60_000; // The server says something every 25 s.
const RETRY_MS_MAX = 30_000;
const BLOCKED_AFTER = 2; // So many websockets fail while the server answers: they are blocked.

let socket = null;
let source = null;
let cursor = null; // {epoch, seq}
let failures = 0;
let blocked = 0;
let timer = 0;
let watch = 0;
let patient = 0; // until when nothing is said
let warned = false; // The reader knows that it is the second best.
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

  // What is missed now is not asked for again: everything is loaded afresh.
  afresh() {
    cursor = null;
    this.retry();
  },

  retry() {
    if (!running) return;
    drop();
    connect();
  },

  // Says something that need not arrive; nothing, while the server has asked for patience.
  say(frame) {
    if (patient > Date.now() || socket?.readyState !== WebSocket.OPEN) return;
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

// A connection that says nothing for long is dead, whatever the browser thinks.
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
      return;
    case "error":
      if (frame.error.code === "rate_limited") {
        patient = Date.now() + (frame.error.retry_after_ms ?? 1000);
      }
      return;
    case "ack":
      return;
    default:
      if (frame.seq && cursor) {
        // What has been heard is not heard again.
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
  // Twice as long each time, and never all clients at once.
  const wait = Math.min(500 * 2 ** failures, RETRY_MS_MAX) * (0.5 + Math.random());
  failures += 1;
  stream.retryAt = Date.now() + wait;
  clearTimeout(timer);
  timer = setTimeout(connect, wait);
  tell("link");
  // Why? A session that has ended says so here, and whoever answers here blocks websockets.
  if (code === 1008 || !opened) {
    const answers = await get("me").then(() => true, () => false);
    if (answers && !opened) blocked += 1;
  }
}

// The network or the reader is back: no reason to wait any longer.
function back() {
  if (running && state.link === "lost") stream.retry();
}
addEventListener("online", back);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") back();
});
