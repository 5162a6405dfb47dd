// Rooms: created, changed, entered, left and deleted; the ways to a room; and the list of people.

import { equal, that } from "../kit.mjs";
import { WIDE, accessible, account, ask, beGuest, beSomebody, inside, makeRoom, reads, say,
  saySurely, shows, titled, visit } from "./page.mjs";

const names = (page) => page.locator("#rooms .name").allInnerTexts();

async function bringBack(page) {
  await page.click("#settings");
  await reads(page, "dialog", "can be restored until", "a deleted room is in the settings");
  await accessible(page, "deleted rooms");
  await page.click("dialog >> text=\"Restore\"");
}

export async function rooms({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann");
  const bob = await beSomebody(browser, server.url, "Bob");
  const cabin = await makeRoom(ann, "Cabin", "private", "correct horse", "The captain's own");
  await saySurely(ann, "The treasure is on the third island");

  // Another person's new room appears when the page becomes visible, or after half a minute.
  await bob.keyboard.press("Control+k");
  await reads(bob, "[role=option]", "Cabin", "a room that another made is in the list");
  await bob.keyboard.type("cab");
  await accessible(bob, "the way to another room");
  await bob.keyboard.press("Enter");
  await reads(bob, "#join-room", "private", "it asks for a password");
  that(await bob.isHidden("#log"), "and shows nothing before");
  await accessible(bob, "the gate of a private room");
  await bob.fill("#join-room input", "wrong horse!");
  await bob.press("#join-room input", "Enter");
  await reads(bob, "#join-room .trouble", "password", "a wrong one does not open");
  await bob.fill("#join-room input", "correct horse");
  await bob.press("#join-room input", "Enter");
  await shows(bob, "third island", "who has it comes in, and reads what was said");
  await say(bob, "Mine!");
  await shows(ann, "Mine!", "and is heard");

  // Its owner can change it; others see its description, and can leave.
  await bob.click("#room-menu");
  await reads(bob, "dialog", "The captain's own", "what it is about");
  equal(await bob.locator("#f-title").count(), 0, "another's room is not changed");
  await accessible(bob, "another's room");
  await bob.keyboard.press("Escape");
  await ann.click("#room-menu");
  await accessible(ann, "the settings of her own room");
  await ann.fill("#f-title", "Public Chat");
  await ann.click("dialog .primary");
  await reads(ann, "dialog .trouble", "already exists", "a taken name is refused in the form");
  await ann.fill("#f-title", "Galley");
  await ann.fill("#f-description", "Where the cook is");
  await ann.click("dialog .primary");
  await titled(ann, "Galley");
  await titled(bob, "Galley", "the new name shows at the other's");
  await reads(bob, "#description", "Where the cook is", "and the new description");

  // Left by the menu, and entered again; left by a command.
  await bob.click("#room-menu");
  await bob.click("dialog >> text=Leave room");
  await reads(bob, "dialog", "need the password", "leaving warns");
  await bob.click("dialog .danger");
  await titled(bob, "Public Chat", "who has left is elsewhere");
  await bob.goto(`${server.url}/#/room/${cabin}`);
  await reads(bob, "#join-room", "private", "and outside");
  await bob.fill("#join-room input", "correct horse");
  await bob.press("#join-room input", "Enter");
  await inside(bob);
  await say(bob, "/leave");
  await bob.click("dialog .danger");
  await titled(bob, "Public Chat", "/leave");
  await bob.goto(`${server.url}/#/room/${cabin}`);
  await bob.fill("#join-room input", "correct horse");
  await bob.press("#join-room input", "Enter");
  await inside(bob);

  // Deleted while people are in it.
  await ann.click("#room-menu");
  await ann.click("dialog >> text=Delete room");
  await ann.click("dialog >> text=Delete the room");
  await titled(ann, "Public Chat", "a room is deleted");
  await titled(bob, "Public Chat", "for everybody");
  await reads(bob, "#toast", "Galley", "and one is told");
  that(!(await names(ann)).includes("Galley"), "it is not in the list");
  await bob.goto(`${server.url}/#/room/${cabin}`);
  await reads(bob, "#join-room", "doesn't exist", "nor at its address");
  await accessible(bob, "no such room");

  // Restored by its owner, with its messages.
  await bringBack(ann);
  await titled(ann, "Galley", "a deleted room comes back");
  await shows(ann, "third island", "with what was said in it");
  await reads(bob, "#rooms", "Galley", "its members have it again");
  await ann.click("#room-menu");
  await ann.click("dialog >> text=Delete room");
  await reads(ann, "dialog", "seven days", "to delete is said to be undone");
  await ann.click("dialog >> text=Delete the room");
  await titled(ann, "Public Chat");
  await makeRoom(bob, "Galley");
  await bringBack(ann);
  await reads(ann, "dialog", "Another room is now called", "its name is another's now");
  await accessible(ann, "another name for a deleted room");
  await ann.fill("dialog #f-title", "Pantry");
  await ann.click("dialog .primary");
  await titled(ann, "Pantry", "it comes back under another name");
}

// The ways to rooms and to people.
export async function ways({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann");
  const bob = await beSomebody(browser, server.url, "Bob");
  const harbour = await makeRoom(ann, "Harbour", "public", "", "Ships come and go");
  const cove = await makeRoom(ann, "Cove", "hidden", "correct horse");
  await saySurely(ann, "Nobody finds us here");
  await ann.goto(`${server.url}/#/room/${harbour}`);
  await titled(ann, "Harbour");

  // Everybody can read a public room; only members can write.
  await bob.route("**/api/v1/rooms", async (route) => {
    await new Promise((done) => setTimeout(done, 300));
    await route.continue();
  });
  await bob.keyboard.press("Control+k");
  await bob.keyboard.type("harb");
  await bob.keyboard.press("Enter");
  await titled(bob, "Harbour", "whoever types before the list is here goes where they wanted");
  await bob.unroute("**/api/v1/rooms");
  await reads(bob, "#join-room", "previewing", "one looks in");
  that(await bob.isVisible("#log"), "and reads");
  that(await bob.isHidden("#people"), "without the people in it");
  await accessible(bob, "a room that one looks into");
  await bob.click("#join-room .primary");
  await inside(bob);
  that(await bob.isVisible("#people"), "inside they are shown");
  await say(bob, "/leave");
  await bob.click("dialog .danger");
  await titled(bob, "Public Chat");
  await say(bob, "/join harbour");
  await titled(bob, "Harbour", "/join");
  await inside(bob);
  await say(bob, "/join nowhere");
  await reads(bob, "#toast", "No room with that name", "/join of what there is not");

  // Alt with the arrow keys.
  await bob.keyboard.press("Alt+ArrowDown");
  await titled(bob, "Public Chat", "Alt+Down");
  await bob.keyboard.press("Alt+ArrowUp");
  await titled(bob, "Harbour", "Alt+Up");

  // A direct room: by the list of people, by the switcher, by a command.
  await bob.locator("#people button").filter({ hasText: "Ann" }).click();
  await titled(bob, "Ann");
  await reads(bob, "#description", "Only you and", "a direct room");
  await say(bob, "Between us");
  await reads(ann, "a.room", "Bob", "it shows at the other's");
  await ann.keyboard.press("Control+k");
  await ann.keyboard.type("bob");
  await ann.keyboard.press("Enter");
  await shows(ann, "Between us", "a direct message");
  await accessible(ann, "a direct room");
  await ann.click("#room-menu");
  equal(await ann.inputValue("#f-level"), "all", "of which one is told everything");
  equal(await ann.locator("dialog >> text=Hide conversation").count(), 1, "and that can be hidden");
  await ann.keyboard.press("Escape");
  await say(ann, "/msg nobody");
  await reads(ann, "#toast", "No one has that name", "nobody of that name");

  // A link to a room leads there after signing in.
  const key = await account(server.url, "Cid");
  const cid = await visit(browser, `${server.url}/chats/${harbour}/entrance`);
  await cid.click("#login-part summary");
  await cid.fill("#login-key", key);
  await cid.press("#login-key", "Enter");
  await titled(cid, "Harbour", "ChitChat's address leads through the login");
  const guest = await visit(browser, `${server.url}/#/room/${cove}`);
  await guest.fill("#guest-name", "Dee");
  await guest.press("#guest-name", "Enter");
  await guest.waitForSelector("#join-room input");
  equal(new URL(guest.url()).hash, `#/room/${cove}`, "and the page's own");
  await guest.fill("#join-room input", "correct horse");
  await guest.press("#join-room input", "Enter");
  await shows(guest, "Nobody finds us", "a hidden room opens to who has its link and password");
  await guest.keyboard.press("Control+k");
  await reads(guest, "[role=option]", "Cove", "and is in one's list from then on");
  await cid.reload();
  await cid.waitForSelector("a.room >> text=Harbour");
  that(!(await names(cid)).includes("Cove"), "but in nobody else's");

  // The browser's back and forward.
  await ann.goBack();
  await titled(ann, "Harbour", "back");
  await ann.goForward();
  await titled(ann, "Bob", "and forth");
}

// A server without guests and registration offers only the login with a key.
export async function locked({ browser, server }) {
  const key = await account(server.url, "Ann");
  const page = await visit(browser, server.url, WIDE, false, (page) =>
    page.route("**/api/v1/server", async (route) => {
      const answer = await route.fetch();
      const json = { ...await answer.json(), guests: false, registration: "closed" };
      await route.fulfill({ response: answer, json });
    }));
  await page.waitForSelector("#login-key");
  for (const closed of ["#guest", "#pick", "#register-part"]) {
    that(await page.isHidden(closed), `no ${closed}`);
  }
  await accessible(page, "a door for keys only");
  await page.fill("#login-key", key);
  await page.press("#login-key", "Enter");
  await inside(page);
}

// Delays the page's next list of rooms; resolves when the page has it.
async function slow(page) {
  await page.route("**/api/v1/rooms", async (route) => {
    await page.waitForTimeout(1500);
    await route.continue();
  }, { times: 1 });
  return page.waitForResponse("**/api/v1/rooms");
}

// People join, are listed, and leave.
export async function people({ browser, server }) {
  const ann = await beSomebody(browser, server.url, "Ann", { ...WIDE,
    viewport: { width: 800, height: 700 } });
  that(await ann.isHidden("#people"), "where there is little room one asks for the people");
  await say(ann, "/online");
  await reads(ann, "#people h2", "1 online", "/online");
  await accessible(ann, "people over the conversation");
  const bob = await visit(browser, server.url);
  await beGuest(bob, "Bob");
  await reads(ann, "#people h2", "2 online", "who comes is seen");
  await ann.keyboard.press("Escape");
  that(await ann.isHidden("#people"), "Esc closes them");
  equal(await ann.evaluate(() => document.activeElement.id), "show-people", "and leads back");

  // While the new session begins, nobody can write, however long the server takes.
  slow(bob);
  const tab = await bob.context().newPage();
  await tab.goto(server.url);
  await reads(tab, "#settings", "Bob", "a second tab");
  await say(bob, "/nick Robert");
  await reads(bob, "#settings", "Robert", "/nick");
  const heir = await visit(browser, server.url);
  await beGuest(heir, "Bob");
  await reads(heir, "#settings", "Bob", "the former name is free at once");
  await reads(tab, "#settings", "Robert", "and the other tab is the new one's");
  await tab.close();
  await heir.context().close();
  await saySurely(bob, "It is me");
  await shows(ann, "It is me", "the new name speaks");
  const told = await ann.locator("#messages .author").last().innerText();
  equal(told, "Robert", "under the new name");
  const loaded = slow(bob);
  await say(bob, "/nick Ann");
  await reads(bob, "#toast", "name", "a name that is taken is refused");
  await bob.press("#text", "ArrowUp");
  await loaded;
  await bob.waitForTimeout(200);
  equal([await bob.inputValue("#text"), await bob.isVisible("#context")], ["It is me", true],
    "what is being written stays while the rooms are loaded again");
  await bob.keyboard.press("Escape");
  await saySurely(bob, "still here");
  await say(ann, "/nick Queen");
  await reads(ann, "#toast", "Only guests", "and an account keeps its own");
  const { members } = await ask(ann, "GET", "rooms/1/members");
  equal(members.filter((one) => one.online).map((one) => one.name).sort(), ["Ann", "Robert"],
    "online are those who are here");

  await bob.fill("#text", "never said");
  await bob.click("#settings");
  await bob.click("dialog .danger");
  await bob.click("dialog:last-of-type .danger");
  await bob.waitForSelector("#sign-in:not([hidden])");
  that(!await bob.evaluate(() => JSON.stringify(localStorage).includes("never said")),
    "what was begun does not stay behind");
  await ann.click("#show-people");
  await reads(ann, "#people h2", "1 online", "who goes is not here any more");
  await ann.keyboard.press("Escape");
  await say(ann, "/logout");
  await ann.click("dialog .danger");
  await ann.waitForSelector("#sign-in:not([hidden])");
  that(true, "/logout");
}
