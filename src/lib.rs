//! Shanty: a small home for your crew's chat. One binary, one SQLite file, one port. This page is
//! the map of the code; each module's own page has the details.
//!
//! # Bird's eye
//!
//! **One log, three protocols.** A message becomes an entry in an append-only log, with a
//! server-wide number and no gaps. The server writes it to disk first, then announces it to the
//! room, then acknowledges it. Three wire protocols serve the same rooms: *Piratchat* (`/api`,
//! `/ws`), *ChitChat* (`/chats`), and the native one (`/api/v1`), which also reads the log back:
//! history, search, and one stream of events that resumes exactly where the client left it.
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
//! 3. The hub passes the call to the core. `chat/core/messages.rs` checks the session, the room,
//!    blocks and rate limits, and proposes an entry, which queues in `chat/state/order.rs`.
//! 4. `store/writer.rs` checks what only the log knows (does this client id exist already?), and
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
//! A file imports from strictly lower floors, or inside its own folder; a test enforces this.
//!
//! | floor | modules | what they know |
//! |---|---|---|
//! | 8 | `main` | arguments in, exit code out; serve, or administer a database |
//! | 7 | [`server`], [`doctor`] | the port, startup, orderly shutdown; what is wrong around it |
//! | 6 | [`worker`] | one thread: its connections' subscriptions, and the delivery round |
//! | 5 | [`connection`] | one socket: HTTP, perhaps then a websocket; deadlines |
//! | 4 | [`protocol`] | every wire format |
//! | 3 | [`hub`] | the one task that owns the core; turns effects into deliveries |
//! | 2 | [`codec`], [`store`] | the hub's interface to a protocol; the log on disk |
//! | 1 | [`chat`], [`clock`], [`http`], [`ws`], [`outgoing`], [`config`] | no socket, no disk |
//! | 0 | [`limits`], [`time`], [`crypto`], [`logger`], [`memory`], [`counts`], [`qr`] | numbers |
//!
//! # Invariants
//!
//! 1. The core ([`chat`]) does no I/O, reads no clock, draws no randomness.
//! 2. The hub awaits only its inbox, and its sends never wait: no client can hold it up, and no
//!    cycle can deadlock.
//! 3. Nothing is announced or acknowledged before it is in the log on disk.
//! 4. Every queue has a bound, in [`limits`], and a stated consequence at the bound:
//!
//! | queue | at its bound |
//! |---|---|
//! | kernel backlog → accept | a slot is reserved before `accept`: callers wait in the backlog |
//! | open connections, of clients without a session, of one address | an idle one is closed; 503 |
//! | bytes → PROXY header, from a trusted proxy | closed and counted |
//! | bytes → HTTP head, body | 431, 413, 408, then close |
//! | accept → worker | the next worker gets it; when all are full, callers wait in the backlog |
//! | accepts, requests, closes in one round | they wait for the next round |
//! | bytes → websocket message | close 1009; a message that does not end in time: 1008 |
//! | unfinished input of all connections | the connection that holds most: 503, close 1013 |
//! | connection → hub | the sender waits: its socket is not read, so TCP slows it |
//! | unanswered messages of one connection | the same |
//! | hub → worker | rounds queue at the hub; far beyond it, that worker's clients are closed |
//! | worker → connection's outbox | the outbox keeps a sequence number and reads the log later |
//! | own messages, joins and parts of a reader that is behind | far beyond: closed with 1013 |
//! | readers of the log | a few at once, the others wait for their turn; after 5 s: 503 |
//! | one read of the log | stopped after 2 s: 503 |
//! | searches | one at once; each person's newest waits and replaces the one before: 429 |
//! | connection → kernel | no progress for 10 s: closed; an HTTP answer: 32 KiB a minute |
//! | unsent bytes of all connections | requests get 503; streams catch up later |
//! | entries → store | they wait at the hub, in order; beyond the bound: 503, or an error reply |
//! | read markers, use of sessions → store | only the latest waits; far beyond: dropped |
//! | password hashing, in turns by address and room | the newest of the longest line: 503 |
//! | rate of a connection, person, address or room | 429, or an error acknowledgement |
//! | lines for standard error | dropped and counted: nobody waits for a reader |
//! | accounts, rooms; the share of one account, guest or address | refused: full, or at its quota |
//! | deleted rooms that can be restored | the oldest is purged |
//! | items of one answer, steps of one command | the next page has the rest; work continues later |
//!
//! 5. Only [`protocol`] knows a wire format; below it stands one trait, [`codec::Codec`], which
//!    writes finished frames. The core knows neither JSON nor HTTP nor SQL.
//! 6. The work of one command is bounded: nothing takes over 1 ms of the event loop. Long lists are
//!    answered page by page; long work yields to other commands and continues after them.
//!
//! No lock, no atomic as state, no `unsafe` (but the declaration of one C function in [`memory`]):
//! shared state has one owner, which others call. Counts, too: `/metrics` asks each owner for a
//! copy.
//!
//! # Reading order
//!
//! [`chat`] (its `vocabulary` first), [`hub`], [`worker`], [`connection`]; then any protocol, the
//! [`store`], and [`http`] and [`ws`], which stand on their own.

pub mod counts;
pub mod crypto;
#[cfg(test)]
mod fuzz;
pub mod limits;
pub mod logger;
pub mod memory;
pub mod qr;
pub mod time;

pub mod chat;
pub mod clock;
pub mod config;
pub mod http;
pub mod outgoing;
#[cfg_attr(not(feature = "tls"), path = "tls/without.rs")]
pub mod tls;
pub mod ws;

pub mod codec;
pub mod store;

pub mod hub;

pub mod protocol;

pub mod connection;

pub mod worker;

pub mod doctor;
pub mod server;
