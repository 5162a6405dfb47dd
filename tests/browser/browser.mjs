// Other pages in a real browser (Chromium): what the server lets them do.
//
//     node browser.mjs
//
// A page enters a private room with the token as subprotocol, the only way that browsers have; a
// foreign page reads nothing. The server's own page is in client.mjs. Prints a line for each failed
// check, then `N passed, N failed`.

import { equal, main } from "./kit.mjs";

// The script of a page that chats in a private room.
async function privateRoom({ browser, server }) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(server.url);
  const outcome = await page.evaluate(async () => {
    const post = async (path, body) => {
      const response = await fetch(path, { method: "POST", body: JSON.stringify(body) });
      return response.json();
    };
    const password = "correct horse";
    const { id } = await post("/chats", { title: "Cabin", visibility: "private", password });
    const { token } = await post(`/chats/${id}/token`, { name: "david", secret: password });
    const refused = await new Promise((done) => {
      const socket = new WebSocket(`ws://${location.host}/chats/${id}/ws`);
      socket.onopen = () => done(false);
      socket.onerror = () => done(true);
    });
    return new Promise((done) => {
      const socket = new WebSocket(`ws://${location.host}/chats/${id}/ws`, token);
      const heard = [];
      socket.onopen = () => {
        for (const event_type of ["join", "send"]) {
          socket.send(JSON.stringify({ event_type, name: "david", msg: "aye 💣" }));
        }
      };
      socket.onmessage = ({ data }) => {
        heard.push(JSON.parse(data).msg);
        if (heard.length === 2) socket.close(1000);
      };
      socket.onclose = ({ code, wasClean }) => done({
        heard, code, wasClean, refused, echoed: socket.protocol === token,
        extensions: socket.extensions,
      });
    });
  });
  const heard = ["david entered the room.", "aye 💣"];
  const wanted = { heard, code: 1000, wasClean: true, refused: true, echoed: true, extensions: "" };
  equal(outcome, wanted, "a private room, the token as subprotocol");
  const foreign = await context.newPage();
  await foreign.route("http://foreign.example/", (route) => route.fulfill({ body: "<p>hello" }));
  await foreign.goto("http://foreign.example/");
  const read = await foreign.evaluate(async (from) => {
    return fetch(`${from}/chats`).then((response) => response.status, () => "refused");
  }, server.url);
  equal(read, "refused", "a foreign page reads nothing");
}

await main([privateRoom]);
