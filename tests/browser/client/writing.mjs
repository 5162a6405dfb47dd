// The composer: completion, commands, Markdown, drafts, refused messages.

import { equal, that } from "../kit.mjs";
import { WIDE, accessible, ask, beGuest, beSomebody, bodies, inside, makeRoom, reads, say,
  saySurely, shows, titled, visit } from "./page.mjs";

const chosen = (page) => page.locator("#complete [aria-selected=true]").innerText();
const clear = (page) => page.fill("#text", "");

export async function completion({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann");
  const bob = await visit(browser, server.url);
  await beGuest(bob, "Bob");
  await reads(ann, "#people", "Bob", "Bob is here");
  await ann.type("#text", "Hello @b");
  await ann.waitForSelector("#complete [role=option]");
  equal(await chosen(ann), "Bob", "@ offers names");
  await accessible(ann, "completion");
  await ann.keyboard.press("Tab");
  equal(await ann.inputValue("#text"), "Hello @Bob ", "Tab takes it");
  await ann.keyboard.type("see :tad");
  equal((await chosen(ann)).split("\n"), ["🎉", ":tada:"], ": offers emoji");
  await ann.keyboard.press("Enter");
  equal(await ann.inputValue("#text"), "Hello @Bob see 🎉 ", "and so does Enter");
  await ann.keyboard.type(":he");
  const first = await chosen(ann);
  await ann.keyboard.press("ArrowDown");
  that(await chosen(ann) !== first, "arrows choose");
  await ann.keyboard.press("ArrowUp");
  equal(await chosen(ann), first, "up and down");
  await ann.keyboard.press("Escape");
  that(await ann.isHidden("#complete"), "Esc closes it");
  equal(await ann.inputValue("#text"), "Hello @Bob see 🎉 :he", "and changes nothing");
  await ann.keyboard.press("Enter");
  await shows(bob, "Hello @Bob see 🎉 :he", "and then Enter sends");
  await saySurely(ann, ":wave: `:wave:` ");
  await say(ann, ":wave: all, a:b:c");
  await shows(bob, "👋 all, a:b:c", "short names become emoji");
  await shows(bob, ":wave:", "but not in code");
  await ann.type("#text", "mail a@b");
  that(await ann.isHidden("#complete"), "an address is nobody's name");
  await clear(ann);

  // Commands.
  await ann.type("#text", "/");
  const offered = await ann.locator("#complete b").allInnerTexts();
  for (const name of ["help", "me", "nick", "join", "leave", "online", "emojis", "logout"]) {
    that(offered.includes(`/${name}`), `/${name} is offered`, offered);
  }
  await ann.keyboard.type("he");
  await ann.keyboard.press("Tab");
  equal(await ann.inputValue("#text"), "/help ", "a command is completed");
  await ann.keyboard.press("Enter");
  await reads(ann, "dialog", "Shift Tab", "/help tells the keys");
  await accessible(ann, "help");
  await ann.keyboard.press("Escape");
  await say(ann, "/me waves *wildly*");
  const line = await shows(bob, "waves *wildly*", "/me");
  equal(await line.locator("em").count(), 1, "is set apart");
  await say(ann, "/fly");
  await reads(ann, "#toast", "Unknown command /fly", "what is no command is not sent");
  equal(await ann.inputValue("#text"), "/fly", "nor lost");
  await say(ann, "//fly");
  await shows(bob, "/fly", "two slashes say one");
  await say(ann, "/emojis");
  await ann.waitForSelector("#picker");
  await accessible(ann, "emoji");
  await ann.keyboard.type("rocket");
  await ann.keyboard.press("Enter");
  equal(await ann.inputValue("#text"), "🚀", "/emojis");
  await ann.keyboard.press("Enter");
  const rocket = await shows(bob, "🚀", "sent");
  equal(await rocket.locator(".large").count(), 1, "and large when alone");
  await ann.click("#emoji");
  await ann.keyboard.press("ArrowDown");
  equal(await ann.evaluate(() => document.activeElement.closest(".grid") !== null), true,
    "arrows lead into the emoji");
  await ann.keyboard.press("Escape");
  await ann.waitForFunction(() => document.activeElement.id === "text");
  that(true, "and Esc back");
}

export async function writing({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann");
  const bob = await visit(browser, server.url);
  await beGuest(bob, "Bob");
  await ann.type("#text", "one");
  await ann.keyboard.press("Shift+Enter");
  await ann.keyboard.type("two");
  await ann.keyboard.press("Enter");
  const two = await shows(bob, "one\ntwo", "Shift+Enter makes a line");
  equal((await two.locator(".body").innerText()).split("\n"), ["one", "two"], "of two");
  // An Enter that confirms a syllable of an input method does not send.
  await ann.type("#text", "にほn");
  await ann.evaluate(() => document.getElementById("text").dispatchEvent(
    new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true })));
  equal(await ann.inputValue("#text"), "にほn", "Enter while composing is the method's");
  await clear(ann);

  // The subset of Markdown.
  const parts = [
    ["**bold** *italic* ~~gone~~ `code`", { strong: 1, em: 1, s: 1, code: 1 }],
    ["```js\nlet x = \"<b>\";\n```", { pre: 1, b: 0 }],
    ["> said\n> twice", { blockquote: 1 }],
    ["- one\n- two", { "ul li": 2 }],
    ["3. three\n4. four", { "ol[start='3'] li": 2 }],
    ["[words](https://example.org/a) https://example.org/b", { a: 2, ".host": 1 }],
    ["snake_case_name 2*3*4 5 * 6", { em: 0 }],
    ["[https://safe.example/bad.example](https://bad.example)", { a: 1, ".host": 1 }],
    ["https://ex\u0430mple.org", { a: 1, ".host": 1 }],
    ["\\*plain\\*", { em: 0 }],
    ["[bad](javascript:alert) [worse](data:text/html,x) <https:x>", { a: 0 }],
    ["# no heading ![no image](https://example.org/x.png)", { h1: 0, img: 0, a: 1 }],
  ];
  for (const [text, wanted] of parts) {
    await saySurely(ann, text);
    const last = bob.locator("#messages .message .body").last();
    const seq = await ann.locator("#messages .message").last().getAttribute("data-seq");
    await bob.waitForSelector(`[data-seq="${seq}"]`);
    const found = {};
    for (const tag of Object.keys(wanted)) found[tag] = await last.locator(tag).count();
    equal(found, wanted, text);
  }
  const link = bob.locator("#messages .body a").first();
  equal(await link.evaluate((it) => [it.rel, it.target, it.protocol]),
    ["noopener noreferrer nofollow", "_blank", "https:"], "links are safe");
  const colour = (page) => page.locator("#messages .author").first()
    .evaluate((it) => getComputedStyle(it).color);
  equal(await colour(ann), await colour(bob), "a name has one colour for everybody");
  await bob.evaluate(async () => {
    const ask = (method, path, session, body) => fetch(`/api/v1/${path}`, {
      method, credentials: "omit", body: JSON.stringify(body),
      headers: session ? { Authorization: `Bearer ${session}` } : {},
    }).then((response) => response.json());
    const { session } = await ask("POST", "guests", null, { name: "Red", color: "#ff0000" });
    await ask("PUT", "rooms/1/messages/red", session, { text: "in red" });
  });
  const red = await shows(ann, "in red", "a guest with a colour");
  const hue = Number(await red.locator(".author").evaluate((it) =>
    it.style.getPropertyValue("--hue")));
  that(hue >= 20 && hue <= 40, "which shows", hue);

  // A too long message.
  await ann.fill("#text", "x".repeat(3900));
  await reads(ann, "#count", "100 characters left", "near the bound one is told");
  await ann.fill("#text", "x".repeat(4001));
  await ann.keyboard.press("Enter");
  await reads(ann, "#count", "1 characters over the limit", "beyond it, too");
  equal((await ann.inputValue("#text")).length, 4001, "and nothing is sent or lost");

  // A draft for each room.
  await ann.fill("#text", "unfinished");
  await makeRoom(ann, "Galley");
  equal(await ann.inputValue("#text"), "", "another room, another draft");
  await ann.fill("#text", "the other");
  await ann.click("a.room >> text=Public Chat");
  await titled(ann, "Public Chat");
  equal(await ann.inputValue("#text"), "unfinished", "one's draft is there");
  await ann.waitForSelector("a.room .draft");
  await ann.reload();
  await inside(ann);
  equal(await ann.inputValue("#text"), "unfinished", "and survives a reload");
  await ann.click("a.room >> text=Galley");
  await titled(ann, "Galley");
  equal(await ann.inputValue("#text"), "the other", "so does the other");
  await ann.fill("#text", "");
  await ann.keyboard.press("ArrowUp");
  equal(await ann.inputValue("#text"), "", "Up with nothing to edit does nothing");

  // An edit can be cancelled, and does not change the draft.
  await ann.click("a.room >> text=Public Chat");
  await titled(ann, "Public Chat");
  await ann.locator("#messages .message.mine").last().focus();
  await ann.keyboard.press("e");
  await reads(ann, "#context", "Editing", "E edits");
  await ann.keyboard.type(" more");
  await ann.keyboard.press("Escape");
  equal(await ann.inputValue("#text"), "unfinished", "Esc gives the draft back");
}

// A refused message shows the reason, and can be retried or deleted.
export async function refused({ browser, server }) {
  const ann = await visit(browser, server.url, WIDE);
  await beGuest(ann, "Ann");
  const refuse = (route) => (route.request().method() !== "PUT" ? route.continue()
    : route.fulfill({ status: 403, contentType: "application/json",
      body: JSON.stringify({ error: { code: "muted", message: "you may not speak now" } }) }));
  await ann.route("**/messages/*", refuse);
  await say(ann, "first");
  await say(ann, "second");
  await reads(ann, ".failed .fate", "You may not speak now", "a refused message says why");
  await ann.waitForFunction(() => document.querySelectorAll(".failed").length === 2);
  await accessible(ann, "refused messages");
  await ann.reload();
  await ann.waitForFunction(() => document.querySelectorAll(".failed").length === 2);
  that(true, "it is kept through a reload");
  await ann.unroute("**/messages/*");
  await ann.locator(".failed").first().locator("text=Retry").click();
  await ann.waitForFunction(() => document.querySelectorAll(".failed").length === 1);
  await ann.locator(".failed").focus();
  await ann.keyboard.press("ArrowRight");
  await ann.keyboard.press("ArrowRight");
  equal(await ann.evaluate(() => document.activeElement.textContent), "Delete", "by keyboard");
  await ann.keyboard.press("Enter");
  await ann.waitForFunction(() => !document.querySelector(".failed, .pending"));
  equal(await bodies(ann), ["first"], "what was sent again stands, what was given up does not");
  await ann.reload();
  await shows(ann, "first", "for good");
  equal(await bodies(ann), ["first"], "and alone");
}

// A browser whose storage is forbidden or full: the page remembers as long as it is open.
export async function forgetful({ browser, server }) {
  const denied = () => Object.defineProperty(globalThis, "localStorage", {
    get() { throw new DOMException("denied", "SecurityError"); },
  });
  const full = () => {
    localStorage.setItem("shanty:ann:outbox", "[]");
    Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
  };
  for (const storage of [denied, full]) {
    const prepare = (page) => page.addInitScript(storage);
    const ann = await visit(browser, server.url, WIDE, false, prepare);
    await beGuest(ann, "Ann");
    await saySurely(ann, storage.name);
    await makeRoom(ann, `Not ${storage.name}`);
    await ann.fill("#text", "unfinished");
    await ann.click("a.room >> text=Public Chat");
    await shows(ann, storage.name, "what is said is sent");
    await ann.click(`a.room >> text=Not ${storage.name}`);
    await titled(ann, `Not ${storage.name}`);
    equal(await ann.inputValue("#text"), "unfinished", "a draft is there");
    await ask(ann, "DELETE", "sessions/current");
  }
}
