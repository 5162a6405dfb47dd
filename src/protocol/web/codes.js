// The secret codes in the page's address: an invitation's, and that of a link for a new key. The
// page takes a code out of the address, so that it gets into no bookmark and over no shoulder, and
// keeps it until it is used. It survives a reload, but only of this tab.

const LINK = /^#\/(invite|recover)\/([\w-]+)$/;
const home = new URL(".", location).pathname.slice(1);
const key = (kind) => `shanty:${home}${kind}`;
const fallback = new Map(); // for browsers whose storage is forbidden

function take() {
  const [, kind, code] = LINK.exec(location.hash) ?? [];
  if (!code) return;
  history.replaceState(null, "", "#/");
  fallback.set(kind, code);
  try {
    sessionStorage.setItem(key(kind), code);
  } catch { /* It lasts until the page closes. */ }
}

function recall(kind) {
  take();
  try {
    return fallback.get(kind) ?? sessionStorage.getItem(key(kind));
  } catch {
    return null;
  }
}

// Whether the address has a code: a link was opened in this tab.
export const linked = () => LINK.test(location.hash);
export const invitation = () => recall("invite");
export const recovery = () => recall("recover");

export function forget(kind) {
  fallback.delete(kind);
  try {
    sessionStorage.removeItem(key(kind));
  } catch { /* Nothing was kept. */ }
}
