//! Shanty: a small home for your crew's chat. One binary, one SQLite file, one port. This page is
//! the map of the code; each module's own page says the rest.
//!
//! # Bird's eye
//!
//! **One log, many doors.** What is said becomes an entry in an append-only log, with a server-wide
//! number and no gaps. It is written to disk first, then told to the room, then acknowledged. Three
//! wire protocols are doors into the same rooms: *Piratchat* (`/api`, `/ws`), *ChitChat*
//! (`/chats`), and our own (`/api/v1`), which also reads the log back: history, search, and one
//! stream of events that goes on exactly where it was left.
//!
//! ```text
//!    client ──bytes──▶ connection ──Request──▶ protocol ──Call──┐
//!      ▲                    │                                  ▼
//!      │                    └────frame──▶ codec ────ClientEvent──▶  hub ──▶ chat (the core)
//!      │                                                    │  ▲        decides everything
//!      └──one write a round── worker ◀──Item── (encoded once)  │
//!                                             │                │ Logged
//!                                             └──Entry──▶ store ──▶ SQLite, one commit for many
//! ```
//!
//! # From a send to its acknowledgement
//!
//! 1. `connection/http.rs` or `connection/websocket.rs` reads the bytes of the request.
//! 2. The protocol (`protocol/native/messages.rs`) checks its form and sends a call to the hub.
//! 3. The hub gives the call to the core. `chat/core/words.rs` checks the session, the room, blocks
//!    and rate limits, and proposes an entry, which takes its place in `chat/state/order.rs`.
//! 4. `store/writer.rs` checks what only the log knows (is this client id there already?), and
//!    commits the entry to disk, together with others.
//! 5. The hub gets the entry back with its number; the core applies it: it announces the message to
//!    the room and answers the call.
//! 6. The hub encodes the message once for each protocol, and the workers write it to the sockets.
//!    The answer to the sender is the acknowledgement.
//!
//! Only step 4 waits for the disk, and meanwhile the hub handles other commands.
//!
//! # Floors
//!
//! A file imports from strictly lower floors, or inside its own folder; a test holds us to it.
//!
//! | floor | modules | what they know |
//! |---|---|---|
//! | 8 | `main` | words in, exit code out; to serve, or to look after a database |
//! | 7 | [`server`] | the port, the start, the end in order |
//! | 6 | [`worker`] | one thread: who sits where, and the delivery round |
//! | 5 | [`connection`] | one socket: HTTP, then maybe a websocket; deadlines |
//! | 4 | [`protocol`] | everything that is somebody's wire format |
//! | 3 | [`hub`] | the one task that owns the core; turns effects into deliveries |
//! | 2 | [`codec`], [`store`] | what the hub knows of a protocol; the log on disk |
//! | 1 | [`chat`], [`clock`], [`http`], [`ws`], [`outgoing`], [`config`] | no socket, no disk |
//! | 0 | [`limits`], [`time`], [`crypto`], [`logger`] | every number, the clock's type, keys |
//!
//! # Invariants
//!
//! 1. The core ([`chat`]) does no I/O, reads no clock, draws no randomness.
//! 2. The hub awaits only its inbox, and what it sends never waits: no client can hold it up, and
//!    no cycle can lock.
//! 3. Nothing is told or acknowledged before it is in the log on disk.
//! 4. Every queue has a bound, in [`limits`], and a stated consequence at the bound:
//!
//! | queue | at its bound |
//! |---|---|
//! | kernel backlog → accept | a place is taken before `accept`: callers wait in the backlog |
//! | connections that stay, of strangers, of one address | who asks for nothing makes way; 503 |
//! | bytes → HTTP head, body | 431, 413, 408, then close |
//! | accept → worker | the next worker gets it; when all are full, callers wait in the backlog |
//! | arrivals, requests, ends of connections in one round | they wait for the next round |
//! | bytes → websocket message | close 1009; one that does not end in time 1008 |
//! | input that is not whole, of all together | who holds most makes way: 503, close 1013 |
//! | connection → hub | the sender waits: its socket is not read, so TCP slows it |
//! | unanswered messages of one connection | the same |
//! | hub → worker | rounds pile up at the hub; far beyond it, that worker's clients are closed |
//! | worker → connection's outbox | it costs a number, not a queue: it is caught up from the log |
//! | what a seed's reader says, or who moves, meanwhile | far beyond: closed with 1013 |
//! | readers of the log | a few at once, the others wait for their turn; after 5 s of that 503 |
//! | one read of the log | 2 s: broken off, 503 |
//! | searches | one at once; of a person one waits, and makes way for their next: 429 |
//! | connection → kernel | no progress for 10 s: closed; an HTTP answer: 32 KiB a minute |
//! | what is unsent, to all together | 503 for who asks; streams are caught up later |
//! | entries → store | they wait at the hub, in order; beyond the bound: 503, or an error reply |
//! | marks of reading, use of sessions → store | only the latest waits; far beyond: not kept |
//! | password work, in turns by address and room | the newest of the longest line: 503 |
//! | what a connection, person, address or room does in a time | 429, or an error acknowledgement |
//! | lines for standard error | left out, and it is said how many: nobody waits for a reader |
//! | accounts, rooms; of them what one account, guest or address has | refused as full |
//! | deleted rooms that can be brought back | the oldest is gone for good |
//! | items of one answer of the core, steps of one command | the rest is asked for, or goes on |
//!
//! 5. Only [`protocol`] knows a wire format; below it stands one trait, [`codec::Codec`], which
//!    writes finished frames. The core knows neither JSON nor HTTP nor SQL.
//! 6. The work of one command is bounded: nothing takes over 1 ms of the event loop. Long lists are
//!    answered page by page, and what is too long for one command goes on after others had their
//!    turn.
//!
//! No lock, no atomic as state, no `unsafe`: what is shared has one owner, and is asked.
//!
//! # Reading order
//!
//! [`chat`] (its `vocabulary` first), [`hub`], [`worker`], [`connection`]; then whichever protocol
//! you like, the [`store`], and [`http`] and [`ws`], which stand on their own.

pub mod crypto;
#[cfg(test)]
mod fuzz;
pub mod limits;
pub mod logger;
pub mod time;

pub mod chat;
pub mod clock;
pub mod config;
pub mod http;
pub mod outgoing;
pub mod ws;

pub mod codec;
pub mod store;

pub mod hub;

pub mod protocol;

pub mod connection;

pub mod worker;

pub mod server;
