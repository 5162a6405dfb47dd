// Rate limits: the page waits as long as the server says, then sends, and loses nothing.

import { equal, that } from "../kit.mjs";
import { WIDE, beGuest, bodies, reads, say, saySurely, shows, visit } from "./page.mjs";

const tooMuch = (ms, header = false) => ({
  status: 429, contentType: "application/json",
  headers: header ? { "Retry-After": String(Math.ceil(ms / 1000)) } : {},
  body: JSON.stringify({ error: { code: "rate_limited", message: "wait a little",
    ...(header ? {} : { retry_after_ms: ms }) } }),
});

export async function patient({ browser, server }) {
  const ann = await visit(browser, server.url, WIDE);
  await beGuest(ann, "Ann");
  // Messages: later ones wait behind it, in order, also across a reload.
  const asked = [];
  let refusals = 2;
  await ann.route("**/messages/*", (route) => {
    if (route.request().method() !== "PUT") return route.continue();
    asked.push(Date.now());
    refusals -= 1;
    return refusals >= 0 ? route.fulfill(tooMuch(700, refusals === 0)) : route.continue();
  });
  for (const text of ["one", "two", "three"]) await say(ann, text);
  await ann.waitForFunction(() => document.querySelectorAll("#messages .pending").length === 3);
  that(!await ann.locator(".failed").count(), "nothing has failed");
  await ann.waitForFunction(() => !document.querySelector("#messages .pending"));
  equal(await bodies(ann), ["one", "two", "three"], "all of it is said, in order");
  that(asked[1] - asked[0] >= 700 && asked[2] - asked[1] >= 1000, "not before it is time",
    asked.map((time) => time - asked[0]));
  equal(asked.length, 5, "and no sooner than asked");
  refusals = 1;
  await say(ann, "four");
  await ann.waitForSelector("#messages .pending");
  await ann.reload();
  await ann.waitForFunction(() => !document.querySelector("#messages .pending"));
  await shows(ann, "four", "a reload loses nothing");
  await ann.unroute("**/messages/*");

  // Every other request is retried.
  const once = async (path, method, header) => {
    let left = 1;
    await ann.route(path, (route) => {
      if (left === 0 || route.request().method() !== method) return route.continue();
      left -= 1;
      return route.fulfill(tooMuch(300, header));
    });
  };
  const row = ann.locator("#messages .message").last();
  await once("**/reactions/*", "PUT", false);
  await row.hover();
  await ann.click(".bar button[aria-label='React with 👍']");
  await shows(ann, "👍", "a reaction arrives");
  await once("**/messages/*", "PATCH", true);
  await row.focus();
  await ann.keyboard.press("e");
  await ann.fill("#text", "five");
  await ann.keyboard.press("Enter");
  await shows(ann, "five", "so does an edit");
  await once("**/api/v1/rooms", "POST", false);
  await ann.click("#make");
  await ann.fill("#f-title", "Galley");
  await ann.click("dialog .primary");
  await reads(ann, "#title", "Galley", "and a room");
  // A rate-limited typing notice shows no error, and the next message is sent.
  await saySurely(ann, "six");
}

// A completed name with spaces is a mention; the page shows the mentions that the server found.
export async function calling({ browser, server }) {
  const ann = await visit(browser, server.url, WIDE);
  await beGuest(ann, "Ann");
  const mary = await visit(browser, server.url);
  await beGuest(mary, "Mary Lou");
  await reads(ann, "#people", "Mary Lou", "she is here");
  await ann.type("#text", "你好@mary l");
  await ann.waitForSelector("#complete [role=option]");
  await ann.keyboard.press("Tab");
  equal(await ann.inputValue("#text"), "你好@Mary Lou ", "completed as it is");
  await ann.keyboard.type("and @mary, @nobody, `@Ann`");
  await ann.keyboard.press("Enter");
  const line = await shows(mary, "and @mary", "said");
  equal(await line.locator(".mention").allInnerTexts(), ["@Mary Lou"], "who is called is marked");
  equal(await line.locator(".mention.mine").count(), 1, "most of all oneself");
}
