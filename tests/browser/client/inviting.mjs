// Invitations by link and QR code, to the server and to a room; and lost keys.

import { equal, that } from "../kit.mjs";
import { PHONE, accessible, ask, beGuest, inside, logIn, makeRoom, reads, saySurely,
  titled, visit } from "./page.mjs";

// Registers on the sign-in screen; returns the key.
async function register(page, name) {
  await page.fill("#register-name", name);
  await page.press("#register-name", "Enter");
  await page.waitForSelector("#fresh:not([hidden])");
  const key = await page.innerText("#fresh-key");
  await page.click("#fresh button:not([type])");
  await inside(page);
  return key;
}

const NEWEST = "dialog [role=status] [aria-label=Link]";

// Makes an invitation in the open dialog; returns its link.
async function invite(page, uses) {
  const before = await page.locator(NEWEST).inputValue({ timeout: 100 }).catch(() => "");
  await page.selectOption("#f-uses", String(uses));
  await page.click("dialog button:has-text('Create invite link')");
  await page.waitForFunction(([selector, before]) => {
    const link = document.querySelector(selector)?.value;
    return link && link !== before;
  }, [NEWEST, before]);
  return page.inputValue(NEWEST);
}

export async function inviting({ browser, server }) {
  const [setup] = await server.setup;
  const ann = await visit(browser, setup);
  await register(ann, "Ann");
  // The first run shows what to do first.
  await reads(ann, "dialog", "Your server is ready", "the owner of a new server is welcomed");
  await accessible(ann, "the first run");
  await ann.click("dialog button:has-text('Invite people')");
  const first = await invite(ann, 5);
  that(first.startsWith(`${server.url}/#/invite/`), "the link leads here", first);
  that(await ann.isVisible("dialog .qr svg"), "its QR code is drawn");
  const dark = await ann.locator("dialog .qr path").getAttribute("d");
  that(dark.startsWith("M4 4h7v1h-7z"), "with its corner", dark.slice(0, 20));
  await accessible(ann, "an invite link");
  await ann.keyboard.press("Escape");
  await ann.click("#settings");
  await ann.click("dialog >> text=Server settings");
  await ann.click("dialog >> text=Only invited people");
  await reads(ann, "#toast", "Saved", "only invited people register now");
  await ann.keyboard.press("Escape");

  // Without an invitation nobody registers; with one they do, also after a reload of that tab.
  const stranger = await visit(browser, server.url);
  await stranger.waitForSelector("#guest-name");
  that(await stranger.isHidden("#register-part"), "a stranger cannot register");
  const bob = await visit(browser, first);
  await reads(bob, "#lead", "Ann invites you to this chat server", "the link says who invites");
  that(!bob.url().includes("invite"), "the code is not left in the address");
  await accessible(bob, "the sign-in screen of an invitation");
  await bob.reload();
  await reads(bob, "#lead", "Ann invites you", "a reload keeps the invitation");
  const tab = await bob.context().newPage();
  await tab.goto(server.url);
  await tab.waitForSelector("#guest-name");
  that(await tab.isHidden("#register-part"), "another tab has none");
  await tab.close();
  const bobsKey = await register(bob, "Bob");
  equal((await ask(bob, "GET", "me")).name, "Bob", "the account is there");
  await bob.reload();
  await inside(bob);

  // To a room: for a guest, for somebody new, and for who is logged in.
  await makeRoom(ann, "Den", "private", "long enough");
  await ann.click("#room-menu");
  await ann.click("dialog button:has-text('Invite people')");
  const den = await invite(ann, 5);
  const gus = await visit(browser, den, PHONE);
  await reads(gus, "#lead", "Ann invites you to “Den”", "the link says to what");
  await beGuest(gus, "Gus");
  await titled(gus, "Den", "a guest is in the room");
  await bob.goto(den);
  await reads(bob, "dialog", "Ann invites you to “Den”", "somebody logged in is asked");
  await accessible(bob, "the question whether to join");
  await bob.click("dialog .primary");
  await titled(bob, "Den", "and is in the room");
  await saySurely(bob, "Hello, I was invited");
  const cara = await visit(browser, den);
  await reads(cara, "#lead", "Ann invites you to “Den”", "somebody new sees the same");
  await register(cara, "Cara");
  await titled(cara, "Den", "and is in the room after registering");
  // The answer to the only use is lost.
  const hal = await visit(browser, await invite(ann, 1), PHONE, true);
  let lostAnswers = 0;
  await hal.route("**/invitation/membership", async (route) => {
    lostAnswers += 1;
    await route.fetch();
    await route.abort();
  });
  await beGuest(hal, "Hal");
  await titled(hal, "Den", "who came by the last use is in the room without its answer");
  equal(lostAnswers, 1, "the answer was lost");
  await ann.keyboard.press("Escape");
  await ann.click("#room-menu");
  await ann.click("dialog button:has-text('Invite people')");
  await reads(ann, "[aria-label=Invitations]", "3 of 5 used", "the uses are counted");
  await reads(ann, "[aria-label=Invitations]", "Cara, Bob, Gus", "and who came is listed");
  await ann.click("[aria-label='End the invitation of Ann']");
  await reads(ann, "[aria-label=Invitations]", "no longer works", "it is ended");
  await ann.keyboard.press("Escape");
  const late = await visit(browser, den);
  await reads(late, "#sign-in-trouble", "does not work", "an ended link says so");
  that(await late.isHidden("#register-part"), "and admits nobody");
  await late.goto(first.replace(/.$/, "_"));
  await reads(late, "#sign-in-trouble", "does not work", "so does a wrong one");
  // Who has an account needs no invitation to the server.
  await bob.goto(first);
  await reads(bob, "#toast", "already have an account", "somebody with an account is told");

  // A lost key.
  await ann.click("#settings");
  await ann.click("dialog >> text=Server settings");
  const lost = ann.locator("dialog form").filter({ hasText: "Someone has lost their key" });
  await lost.locator("input").first().fill("Ann");
  await lost.locator("button").first().click();
  await reads(ann, "dialog .trouble", "shanty admin recover", "not for an owner");
  await lost.locator("input").first().fill("Bob");
  await lost.locator("button").first().click();
  await lost.locator("[aria-label=Link]").waitFor();
  const link = await lost.locator("[aria-label=Link]").inputValue();
  await accessible(ann, "a link for a new key");
  const again = await visit(browser, link, PHONE);
  await reads(again, "#lead", "get a new key", "the link says what it does");
  that(!again.url().includes("recover"), "its code is not left in the address");
  await accessible(again, "the screen of a lost key");
  await again.click("#recover button");
  await again.waitForSelector("#fresh:not([hidden])");
  const key = await again.innerText("#fresh-key");
  that(key.length === 64 && key !== bobsKey, "a new key is shown");
  await bob.waitForSelector("#sign-in:not([hidden])");
  that(true, "the old sessions have ended");
  await again.click("#fresh button:not([type])");
  await again.waitForSelector("#app:not([hidden])");
  equal((await ask(again, "GET", "me")).name, "Bob", "it is the same account");
  await logIn(bob, key);

  // One's own key is replaced in the settings.
  await bob.click("#settings");
  await bob.click("dialog button:has-text('Get a new key')");
  await accessible(bob, "the question whether to replace the key");
  await bob.click("dialog .danger");
  await reads(bob, "dialog", "Your new key", "a new key is shown");
  const own = await bob.innerText("dialog code");
  that(own.length === 64 && own !== key, "another one");
  await again.waitForSelector("#sign-in:not([hidden])");
  that(true, "the other device is logged out");
  equal((await ask(bob, "GET", "me")).name, "Bob", "this one is not");
  const used = await visit(browser, link);
  await used.click("#recover button");
  await reads(used, "#sign-in-trouble", "does not work", "the link works once");
  that(await used.isVisible("#guest"), "and then the usual screen is there");
  await reads(used, "#lead", "A private chat server", "with its usual words");
}
