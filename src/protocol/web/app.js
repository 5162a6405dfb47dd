// A small page to try the chat with: room 1, as a guest or with an account.
// What others wrote enters the page as text only (textContent), never as markup.

const $ = (id) => document.getElementById(id);
const LINES_MAX = 500;
const RETRY_MS_MAX = 30_000;

let socket = null;
let name = "";
let retryMs = 500;
let timer = 0;

function trouble(text) { $("trouble").textContent = text; }
function state(text) { $("state").textContent = text; }

async function api(path, body) {
  const init = body && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(path, init);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `HTTP ${response.status}`);
  return answer;
}

function line(author, text) {
  const item = document.createElement("li");
  if (author) {
    const who = document.createElement("b");
    who.textContent = author;
    item.append(who);
  } else {
    item.className = "notice";
  }
  const what = document.createElement("span");
  what.textContent = text;
  item.append(what);
  const log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(item);
  while (log.childElementCount > LINES_MAX) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function hear(event) {
  if (event.status === false) {
    const { code, error, field } = event.error;
    if (code === 202 || code === 204) return leave("Somebody has this name; choose another.");
    line("", field ? `${error} (${field})` : error);
  } else if (event.event_type === "send") {
    line(event.name, event.msg);
  } else {
    line("", event.msg);
  }
}

function connect() {
  clearTimeout(timer);
  state("Connecting…");
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const mine = new WebSocket(`${scheme}//${location.host}/chats/1/ws`);
  socket = mine;
  mine.onopen = () => {
    retryMs = 500;
    state(`Here as ${name}`);
    mine.send(JSON.stringify({ event_type: "join", name }));
  };
  mine.onmessage = (message) => hear(JSON.parse(message.data));
  mine.onclose = (close) => {
    if (socket !== mine) return;
    // 1008: the server wants us gone; everything else may pass.
    if (close.code === 1008) return leave(close.reason);
    const wait = retryMs * (0.5 + Math.random());
    retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
    state(`Connection lost; trying again in ${Math.ceil(wait / 1000)} s`);
    timer = setTimeout(connect, wait);
  };
}

function enter(as) {
  name = as;
  trouble("");
  $("door").hidden = true;
  $("chat").hidden = $("out").hidden = false;
  connect();
  $("text").focus();
}

function leave(why = "") {
  clearTimeout(timer);
  const old = socket;
  socket = null;
  old?.close();
  $("door").hidden = false;
  $("chat").hidden = $("out").hidden = true;
  state("Not connected");
  trouble(why);
}

async function logIn(key) {
  enter((await api("/api/login", { key })).username);
}

function onSubmit(id, action) {
  $(id).addEventListener("submit", (event) => {
    event.preventDefault();
    Promise.resolve(action(event.target)).catch((error) => trouble(error.message));
  });
}

onSubmit("guest", (form) => enter(form.elements.name.value.trim()));

onSubmit("login", async (form) => {
  const key = form.elements.key.value.trim();
  const keep = form.elements.keep.checked;
  await logIn(key);
  if (keep) localStorage.setItem("key", key);
  form.reset();
});

onSubmit("say", () => {
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ event_type: "send", name, msg: $("text").value }));
  $("text").value = "";
});

$("register").addEventListener("click", async () => {
  const field = $("guest").elements.name;
  if (!field.reportValidity()) return;
  try {
    const { key } = await api("/api/register", { username: field.value.trim() });
    $("key").textContent = key;
    $("fresh").hidden = false;
    $("login").elements.key.value = key;
    trouble("");
  } catch (error) {
    trouble(error.message);
  }
});

$("out").addEventListener("click", async () => {
  localStorage.removeItem("key");
  leave();
  await api("/api/logout", {}).catch((error) => trouble(error.message));
});

// Whoever is logged in already, or kept their key here, comes right in.
const known = await api("/api/user/@me").catch(() => null);
const kept = localStorage.getItem("key");
if (known) enter(known.username);
else if (kept) await logIn(kept).catch((error) => trouble(error.message));
