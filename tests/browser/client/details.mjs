// Details: copying, selections, notifications of several tabs, long pastes, paths, dropped files,
// links to missing messages.

import { equal, that } from "../kit.mjs";
import { WIDE, ask, beGuest, beSomebody, inWindow, inside, makeRoom, reads, say, saySurely, shows,
  titled, visit } from "./page.mjs";

const seqs = (page) => page.locator("#messages .message[data-seq]").evaluateAll((all) =>
  all.map((one) => Number(one.dataset.seq)));

// The copied text if everything between two places in messages is selected.
const copied = (page, from, to) => page.evaluate(([from, to]) => {
  const body = (seq) => document.querySelector(`[data-seq="${seq}"] .body p`).firstChild;
  const range = document.createRange();
  range.setStart(body(from), 2);
  range.setEnd(body(to), body(to).length - 1);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  const data = new DataTransfer();
  document.getElementById("messages").dispatchEvent(
    new ClipboardEvent("copy", { clipboardData: data, bubbles: true, cancelable: true }));
  return data.getData("text/plain");
}, [from, to]);

export async function copying({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann");
  const bob = await visit(browser, server.url);
  await beGuest(bob, "Bob");
  await saySurely(ann, "first words");
  await saySurely(ann, "second words");
  await saySurely(bob, "third words");
  await shows(ann, "third words", "all are there");
  const [one, two, three] = await seqs(ann);
  await ann.locator(`[data-seq="${two}"]`).hover(); // Its menu is inside it.
  equal(await copied(ann, one, one), "rst word", "of one message its words");
  const clock = /\[[0-9:]+( [AP]M)?\]/g;
  equal((await copied(ann, one, three)).replace(clock, "[T]").split("\n"),
    ["[T] Ann: rst words", "[T] Ann: second words", "[T] Bob: third word"],
    "of several, each with its time and author");

  // A reaction and later messages leave the selection as it is.
  await copied(ann, one, one);
  const selection = () => ann.evaluate(() => String(getSelection()));
  const before = await selection();
  await ask(bob, "PUT", `rooms/1/messages/${one}/reactions/${encodeURIComponent("👍")}`);
  await ann.waitForSelector(`[data-seq="${one}"] .reactions button`);
  await saySurely(bob, "fourth words");
  await shows(ann, "fourth words", "one more comes");
  equal(await selection(), before, "what is selected stays selected");
  await ask(bob, "DELETE", `rooms/1/messages/${one}/reactions/${encodeURIComponent("👍")}`);
  await ann.waitForSelector(`[data-seq="${one}"] .reactions`, { state: "detached" });
}

export async function little({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann");
  await saySurely(ann, "/usr/bin/env is a path");
  await shows(ann, "/usr/bin/env is a path", "a path is no command");
  await ann.goto(`${server.url}/#/room/1/999999`);
  await reads(ann, "#toast", "no longer exists", "a link to nothing says so");

  await ann.fill("#text", "שלום, what");
  equal(await ann.getAttribute("#text", "dir"), "rtl", "what begins in Hebrew is written so");
  await ann.fill("#text", "hello, שלום");
  equal(await ann.getAttribute("#text", "dir"), "", "and English as English");
  await ann.fill("#text", "");

  // A huge text is pasted: the page stays quick, and shows how long the text is.
  await ann.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await ann.evaluate(() => navigator.clipboard.writeText("word ".repeat(600_000)));
  await ann.focus("#text");
  const start = Date.now();
  await ann.keyboard.press("Control+V");
  await reads(ann, "#count", "over the limit", "too much is counted");
  const pasted = Date.now() - start;
  await ann.keyboard.type("x");
  await ann.evaluate(() => new Promise((done) => { requestAnimationFrame(() => done()); }));
  const key = Date.now() - start - pasted;
  console.log(`  a paste of 3 MB took ${pasted} ms, the key after it ${key} ms`);
  await ann.keyboard.press("Enter");
  await reads(ann, "#toast", "too long", "and why it is not sent");
  await ann.fill("#text", "");

  // A dropped file does not replace the page.
  const stopped = await ann.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["x"], "x.txt"));
    const drop = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
    return !document.getElementById("log").dispatchEvent(drop);
  });
  that(stopped, "a dropped file does not open");
  await reads(ann, "#toast", "Files", "and the page says why");

  // A toast appears inside an open dialog, and stays when the dialog closes.
  await ann.click("#settings");
  await ann.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["x"], "x.txt"));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
  });
  that(await ann.locator("dialog #toast").isVisible(), "a notice stands in the open dialog");
  await ann.keyboard.press("Escape");
  await ann.waitForSelector("dialog", { state: "detached" });
  that(await ann.locator("body > #toast").count() === 1, "and stays when it closes");
}

// A hidden tab does not notify of a room that another tab shows, and closes its notifications when
// their messages are read.
export async function tabs({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann", WIDE, inWindow);
  const bob = await visit(browser, server.url);
  await beGuest(bob, "Bob");
  await ann.click("#settings");
  await ann.check("text=Show notifications");
  await ann.keyboard.press("Escape");
  const galley = await makeRoom(ann, "Galley");
  await ann.click("a.room >> text=Public Chat");
  await titled(ann, "Public Chat");
  const other = await ann.context().newPage();
  await inWindow(other);
  await other.goto(`${server.url}/#/room/${galley}`);
  await inside(other);
  const front = (page, is) => page.evaluate((is) => {
    globalThis.front = is;
    dispatchEvent(new Event(is ? "focus" : "blur"));
  }, is);
  const shown = (page) => page.evaluate(() => globalThis.shown);

  await front(other, false);
  await saySurely(bob, "@Ann while the first tab shows it");
  await reads(other, "a.room .badge", "1", "it comes to the second");
  await front(ann, false);
  await saySurely(bob, "@Ann **come** `here`");
  const called = (page) => page.waitForFunction(() => globalThis.shown.length > 0);
  await Promise.race([called(ann), called(other)]);
  await ann.waitForTimeout(700);
  const all = [...await shown(ann), ...await shown(other)];
  equal(all, ["@Ann come here"], "one tab calls, once, only when none shows it, in plain words");
  await front(ann, true);
  await ann.waitForFunction(() => !document.title.startsWith("("));
  await ann.waitForTimeout(300);
  equal([...await shown(ann), ...await shown(other)], [], "what is read is taken back");
}
