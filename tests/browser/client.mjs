// The server's own page in a real browser (Chromium).
//
//     node client.mjs [PART]...
//
// Everything that the page must do, by topic, in client/. Prints a line for each failed check, the
// time of each part, then `N passed, N failed`.

import { equal, main } from "./kit.mjs";
import { troubles } from "./client/page.mjs";
import { hearing, keyboard, screens, still } from "./client/everybody.mjs";
import { behind, crowded, typing } from "./client/crowded.mjs";
import { conversations } from "./client/blocking.mjs";
import { charge } from "./client/charge.mjs";
import { inviting } from "./client/inviting.mjs";
import { devices, notices, returning } from "./client/noticing.mjs";
import { copying, little, tabs } from "./client/details.mjs";
import { drafts, unsent, vanished } from "./client/kept.mjs";
import { locked, people, rooms, ways } from "./client/rooms.mjs";
import { order } from "./client/order.mjs";
import { heirs, injection, talk } from "./client/talk.mjs";
import { away, killed, long } from "./client/sending.mjs";
import { speed } from "./client/speed.mjs";
import { calling, patient } from "./client/waiting.mjs";
import { completion, forgetful, refused, writing } from "./client/writing.mjs";

async function quiet() {
  equal(troubles, [], "the browser complains of nothing");
}

await main([
  killed, screens, away, talk, long, keyboard, injection, rooms, ways, people, locked, completion,
  writing, refused, forgetful, patient, calling, notices, devices, returning, hearing, still,
  crowded, typing, behind, unsent, vanished, drafts, conversations,
  copying, little, tabs, heirs, charge, inviting, order,
], [speed], [quiet]);
