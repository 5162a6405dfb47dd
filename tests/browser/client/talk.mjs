// A registered person and a guest on a phone chat.

import { readFileSync } from "node:fs";
import { equal, that } from "../kit.mjs";
import { MARKUP, PHONE, accessible, ask, beGuest, bodies, inside, makeRoom, reads, say,
  saySurely, shows, titled, visit } from "./page.mjs";

export async function talk({ browser, server }) {
  const ann = await visit(browser, server.url);
  const zoe = await visit(browser, `${server.url}/chats/1/entrance`, PHONE);
  const key = await register(ann);
  await beGuest(zoe, "Zoë");
  equal(await zoe.evaluate(() => location.hash), "#/room/1", "the link survives the login");

  await saySurely(ann, "Ahoy! **Welcome** aboard.");
  await shows(zoe, "Ahoy! Welcome aboard.", "the guest reads");
  await say(zoe, "Aye, @Ann");
  await shows(ann, "Aye, @Ann", "who is called sees it", ".mentioned");
  await zoe.fill("#text", "Ar");
  await reads(ann, "#typing", "Zoë is typing", "typing shows");
  await zoe.fill("#text", "");

  // With the keyboard: edit the last own message.
  await ann.focus("#text");
  await ann.keyboard.press("ArrowUp");
  equal(await ann.inputValue("#text"), "Ahoy! **Welcome** aboard.", "Up brings the last one back");
  await ann.keyboard.press("End");
  await ann.keyboard.type(" Really.");
  await ann.keyboard.press("Enter");
  const edited = await shows(zoe, "Welcome aboard. Really.", "an edit arrives");
  that((await edited.innerText()).includes("edited"), "and says so");
  const last = ann.locator("#messages .message").last();
  await last.focus();
  await ann.keyboard.press("r");
  await ann.keyboard.type("Good to see you");
  await ann.keyboard.press("Enter");
  const reply = await shows(zoe, "Good to see you", "a reply arrives");
  equal((await reply.locator(".quote").innerText()).trim(), "Zoë Aye, @Ann", "with its quote");
  await last.hover();
  await ann.locator("#messages .message").filter({ hasText: "Aye" }).first().hover();
  await ann.click(".bar [aria-label='React with 👍']");
  await zoe.waitForSelector(".reactions button");
  await zoe.tap(".reactions button");
  await reads(ann, ".reactions button", "👍 2", "reactions of both");
  await saySurely(zoe, "Forget this");
  const doomed = await shows(zoe, "Forget this", "it is there");
  await doomed.tap();
  await zoe.click(".bar [aria-label=Delete]");
  await zoe.click("dialog .danger");
  await shows(ann, "This message was deleted.", "a message is taken back");
  that(!(await bodies(ann)).includes("Forget this"), "with its words");
  await accessible(ann, "the conversation");
  await accessible(zoe, "the conversation on a phone");
  await search(ann);
  await comeBack(ann, key);
}

async function register(page) {
  await page.click("#register-part summary");
  await page.fill("#register-name", "Ann");
  await page.press("#register-name", "Enter");
  await page.waitForSelector("#fresh:not([hidden])");
  that(/^[0-9a-f]{64}$/.test(await page.textContent("#fresh-key")), "the key is shown");
  await accessible(page, "the key");
  const downloading = page.waitForEvent("download");
  await page.click("#fresh-download");
  const kept = readFileSync(await (await downloading).path(), "utf8");
  const key = /key: ([0-9a-f]{64})/.exec(kept)?.[1];
  that(key, "and downloaded", kept);
  await page.click("#fresh .primary");
  await inside(page);
  equal(await page.textContent("#fresh-key"), "", "and not kept on the page");
  return key;
}

async function search(page) {
  await makeRoom(page, "Island");
  await saySurely(page, "The treasure is on the third island");
  await page.click("a.room >> text=Public Chat");
  await titled(page, "Public Chat");
  await page.click("#find");
  await page.keyboard.type("treasure");
  await page.waitForSelector("dialog .hit");
  await page.check("dialog [name=here]");
  await reads(page, "dialog [role=status]", "No results", "not in this room");
  await page.uncheck("dialog [name=here]");
  await page.waitForSelector("dialog .hit");
  await accessible(page, "search");
  await page.focus("dialog [role=combobox]");
  await page.keyboard.press("Enter");
  await shows(page, "third island", "what is found is shown where it was said", ".found");
  await titled(page, "Island");
}

async function comeBack(page, key) {
  await page.click("#settings");
  await page.click("dialog button.danger");
  await page.locator("dialog .danger").last().click();
  await page.waitForSelector("#sign-in:not([hidden])");
  await page.click("#login-part summary");
  await page.fill("#login-key", "0".repeat(64));
  await page.press("#login-key", "Enter");
  await reads(page, "#sign-in-trouble", "key", "another key does not open");
  await page.fill("#login-key", key);
  await page.press("#login-key", "Enter");
  await inside(page);
  that(true, "the key opens");
}

// Markup in every text field.
// A guest's name is free when the guest has left; the earlier messages under it stay another's.
export async function heirs({ browser, server }) {
  const first = await visit(browser, server.url);
  await beGuest(first, "Ann");
  await saySurely(first, "From the first Ann");
  await ask(first, "DELETE", "sessions/current");
  const ann = await visit(browser, server.url);
  await beGuest(ann, "Ann");
  await saySurely(ann, "From the second Ann");
  const bar = async (words) => {
    await ann.hover(`.message:has-text("${words}")`);
    await ann.waitForSelector(`.message:has-text("${words}") [aria-label="Reply"]`);
    return ann.locator(`.message:has-text("${words}") .tool`)
      .evaluateAll((all) => all.map((one) => one.getAttribute("aria-label")));
  };
  const own = await bar("From the second Ann");
  that(own.includes("Edit") && own.includes("Delete"), "the author can edit and delete", own);
  const others = await bar("From the first Ann");
  that(!others.includes("Edit") && !others.includes("Delete"),
    "what a former holder of the name said cannot", others);
  await ann.focus('.message:has-text("From the first Ann")');
  await ann.keyboard.press("e");
  equal(await ann.inputValue("#text"), "", "nor by the keyboard");
}

export async function injection({ browser, server }) {
  const ann = await visit(browser, server.url);
  await beGuest(ann, "Ann");
  const name = "<b>x</b><img src=x>";
  const guest = await visit(browser, server.url);
  await beGuest(guest, name);
  await say(guest, MARKUP);
  const line = await shows(ann, MARKUP, "markup in a message is text");
  that((await line.innerText()).includes(name), "and in a name", await line.innerText());
  await guest.fill("#text", "typing");
  await reads(ann, "#typing", name, "and of who is typing");
  await guest.fill("#text", "");
  await ann.locator("#people button").filter({ hasText: "<b>x" }).click();
  await titled(ann, name, "and in a direct room");
  await makeRoom(guest, "<i>room</i>", "public", "", MARKUP.slice(0, 60));
  await say(guest, `[${MARKUP}](javascript:alert(1)) \`${MARKUP}\` @<b>`);
  await saySurely(guest, `> ${MARKUP}\n- ${MARKUP}\n\n~~~\n${MARKUP}\n~~~`);
  await shows(guest, "javascript:alert(1)", "no such address is a link");
  const seq = await guest.locator("#messages .message").last().getAttribute("data-seq");
  const room = /room\/(\d+)/.exec(guest.url())[1];
  const emoji = encodeURIComponent("<i>");
  const { status } = await ask(guest, "PUT", `rooms/${room}/messages/${seq}/reactions/${emoji}`);
  equal(status, 422, "markup is no reaction");
  await guest.locator("#messages .message").last().focus();
  await guest.keyboard.press("r");
  await say(guest, "an answer");
  await reads(guest, ".quote", "<img", "a quote");
  await guest.click("#room-menu");
  equal(await guest.inputValue("#f-title"), "<i>room</i>", "and in a form");
  await guest.keyboard.press("Escape");
  await guest.fill("#text", MARKUP);
  await guest.reload();
  await inside(guest);
  equal(await guest.inputValue("#text"), MARKUP, "and in a draft");
  await guest.keyboard.press("Control+k");
  await guest.keyboard.type("<i>");
  await reads(guest, "[role=option]", "<i>room</i>", "and in the way to another room");
  await guest.keyboard.press("Escape");
  await guest.click("#find");
  await guest.keyboard.type("bold");
  await guest.waitForSelector("dialog .hit");
  const found = await Promise.all([ann, guest].map((page) => page.evaluate(() => ({
    broken: document.title.includes("broken"),
    tags: document.querySelectorAll("#app b b, #app i, dialog i, #messages img, #people img,"
      + " #messages b:not(.author):not(.quote > b), .hit img, .hit p b, a[href^=javascript]",
    ).length,
  }))));
  equal(found, Array(2).fill({ broken: false, tags: 0 }), "nothing became markup");
}
