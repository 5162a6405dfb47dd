// Requests to the server's API, and their failures.

const PATIENCE_MS = 20_000;
// After a 429 the page waits and retries. It shows an error after WAITS_MAX retries, or if the
// server asks for a longer wait than WAIT_MS_MAX.
const WAITS_MAX = 5;
const WAIT_MS_MAX = 30_000;

// The page's texts for errors whose text from the server is written for programs.
const WORDS = {
  unknown_key: "That key doesn't match any account.",
  name_taken: "That name is taken. Try another.",
  title_taken: "A room with that name already exists.",
  wrong_password: "Wrong password. Ask a member for it.",
  message_not_found: "This message no longer exists.",
  user_not_found: "No one has that name.",
};

// The codes of a session that has ended, or may do nothing any more.
export const OVER = ["unauthenticated", "banned", "guests_off"];

export class Failure extends Error {
  constructor(status, error = {}) {
    super(WORDS[error.code] ?? sentence(error.message) ?? (status ? `The server answered ${status}.`
      : "Can't reach the server."));
    this.status = status;
    this.code = error.code ?? "";
    this.field = error.field;
    this.retryAfter = error.retry_after_ms; // milliseconds
  }

  // Whether the same request may well succeed later.
  get passing() {
    // (A slow room may ask for hours: nobody waits that long for one message.)
    const soon = this.status === 429 && !(this.retryAfter > WAIT_MS_MAX);
    return this.status === 0 || this.status === 408 || soon || this.status >= 500;
  }
}

function sentence(text) {
  if (!text) return undefined;
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

let loggedOut = () => {};
export function onLoggedOut(then) { loggedOut = then; }
export function putOut(code, message) { loggedOut({ code, message }); }

// Counts the reader's logins: a request from before the latest one may be refused, which does not
// mean that the reader is logged out now.
let logins = 0;
export function becomeAnother() { logins += 1; }

// The time until a retry, in ms: the server's, with jitter.
export const later = (failure) => (failure.retryAfter ?? 1000) * (1 + Math.random() / 4);

const pause = (time) => new Promise((done) => { setTimeout(done, time); });
let busy = () => {};
export function onBusy(then) { busy = then; }

// Sends a request; after a 429, waits as long as the server says and retries.
export async function api(method, path, body) {
  for (let waited = 0; ; waited += 1) {
    try {
      return await once(method, path, body);
    } catch (failure) {
      const long = (failure.retryAfter ?? 0) > WAIT_MS_MAX;
      if (failure.status !== 429 || long || waited === WAITS_MAX) throw failure;
      const time = later(failure);
      busy(time);
      await pause(time);
    }
  }
}

export async function once(method, path, body) {
  let response;
  const login = logins;
  try {
    response = await fetch(`api/v1/${path}`, {
      method,
      headers: body && { "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new Failure(0);
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  const failure = new Failure(response.ok ? 0 : response.status, answer?.error);
  const seconds = Number(response.headers.get("Retry-After"));
  if (seconds > 0) failure.retryAfter ??= 1000 * seconds;
  if (OVER.includes(failure.code) && login === logins) loggedOut(failure);
  throw failure;
}

export const get = (path) => api("GET", path);
export const post = (path, body) => api("POST", path, body ?? {});
export const put = (path, body) => api("PUT", path, body ?? {});
export const patch = (path, body) => api("PATCH", path, body);
export const remove = (path) => api("DELETE", path);
export const part = encodeURIComponent;
