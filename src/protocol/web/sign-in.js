// Signing in: as a guest, with a new account, or with an account's key.

import { $, toast, touch } from "./dom.js";
import { get, post } from "./api.js";
import { forget, invitation, recovery } from "./codes.js";
import { invites } from "./invite.js";
import { address } from "./rooms.js";
import { setupToken, state } from "./state.js";
import { nameable } from "./words.js";

let entered = () => {};
let invited = null; // what the invitation of this tab grants

export const signIn = {
  start(then) { entered = then; },

  // Shows the sign-in screen. `why`: why the session ended; `name`: the reader's last guest name.
  open(why = "", name = "") {
    const already = !$("sign-in").hidden;
    $("app").hidden = true;
    $("sign-in").hidden = false;
    $("sign-in-trouble").textContent = why;
    document.title = "Shanty";
    if (name) $("guest-name").value = name;
    showForms();
    welcome();
    if (!already && !touch()) $("guest-name").focus();
  },

  // Who invites the reader to what, if the reader has seen it.
  get invited() { return invited; },

  close() {
    $("sign-in").hidden = true;
    for (const form of $("sign-in").querySelectorAll("form")) form.reset();
    $("fresh").hidden = true;
    $("lead").hidden = false;
    $("fresh-key").textContent = "";
    invited = null;
    showForms();
  },
};

// Shows the forms that this server allows, to this reader.
function showForms() {
  const { guests, registration } = state.server;
  const setup = setupToken();
  const lost = Boolean(recovery());
  if (setup) lead("This server is new. Create an account to become its owner.");
  else if (lost) lead("You can get a new key for your account.");
  else lead(invited ? invites(invited) : LEAD);
  const registers = invited ? invited.registers : (registration ?? "open") === "open";
  $("recover").hidden = !lost;
  $("guest").hidden = guests === false || Boolean(setup) || lost;
  $("pick").hidden = $("guest").hidden;
  $("register-part").hidden = !registers || lost;
  $("register-part").open ||= Boolean(setup || invited) && registers;
  $("login-part").hidden = lost;
  $("login-part").open ||= $("guest").hidden && !$("register-part").open;
}

const LEAD = $("lead").firstChild.data;
const lead = (words) => { $("lead").firstChild.data = `${words} `; };

// Shows who invites the reader, and to what.
async function welcome() {
  const code = invitation();
  if (!code || recovery()) return;
  try {
    invited = await post("invitation", { code });
    showForms();
  } catch (failure) {
    if (failure.code === "invitation_invalid") forget("invite");
    $("sign-in-trouble").textContent = failure.message;
  }
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
  const code = invitation() ?? undefined;
  show(await post("accounts", { name: username.value.trim(), invitation: code }));
  // The account is a member of the room already.
  if (invited?.room) history.replaceState(null, "", `./${address(invited.room)}`);
  forget("invite");
});

onSubmit("recover", async () => {
  try {
    show(await post("recovery", { code: recovery() }));
    forget("recover");
  } catch (failure) {
    if (failure.code === "recovery_invalid") {
      forget("recover");
      showForms();
    }
    throw failure;
  }
});

// Shows a new key, this once.
function show({ name, key }) {
  for (const id of ["guest", "register-part", "login-part", "recover"]) $(id).hidden = true;
  const fresh = $("fresh");
  fresh.hidden = false;
  fresh.elements.username.value = name;
  fresh.elements.password.value = key;
  $("fresh-name").textContent = name;
  $("fresh-key").textContent = key;
  $("lead").hidden = true;
  $("fresh-copy").focus();
}

// The form has a name and a password, so that password managers offer to store both.
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

// Copies a text. Browsers have a clipboard API on secure origins only; elsewhere the page selects
// the text in a field and copies the selection.
export async function copy(text, label) {
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
  toast(`${label} copied`);
}

// The account or guest of this session; null if there is no session.
export async function whoAmI() {
  const me = await get("me").catch((failure) => {
    if (failure.status === 401) return null;
    throw failure;
  });
  return me;
}

