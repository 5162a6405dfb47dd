// Takes pictures of every screen of the page, light and dark, on a desktop and on a phone.
//
//     node shots.mjs FOLDER
//
// The README shows those in shots/, which were made on a machine with an emoji font.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { main, that } from "./kit.mjs";
import { account, ask, inside, logIn, reads, titled, visit } from "./client/page.mjs";

const folder = process.argv[2];
if (!folder) throw new Error("which folder?");
process.argv.length = 2;
mkdirSync(folder, { recursive: true });

const DESK = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true,
  hasTouch: true };

const PEOPLE = ["Mara", "Jonas", "Ines", "Tom", "Yuki"];
const ROOMS = [["Allotment", "public", "Beds, seeds, and who has the key"],
  ["Sunday football", "public", "Kick-off at ten, rain or shine"],
  ["Grandma's 80th", "private", "She must not know"]];
const TALK = [
  ["Mara", "Morning all! The boat is back in the water 🚤"],
  ["Jonas", "Finally. Did the **new rudder** fit?"],
  ["Mara", "Like a glove. Two screws left over, as ever."],
  ["Mara", "Plan for Saturday:\n- 9:30 at the jetty\n- *somebody* brings coffee\n- back by four"],
  ["Ines", "I bring coffee, @Mara. And the forecast says:\n> Wind 3 to 4, sunny spells"],
  ["Tom", "Count me in. Chart is at https://example.org/charts/lagoon"],
  ["Yuki", "For whoever wants the track afterwards:\n```\ngpsbabel -i gpx -f track.gpx "
    + "-o kml -F track.kml\n```"],
  ["Jonas", "⛵"],
  ["Ines", "See you all on Saturday then, and don't forget the life jackets this time, Jonas."],
];

// A small town's chat.
async function town(url) {
  const keys = {};
  for (const name of PEOPLE) keys[name] = await account(url, name);
  const as = async (name, method, path, body) => {
    const headers = {
      Authorization: `Bearer ${keys[name]}`, "Content-Type": "application/json",
    };
    const response = await fetch(`${url}/api/v1/${path}`, {
      method, headers, body: JSON.stringify(body ?? {}),
    });
    return response.json().catch(() => null);
  };
  const rooms = {};
  for (const [title, visibility, description] of ROOMS) {
    const password = visibility === "public" ? undefined : "correct horse";
    const body = { title, visibility, description, password };
    rooms[title] = (await as("Jonas", "POST", "rooms", body)).id;
  }
  await as("Mara", "PUT", `rooms/${rooms.Allotment}/membership`);
  await as("Mara", "PUT", `rooms/${rooms["Grandma's 80th"]}/membership`,
    { password: "correct horse" });
  const said = [];
  for (const [name, text] of TALK) {
    const body = { text, reply_to: name === "Tom" ? said[3].seq : undefined };
    said.push(await as(name, "POST", "rooms/1/messages", body));
  }
  for (const [name, at, emoji] of [["Tom", 0, "🎉"], ["Ines", 0, "🎉"], ["Yuki", 0, "🎉"],
    ["Jonas", 3, "👍"], ["Tom", 3, "👍"], ["Mara", 4, "❤️"]]) {
    const path = `rooms/1/messages/${said[at].seq}/reactions/${encodeURIComponent(emoji)}`;
    await as(name, "PUT", path);
  }
  // Some of them have an open stream, and so are online.
  for (const name of ["Jonas", "Ines", "Tom"]) {
    await fetch(`${url}/api/v1/events`, { headers: { Authorization: `Bearer ${keys[name]}` } });
  }
  return { keys, rooms, as };
}

// Every screen, in one colour scheme and one size.
async function tour(place, options, name, { keys, rooms, as }) {
  const { browser, server } = place;
  const page = await visit(browser, server.url, options, true);
  const wide = !options.isMobile;
  const shot = async (what) => {
    await page.waitForTimeout(350);
    await page.screenshot({ path: join(folder, `${what}-${name}.png`) });
  };
  const toRooms = async () => { if (!wide) await page.click("#back"); };
  await shot("01-door");
  await page.click("#register-part summary");
  await page.fill("#register-name", "Nell");
  await page.press("#register-name", "Enter");
  await page.waitForSelector("#fresh:not([hidden])");
  await shot("02-key");
  await page.click("#fresh .primary");
  await inside(page);
  await ask(page, "DELETE", "sessions/current");
  await page.goto(`${server.url}/#/room/1`);
  await page.reload();
  await logIn(page, keys.Mara);
  await reads(page, "#messages", "See you all", "the conversation");
  await as("Ines", "PUT", "users/Mara/room");
  await shot("03-new");
  if (await page.isVisible("#jump-latest")) await page.click("#jump-latest");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.title.startsWith("("));
  await page.mouse.move(0, 0);
  await shot("03-chat");
  await page.evaluate(() => { document.getElementById("log").scrollTop = 0; });
  await page.locator(".message").nth(3).hover();
  if (!wide) await page.locator(".message").nth(3).tap();
  await shot("04-message");
  if (!wide) {
    await page.click("#show-people");
    await shot("05-people");
    await page.click("#hide-people");
  }
  await as("Jonas", "POST", `rooms/${rooms.Allotment}/messages`, { text: "Who has the key?" });
  await as("Jonas", "POST", `rooms/${rooms.Allotment}/messages`, { text: "@Mara? Is it you?" });
  await toRooms();
  await reads(page, "a.room .badge", "@", "unread");
  await shot("06-rooms");
  await page.click("a.room >> text=Allotment");
  await titled(page, "Allotment");
  await shot("07-unread");
  await page.click("#room-menu");
  await shot("08-another-s-room");
  await page.keyboard.press("Escape");
  await toRooms();
  await page.click("#make");
  await page.check("dialog [value=private]");
  await shot("09-new-room");
  await page.keyboard.press("Escape");
  await page.click("#switch");
  await shot("10-switcher");
  await page.keyboard.press("Escape");
  await page.click("#find");
  await page.keyboard.type("saturday");
  await page.waitForSelector("dialog .hit");
  await shot("11-search");
  await page.keyboard.press("Escape");
  await page.click("#settings");
  await page.waitForSelector(".sessions b");
  await shot("12-settings");
  await page.click("dialog >> text=Shortcuts and commands");
  await shot("13-help");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.goto(`${server.url}/#/room/${rooms["Sunday football"]}`);
  await titled(page, "Sunday football");
  await shot("14-looking-in");
  await page.goto(`${server.url}/#/room/${rooms["Grandma's 80th"]}`);
  await titled(page, "Grandma's 80th");
  await inside(page);
  await shot("15-empty");
  await page.fill("#text", ":hea");
  await page.type("#text", "r");
  await shot("16-completion");
  await page.fill("#text", "");
  await page.click("#emoji");
  await shot("17-emoji");
  await page.keyboard.press("Escape");
  await page.goto(`${server.url}/#/room/${rooms["Grandma's 80th"]}00`);
  await titled(page, "Room not found");
  await shot("18-no-such-room");
  await page.goto(`${server.url}/#/room/1`);
  await titled(page, "Public Chat");
  await page.route("**/messages/*", (route) => (route.request().method() !== "PUT"
    ? route.continue() : route.fulfill({ status: 403, contentType: "application/json",
      body: JSON.stringify({ error: { code: "muted", message: "you may not speak now" } }) })));
  await page.fill("#text", "This one is refused.");
  await page.click(".send");
  await page.waitForSelector(".failed");
  await shot("19-refused");
  await page.click(".failed >> text=Delete");
  await page.unroute("**/messages/*");
  await place.server.end();
  await page.waitForTimeout(6000);
  await page.fill("#text", "Written without a connection.");
  await page.click(".send");
  await shot("20-offline");
  that(await page.isVisible("#banner"), "a banner");
}

const parts = [];
for (const [kind, options] of [["desk", DESK], ["phone", PHONE]]) {
  for (const colorScheme of ["light", "dark"]) {
    const name = `${kind}-${colorScheme}`;
    const parted = { [name]: async (place) => {
      await tour(place, { ...options, colorScheme }, name, await town(place.server.url));
    } };
    parts.push(parted[name]);
  }
}
await main(parts);
