// The server's API: requests, and how they fail.

const PATIENCE_MS = 20_000;

export class Failure extends Error {
  constructor(status, error = {}) {
    super(sentence(error.message) ?? (status ? `The server answered ${status}.`
      : "The server cannot be reached."));
    this.status = status;
    this.code = error.code ?? "";
    this.field = error.field;
    this.retryAfter = error.retry_after_ms;
  }

  // Whether the same request may well succeed later.
  get passing() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

function sentence(text) {
  if (!text) return undefined;
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

let loggedOut = () => {};
export function onLoggedOut(then) { loggedOut = then; }

export async function api(method, path, body) {
  let response;
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
  if (failure.code === "unauthenticated") loggedOut();
  throw failure;
}

export const get = (path) => api("GET", path);
export const post = (path, body) => api("POST", path, body ?? {});
export const put = (path, body) => api("PUT", path, body ?? {});
export const patch = (path, body) => api("PATCH", path, body);
export const remove = (path) => api("DELETE", path);
export const part = encodeURIComponent;
