// Nothing is lost: edits, deletions and reactions without a connection; drafts across rooms,
// reloads and tabs; texts about messages that are deleted meanwhile.

import { equal, serve, that } from "../kit.mjs";
import { WIDE, account, ask, beGuest, beSomebody, inside, logIn, makeRoom, reads, say, saySurely,
  shows, titled, visit } from "./page.mjs";

const words = (page) => page.inputValue("#text");
const until = (page, what, then, arg) => page.waitForFunction(then, arg).then(
  () => that(true, what), async () => that(false, what, await page.innerText("#messages")));
const kept = (page, start) => page.evaluate((start) => Object.entries(localStorage)
  .filter(([key]) => key.includes(start)).map(([, value]) => value), start);

// Edits, reactions and deletions while the server is down: the page shows them at once, keeps them
// across a reload, and sends each once when the server is back.
export async function unsent(place) {
  const { browser, folder } = place;
  const ann = await visit(browser, place.server.url, WIDE, true);
  const bob = await visit(browser, place.server.url, WIDE, true);
  await logIn(ann, await account(place.server.url, "Ann"));
  await beGuest(bob, "Bob");
  for (const text of ["edit me", "like me", "delete me"]) await saySurely(ann, text);
  await shows(bob, "delete me", "all is there");
  const seqs = await ann.locator("#messages .mine[data-seq]").evaluateAll((all) =>
    all.map((one) => Number(one.dataset.seq)));
  const [edited, liked, gone] = seqs;
  await place.server.end();

  await ann.locator(`[data-seq="${edited}"]`).focus();
  await ann.keyboard.press("e");
  await ann.fill("#text", "edited once");
  await ann.keyboard.press("Enter");
  await reads(ann, `[data-seq="${edited}"] .body`, "edited once", "an edit is shown at once");
  equal(await words(ann), "", "and the field is free");
  await ann.locator(`[data-seq="${edited}"]`).focus();
  await ann.keyboard.press("e");
  equal(await words(ann), "edited once", "a second edit begins where the first ended");
  await ann.fill("#text", "edited twice");
  await ann.keyboard.press("Enter");
  await ann.locator(`[data-seq="${liked}"]`).focus();
  await ann.locator(`[data-seq="${liked}"] .bar .tool`).first().click();
  await until(ann, "a reaction is shown at once", (seq) =>
    document.querySelector(`[data-seq="${seq}"] .reactions [aria-pressed=true]`), liked);
  await ann.locator(`[data-seq="${gone}"]`).focus();
  await ann.keyboard.press("Delete");
  await ann.click("dialog .danger");
  await reads(ann, `[data-seq="${gone}"] .body`, "was deleted", "a deletion is shown at once");
  await reads(ann, `[data-seq="${edited}"] .fate`, "Will send", "what waits says so");
  await say(ann, "and a word");

  // The page reloads before the server is back.
  await ann.close();
  place.server = await serve(folder, place.server.port);
  const back = await ann.context().newPage();
  await back.goto(place.server.url);
  await shows(bob, "and a word", "all is sent");
  await reads(bob, `[data-seq="${edited}"] .body`, "edited twice", "the edit");
  await reads(bob, `[data-seq="${gone}"] .body`, "was deleted", "the deletion");
  await until(bob, "and the reaction, once", (seq) => document.querySelector(
    `[data-seq="${seq}"] .reactions button`)?.textContent.includes("1"), liked);
  await back.waitForFunction(() =>
    !Object.keys(localStorage).some((key) => key.endsWith(":outbox")));
  equal(await kept(back, ":outbox"), [], "nothing is left over");
}

// A message is deleted while it is edited or answered: the written text stays.
export async function vanished({ browser, server }) {
  const key = await account(server.url, "Ann");
  const ann = await visit(browser, server.url);
  await logIn(ann, key);
  await saySurely(ann, "a secret");
  const seq = await ann.locator("#messages .mine[data-seq]").last().getAttribute("data-seq");
  const bob = await visit(browser, server.url);
  await beGuest(bob, "Bob");
  await shows(bob, "a secret", "Bob sees it");
  await bob.locator(`[data-seq="${seq}"]`).focus();
  await bob.keyboard.press("r");
  await reads(bob, "#context", "a secret", "and answers it");
  await ann.keyboard.press("ArrowUp");
  await ann.fill("#text", "long and well written");
  equal((await ask(ann, "DELETE", `rooms/1/messages/${seq}`)).status, 204, "it is deleted");
  await reads(bob, "#context", "a deleted message", "the reply says so");
  that(!(await bob.innerText("#context")).includes("secret"), "and shows its words no more");
  await reads(ann, `[data-seq="${seq}"] .body`, "was deleted", "where it is edited, too");
  await ann.press("#text", "Enter");
  equal(await words(ann), "long and well written", "what was written stays");
  await ann.press("#text", "Enter");
  await shows(bob, "long and well written", "and a second Enter says it");

  // The same if the server refuses the edit.
  await saySurely(ann, "another");
  await ann.keyboard.press("ArrowUp");
  await ann.fill("#text", "better");
  await ann.route("**/messages/*", (route) => (route.request().method() === "PATCH"
    ? route.fulfill({ status: 404, json: { error: { code: "message_not_found", message: "no" } } })
    : route.continue()));
  await ann.press("#text", "Enter");
  await until(ann, "a refused edit comes back", () =>
    document.getElementById("text").value === "better");
  await ann.unroute("**/messages/*");
}

// A draft belongs to its room, with the message that it answers or edits; the tab that wrote last
// wins.
export async function drafts({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann");
  await makeRoom(ann, "Galley");
  const enter = async (title, page = ann) => {
    await page.click(`a.room >> text=${title}`);
    await titled(page, title);
  };
  await enter("Public Chat");
  await saySurely(ann, "first");
  await saySurely(ann, "second");
  const [first] = await ann.locator("#messages .mine[data-seq]").evaluateAll((all) =>
    all.map((one) => Number(one.dataset.seq)));
  await ann.fill("#text", "a draft");
  await ann.locator(`[data-seq="${first}"]`).focus();
  await ann.keyboard.press("e");
  await ann.fill("#text", "first, corrected");
  await enter("Galley");
  equal(await words(ann), "", "an edit stays in its room");
  await enter("Public Chat");
  equal(await words(ann), "first, corrected", "and is there when one comes back");
  await reads(ann, "#context", "Editing", "as an edit");
  await ann.reload();
  await inside(ann);
  equal(await words(ann), "first, corrected", "also over a reload");
  await ann.press("#text", "Enter");
  await reads(ann, `[data-seq="${first}"] .body`, "first, corrected", "it corrects its message");
  equal(await words(ann), "a draft", "and what was begun before stands there again");

  await ann.locator(`[data-seq="${first}"]`).focus();
  await ann.keyboard.press("r");
  await ann.fill("#text", "an answer");
  await enter("Galley");
  await enter("Public Chat");
  await reads(ann, "#context", "Reply to Ann", "a reply keeps what it answers");
  await ann.reload();
  await inside(ann);
  await ann.press("#text", "Enter");
  const answer = await shows(ann, "an answer", "it is said");
  equal(await answer.locator(".quote").count(), 1, "as a reply");

  // Two tabs: the last text stays, and a sent text does not come back.
  const other = await ann.context().newPage();
  await other.goto(server.url);
  await inside(other);
  await ann.fill("#text", "written here");
  await until(other, "a draft is in both tabs", () =>
    document.getElementById("text").value === "written here");
  await other.close();
  await ann.reload();
  await inside(ann);
  equal(await words(ann), "written here", "a tab that closes takes no draft with it");
  const third = await ann.context().newPage();
  await third.goto(server.url);
  await inside(third);
  await ann.press("#text", "Enter");
  await shows(third, "written here", "sent in one tab");
  await until(third, "it is gone in the other", () => !document.getElementById("text").value);
  await third.reload();
  await inside(third);
  equal(await words(third), "", "for good");
}
