// Shared by the scripts that drive a real browser: a server, Chromium, and the count of checks.

import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const BINARY = process.env.SHANTY ?? join(ROOT, "target", "debug", "shanty");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-quic"];

let passed = 0;
let failed = 0;

export function that(ok, what, found = "") {
  if (process.env.VERBOSE) console.log(new Date().toISOString().slice(14, 23), what);
  if (ok) passed += 1;
  else {
    failed += 1;
    console.log(`FAILED ${what}`, found);
  }
}

export function equal(found, wanted, what) {
  that(JSON.stringify(found) === JSON.stringify(wanted), what, { found, wanted });
}

// Starts the server, on a free port or on the given one; returns its origin, its setup link once it
// is printed (`setup`), and a function that ends it.
export async function serve(folder, port = 0, flags = []) {
  const listen = `127.0.0.1:${port}`;
  const words = ["--listen", listen, "--db", join(folder, "shanty.db"), "--log", "warn",
    ...flags];
  // The scripts send in a second what people send in an hour.
  const env = { ...process.env, SHANTY_LIMITS: "off" };
  // Its log would look like failures, as the scripts provoke errors: see `run`.
  const log = openSync(join(folder, "server.log"), "a");
  const server = spawn(BINARY, words, { stdio: ["ignore", "pipe", log], env });
  closeSync(log);
  const gone = new Promise((done) => { server.once("exit", done); });
  const lines = createInterface({ input: server.stdout });
  const printed = (pattern) => new Promise((done) => {
    lines.on("line", (line) => { if (pattern.test(line)) done(line.match(pattern)); });
    gone.then(() => done(null));
  });
  const setup = printed(/http:\S+#\/setup\/\S+/);
  const found = await printed(/http:\/\/[0-9.]+:(\d+)/);
  if (!found) {
    throw new Error(`the server does not start: ${readFileSync(join(folder, "server.log"))}`);
  }
  const end = async (how = "SIGKILL") => {
    server.kill(how);
    await gone;
  };
  return { url: found[0], port: Number(found[1]), setup, end };
}

// A browser with a profile on disk, as people use it; Playwright's contexts are incognito.
export function remembering(folder) {
  return chromium.launchPersistentContext(folder, { executablePath: CHROMIUM, args: FLAGS });
}

// Runs groups of parts, one group after the other; of each group two parts at a time, each with its
// own browser and server. Arguments choose parts by name. Exits.
export async function main(...groups) {
  const named = process.argv.slice(2);
  for (const group of groups) {
    const left = group.filter(({ name }) => !named.length || named.includes(name));
    const lane = async () => {
      for (let part = left.shift(); part; part = left.shift()) await run(part);
    };
    await Promise.all([lane(), lane()]);
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 ? 1 : 0);
}

async function run(part) {
  const [began, before] = [Date.now(), failed];
  const folder = mkdtempSync(join(tmpdir(), "shanty-browser-"));
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  const place = { browser, folder, server: await serve(folder) };
  try {
    await part(place);
  } catch (error) {
    that(false, `${part.name} ran to its end`, error.stack.slice(0, 900));
  } finally {
    await browser.close();
    await place.server.end();
    const said = String(readFileSync(join(folder, "server.log")));
    if (failed > before && said) console.log(`${part.name}: the server said: ${said}`);
    rmSync(folder, { recursive: true });
  }
  console.log(`${part.name}: ${((Date.now() - began) / 1000).toFixed(0)} s`);
}
