// The page's parser of texts, in Chromium and in Firefox.
//
//     node words.mjs
//
// Tests mentions and markup with the table that also tests the server (tests/texts.json); and that
// a text of twice the length takes about twice the time (quadratic code would take four times).
//
// Prints a line for each failed check, then `N passed, N failed`.

import { readFileSync } from "node:fs";
import puppeteer from "puppeteer-core";
import { equal, main, that } from "./kit.mjs";

const TABLE = JSON.parse(readFileSync(new URL("../texts.json", import.meta.url), "utf8"));
const FIREFOX = process.env.FIREFOX || "/usr/bin/firefox-esr";

// Runs in the page: the formatter, as the server serves it.
async function drawn({ names, cases }) {
  const base = document.querySelector("script[type=module]").src;
  const { markdown } = await import(new URL("markdown.js", base));
  const plain = (node) => {
    if (!node.tagName) return node.data.replace(/&/g, "&amp;").replace(/</g, "&lt;")
      .replace(/>/g, "&gt;");
    const inside = [...node.childNodes].map(plain).join("");
    if (node.className.includes("mention")) return inside;
    const tag = node.tagName.toLowerCase();
    const kept = ["href", "start"].filter((one) => node.hasAttribute(one))
      .map((one) => ` ${one}="${node.getAttribute(one)}"`).join("");
    return `<${tag}${kept}>${inside}</${tag}>`;
  };
  return cases.map((one) => {
    const box = document.createElement("div");
    box.append(...markdown(one.text, one.names ?? names));
    const calls = [...box.querySelectorAll(".mention")].map((span) => span.dataset.name);
    return { calls: [...new Set(calls)], html: [...box.childNodes].map(plain).join("") };
  });
}

// The texts that the page shows large.
async function large(texts) {
  const base = document.querySelector("script[type=module]").src;
  const { onlyEmoji } = await import(new URL("markdown.js", base));
  return texts.filter(onlyEmoji);
}

// The factor of the time for a text of twice the length; the least of several runs.
async function growth({ shape, from }) {
  const base = document.querySelector("script[type=module]").src;
  const { markdown } = await import(new URL("markdown.js", base));
  const [begin, middle, end] = shape;
  const text = (length) => begin + middle.repeat(Math.ceil(length / middle.length)) + end;
  const names = ["bob", "Mary Lou", "a"];
  // The clocks of browsers are coarse, so this repeats the work until the time is measurable.
  const time = (words, times) => {
    const start = performance.now();
    for (let one = 0; one < times; one += 1) markdown(words, names, Infinity);
    return performance.now() - start;
  };
  const [short, long] = [text(from), text(2 * from)];
  let times = 1;
  while (time(short, times) < 20) times *= 2;
  let least = Infinity;
  for (let tries = 0; tries < 9 && least > 2.5; tries += 1) {
    least = Math.min(least, time(long, times) / time(short, times));
  }
  const nodes = markdown(long, names);
  return { least, plain: nodes.length === 1 && nodes[0].textContent === long };
}

const SHAPES = [
  ["https://a", ".)", ""], ["https://a", ".", ""], ["https://a", ")", ""], ["https://a", "(", ""],
  ["", "https://a.)", ""], ["", "`", ""], ["", "` ``", ""], ["", "\\`` ", ""], ["` ", "a", "`"],
  ["`", " ", "`x"], ["", "*a", ""], ["", "**a ", ""], ["", "_a*", ""], ["", "*_~~a", ""],
  ["", "***a** ", ""], ["", "~~", ""], ["", "[", ""], ["", "[a](", ""], ["", "[a](b", ""],
  ["", "[a", "](b)"], ["", "@", ""], ["", "@a ", ""], ["", "@a-", ""], ["", "@a_", ""],
  ["@a", "_", "b"], ["", "@bob ", ""], ["", "@é\u0301", ""], ["", "```\n", ""], ["", "```a\n", ""],
  ["```", " ", "!"], ["", "> ", ""], ["", "> a\n", ""], ["", ">", ""], ["", "- a\n", ""],
  ["", "1. a\n- b\n", ""], ["- ", " ", "a"], ["", "\n", "a"], ["a", " \n", "a"], ["", " ", "a"],
  ["a", "\t", "a"], ["", "\\", ""], ["", "h", ""], ["", "a.b/@", ""], ["", "好@bob", ""],
  ["", "mailto:", ""], ["", "www.", ""], ["", " www.ab", ""], ["https://a", "（", ""],
  ["", "<https://a", ""], ["[a](b", "(", ""], ["", "  - a\n", ""],
  ["- a\n", "  - a\n      - b\n", ""], ["", "\u{1f44d}", ""], ["", "~~~\n```\n", ""],
];

async function suits(evaluate, browser) {
  const { names, mentions, markdown } = TABLE;
  const found = await evaluate(drawn, { names, cases: mentions });
  found.forEach(({ calls }, at) => equal(calls, mentions[at].calls,
    `${browser}: ${JSON.stringify(mentions[at].text)} calls`));
  const made = await evaluate(drawn, { names, cases: markdown });
  made.forEach(({ html }, at) => equal(html, markdown[at].html,
    `${browser}: ${JSON.stringify(markdown[at].text)} becomes`));
  const emoji = ["1️⃣", "❤️", "👍🏽", "🇩🇪", "👨‍👩‍👧", "🏴‍☠️", "☀️ 🎉", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"];
  const others = ["©", "™", "12", "a", "*", "🎉!", ""];
  equal(await evaluate(large, [...emoji, ...others]), emoji, `${browser}: emoji alone are large`);
  for (const shape of SHAPES) {
    const { least } = await evaluate(growth, { shape, from: 4000 });
    that(least <= 3, `${browser}: twice the length of ${JSON.stringify(shape)}`, least);
  }
  const many = await evaluate(growth, { shape: ["", "*a* ", ""], from: 4000 });
  that(many.plain, `${browser}: what would be too many nodes is shown as it is`);
}

async function chromium({ browser, server }) {
  const page = await browser.newPage();
  await page.goto(server.url);
  await suits((...it) => page.evaluate(...it), "Chromium");
}

async function firefox({ server }) {
  const browser = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX });
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    await suits((...it) => page.evaluate(...it), "Firefox");
  } finally {
    await browser.close();
  }
}

await main([chromium, firefox]);
