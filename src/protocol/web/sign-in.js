// Signing in: as a guest, with a new account, or with an account's key.

import { $, toast, touch } from "./dom.js";
import { get, post } from "./api.js";
import { state } from "./state.js";
import { nameable } from "./words.js";

let entered = () => {};

export const signIn = {
  start(then) { entered = then; },

  // Shows the sign-in screen. `why`: why the session ended; `name`: the guest name before.
  open(why = "", name = "") {
    const already = !$("sign-in").hidden;
    $("app").hidden = true;
    $("sign-in").hidden = false;
    $("sign-in-trouble").textContent = why;
    document.title = "Shanty";
    if (name) $("guest-name").value = name;
    ways();
    if (!already && !touch()) $("guest-name").focus();
  },

  close() {
    $("sign-in").hidden = true;
    for (const form of $("sign-in").querySelectorAll("form")) form.reset();
    $("fresh").hidden = true;
    $("lead").hidden = false;
    $("fresh-key").textContent = "";
    ways();
  },
};

// The ways in that this server leaves open.
function ways() {
  const { guests, registration } = state.server;
  $("guest").hidden = guests === false;
  $("pick").hidden = $("guest").hidden;
  $("register-part").hidden = registration === "closed";
  $("login-part").hidden = false;
  $("login-part").open ||= $("guest").hidden;
}

function onSubmit(id, action) {
  const form = $(id);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    $("sign-in-trouble").textContent = "";
    const button = form.querySelector("button:not([type])");
    button.disabled = true;
    try {
      await action(form.elements);
    } catch (failure) {
      $("sign-in-trouble").textContent = failure.message;
    } finally {
      button.disabled = false;
    }
  });
}

onSubmit("guest", async ({ name }) => {
  await post("guests", { name: nameable(name.value), remember: true });
  entered();
});

onSubmit("login", async ({ key, remember }) => {
  await post("sessions", { key: key.value.trim(), remember: remember.checked });
  entered();
});

onSubmit("register", async ({ username }) => {
  const { name, key } = await post("accounts", { name: username.value.trim() });
  $("guest").hidden = $("register-part").hidden = $("login-part").hidden = true;
  const fresh = $("fresh");
  fresh.hidden = false;
  fresh.elements.username.value = name;
  fresh.elements.password.value = key;
  $("fresh-name").textContent = name;
  $("fresh-key").textContent = key;
  $("lead").hidden = true;
  $("fresh-copy").focus();
});

// Sent as a form with a name and a password, so that password managers offer to keep both.
onSubmit("fresh", async ({ password }) => {
  await post("sessions", { key: password.value, remember: true });
  entered();
});

$("fresh-copy").addEventListener("click", () => copy($("fresh-key").textContent, "Key"));

$("fresh-download").addEventListener("click", () => {
  const name = $("fresh-name").textContent;
  const text = `Shanty, ${location.origin}\nname: ${name}\nkey: ${$("fresh-key").textContent}\n`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = `shanty-key-${name}.txt`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});

// Browsers have a clipboard on secure origins; elsewhere a selection does it.
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "unseen";
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) return toast("Couldn't copy. Select the text and copy it manually.");
  }
  toast(`${what} copied`);
}

// The account or guest that is logged in; null: nobody is.
export async function whoAmI() {
  const me = await get("me").catch((failure) => {
    if (failure.status === 401) return null;
    throw failure;
  });
  return me;
}

