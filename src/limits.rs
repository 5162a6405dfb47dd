//! Every number that bounds something, with its unit last in its name and its reason beside it.
//!
//! A queue, a buffer or a wait without a number here is a bug. The code at each bound says what
//! happens there, and the table "Back-pressure" of the crate's map lists it. Rate limits are in
//! [`rates`], those of moderators in [`moderation`], of backups and health checks in [`operating`].

pub mod moderation;
pub mod operating;
pub mod rates;

// ---- HTTP (RFC 9112): the cost of a request before its sender is known ----

/// A request line and its headers. Browsers send about 1 KiB, a JSON web token adds some 300 bytes;
/// 16 KiB is what most servers and proxies in front of us allow. Beyond it: 431.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header lines in a head. Beyond it: 431.
pub const HEADERS_MAX: usize = 64;
/// A request target. RFC 9112 section 3 asks for 8,000 octets at least. Beyond it: 414.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;
/// A request body: the longest message in JSON, every character escaped, with room. Beyond it: 413.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// The line that opens a chunk: its size in hex, and extensions, which are ignored. Beyond: 400.
pub const CHUNK_LINE_BYTES_MAX: usize = 256;
/// All trailer lines of a chunked body together; they are read and discarded. Beyond it: 431.
pub const TRAILER_BYTES_MAX: usize = 4 * 1024;
/// From the first byte of a head to its end, so that no client holds a slot by sending a byte now
/// and then. Beyond: 408.
pub const HEAD_DEADLINE_MS: u64 = 10_000;
/// From the end of a head to the end of its body. Beyond it: 408.
pub const BODY_DEADLINE_MS: u64 = 20_000;
/// Between two requests on one connection; then it is closed without an answer, as HTTP has it.
pub const IDLE_DEADLINE_MS: u64 = 60_000;

// ---- Websocket (RFC 6455) ----

/// One message, all its fragments together. Beyond it: close 1009.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// From the first byte of a message to its last fragment, as for an HTTP body. Beyond it: 1008.
pub const MESSAGE_DEADLINE_MS: u64 = 20_000;
/// Incomplete input of all connections together: heads, bodies, messages; each worker has its
/// share. Beyond it the connection that holds most is refused: 503, close 1013.
pub const INPUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Between two pings, and without a pong until a connection counts as dead: ChitChat's numbers.
pub const PING_INTERVAL_MS: u64 = 54_000;
/// See [`PING_INTERVAL_MS`]. Anything that the peer sends counts as a sign of life.
pub const PONG_DEADLINE_MS: u64 = 60_000;
/// How long a peer may take to answer our close frame before the socket is dropped.
pub const CLOSE_DEADLINE_MS: u64 = 2_000;

// ---- Sockets ----

/// Bytes queued in user space for one connection. Beyond it the reader is too slow: close 1013.
pub const OUTBOX_BYTES_MAX: usize = 256 * 1024;
/// Bytes of broadcasts queued for a stream; beyond it the stream reads the log instead.
pub const STREAM_OUTBOX_BYTES_MAX: usize = 64 * 1024;
/// Log entries that one page for a stream covers.
pub const PAGE_ENTRIES_MAX: usize = 500;
/// Bytes of frames after which a page ends: with one more frame it still fits an empty outbox.
pub const PAGE_FRAMES_BYTES: usize = 64 * 1024;
/// Messages that one page for a slow reader of Piratchat or ChitChat covers.
pub const LAG_PAGE_MESSAGES: usize = 64;
/// Messages that such a reader sends while others still wait for it. Beyond it: close 1013.
pub const LAG_OWN_MAX: usize = 4_096;
/// Bytes of frames for such a reader about people who came or left meanwhile. Beyond it, or beyond
/// the bound of all unsent bytes: close 1013.
pub const LAG_BYTES_MAX: usize = 64 * 1024;
/// What one of these people costs beside the frame: the name and its place in a map.
pub const LAG_MOVE_BYTES: usize = 128;
/// The earliest time at which a refused client may come back; the client adds jitter.
pub const RETRY_AFTER_MS: u64 = 1_000;
/// A stream that has sent nothing for this long sends a ping.
pub const STREAM_PING_MS: u64 = 25_000;
/// The part of an outbox kept for pings, pongs and the close frame: a full one can still say why.
pub const CONTROL_RESERVE_BYTES: usize = 1024;
/// What the kernel may queue for one connection; its default is megabytes for a stopped reader.
pub const SEND_BUFFER_BYTES: u32 = 64 * 1024;
/// A socket that takes nothing for this long is dropped.
pub const WRITE_STALL_MS: u64 = 10_000;
/// If the client takes less of an HTTP response than this ...
pub const ANSWER_BYTES_MIN: usize = 32 * 1024;
/// ... in this time, the response is cut off. That is 550 bytes a second, half of what the slowest
/// phones had; and the time bridges a tunnel. (On this machine the kernel reports room for a slow
/// reader in steps of 64 KiB: at 2,000 bytes a second, twice a minute.)
pub const ANSWER_WINDOW_MS: u64 = 60_000;
/// Unsent bytes of all connections together, HTTP responses included; each worker has its share.
/// Beyond it: 503 for a request; a stream is caught up from the log later.
pub const UNSENT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// A page of messages ends at this size or a little above; it has at least one message.
pub const PAGE_BYTES: usize = 256 * 1024;
/// A part of a long list is sent when it reaches this size.
pub const PIECE_BYTES: usize = 16 * 1024;
/// What a thread reads at a time from any connection. The buffer belongs to the thread.
pub const READ_BUFFER_BYTES: usize = 16 * 1024;
/// Connections at once. A permit is taken before `accept`: further clients wait in the backlog.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Connections of one address at once (an IPv6 network of 64 bits is one), unless `--per-address`
/// says otherwise: a whole school may share one. Beyond it: 503.
pub const CONNECTIONS_PER_ADDRESS: usize = 1_000;
/// Connections accepted beyond all slots, to look at their requests: the health endpoints must
/// answer even when the server is full.
pub const RESERVE_CONNECTIONS: usize = 8;
/// They are accepted when no slot has become free for this long.
pub const SLOT_PATIENCE_MS: u64 = 300;
/// Their time for a request head, after which they wait for a slot. Beyond it: 408, 503.
pub const RESERVE_DEADLINE_MS: u64 = 2_000;
/// How often a waiting connection has an idle one closed.
pub const SLOT_RETRY_MS: u64 = 100;
/// A connection that has been idle, or in the middle of a request, for this long may be closed for
/// a waiting one.
pub const SLOT_GRACE_MS: u64 = 1_000;
/// The same for a websocket without an account that has sent nothing for this long.
pub const SILENT_GRACE_MS: u64 = 60_000;
/// While at least this percentage of the slots for clients without a login is taken, a websocket
/// that such a client opens receives its room's events in batches until it sends something:
/// otherwise each listener costs a write for each event, and hundreds of them would delay all
/// others.
pub const CROWDED_PERCENT: usize = 25;
/// The time between two such batches.
pub const BATCH_MS: u64 = 100;
/// How often the server looks whether it can return memory to the system.
pub const MEMORY_LOOK_MS: u64 = 10_000;
/// Encrypted bytes of one TLS connection that wait for the kernel: one record, the most that the
/// client must have before it can decrypt any of it.
pub const TLS_BUFFER_BYTES: usize = 16 * 1024;
/// A file with a certificate or a key.
pub const TLS_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How often the server looks whether these files have changed.
pub const TLS_LOOK_MS: u64 = 10_000;
/// How long browsers ask for this host through TLS only, with `--hsts`: a year.
pub const HSTS_SECS: u64 = 365 * 24 * 3_600;
/// Open files that are not connections with a slot: the database, the listener, the event loops,
/// the reserve.
pub const FILES_BESIDE_CONNECTIONS: usize = 64;
/// The same, at least, where the system allows few: with fewer readers of the database.
pub const FILES_BESIDE_CONNECTIONS_MIN: usize = 40;
/// Clients that the kernel holds until `accept` gets to them.
pub const BACKLOG: u32 = 1024;

/// Connections accepted for a worker that does not serve them yet. Beyond it the next worker gets
/// them; beyond it at all workers, clients wait in the backlog.
pub const ARRIVALS_MAX: usize = 16;
/// New connections, requests and ends of connections that a worker handles in one round of its
/// event loop; the rest waits for the next. Each takes 10 to 35 µs, so a round half a millisecond.
pub const TURNS_PER_ROUND: usize = 16;
/// The pause before the next `accept` when the system has no file descriptors left.
pub const ACCEPT_PAUSE_MS: u64 = 100;

// ---- Queues between tasks ----

/// Threads for work that would block the event loop: the writer, password hashing, readers of the
/// log.
pub const BLOCKING_THREADS_MAX: usize = 16;

/// Threads that serve connections. One serves thousands; more threads than cores are of no use.
pub const WORKERS_MAX: usize = 64;

/// Commands waiting for the hub. Beyond it the sender waits, and with it its socket.
pub const INBOX_MAX: usize = 4096;
/// Commands that the hub takes into one round before it hands the results to the workers.
pub const ROUND_COMMANDS_MAX: usize = 8192;
/// Rounds handed to a worker and not yet delivered; beyond it they queue on the hub's side.
pub const ROUNDS_MAX: usize = 64;
/// Items queued for a worker that takes none; beyond it the worker's connections are closed.
pub const ROUND_ITEMS_MAX: usize = 262_144;
/// Entries proposed and not yet in the log. Beyond it: refused as unavailable.
pub const PROPOSED_MAX: usize = 16_384;
/// Batches handed to the writer and not yet taken; the rest waits at the hub, in order. As many as
/// the rounds in a pause between two commits, so that one `fsync` covers all of them.
pub const BATCHES_MAX: usize = 256;
/// Read markers that wait to be written; some 8 MiB. Beyond it further ones are dropped: after a
/// restart those members find messages unread again.
pub const MARKS_WAITING_MAX: usize = 131_072;
/// Sessions whose last use waits to be written; some 4 MiB. Beyond it further ones are dropped:
/// after a restart those sessions end a little earlier.
pub const TOUCHES_WAITING_MAX: usize = 131_072;
/// Bytes for one recipient after which a part of a round is written before the rest.
pub const SLICE_BYTES: usize = 64 * 1024;
/// Requests of one connection that the hub has not answered yet. Beyond it its socket is not read.
pub const UNANSWERED_MAX: u32 = 32;
/// Entries in one commit. More wait for the next: a commit must not delay its first entry.
pub const COMMIT_ENTRIES_MAX: usize = 4096;
/// The least time between the starts of two commits while entries arrive in quick succession: one
/// `fsync` covers several. An entry that arrives alone is committed at once.
pub const COMMIT_INTERVAL_MS: u64 = 4;
/// While commits are paced: how often the writer tries whether it gets more done without pauses.
pub const COMMIT_PROBE_PACED_MS: u64 = 1_000;
/// While they are not: how often it tries pauses. The trial costs lock-step senders 16 intervals,
/// under 2 % of their time.
pub const COMMIT_PROBE_EAGER_MS: u64 = 4_000;
/// While writes fail: how often the writer retries. An entry that arrives meanwhile is refused
/// after this time at the latest.
pub const WRITE_PROBE_MS: u64 = 500;
/// The size of that trial write: a long message, with what is stored beside the log.
pub const WRITE_PROBE_BYTES: i64 = 64 * 1024;
/// Passwords waiting to be hashed or verified, one after the other; each takes 7 MiB and some 30 ms
/// of a core, so the last waits for four seconds. Beyond it the newest of the longest queue: 503.
pub const PASSWORD_WAITING_MAX: usize = 128;
/// Address space for hashing; only what a hash needs is touched. Glibc's allocator returns blocks
/// above 32 MiB to the system at once.
pub const PASSWORD_MEMORY_BYTES: usize = 33 * 1024 * 1024;

/// Log lines that wait because nobody reads standard error. Beyond it lines are dropped, and the
/// log says how many.
pub const LOG_LINES_MAX: usize = 1_024;
/// Bytes of one such line; the rest is cut off.
pub const LOG_LINE_BYTES_MAX: usize = 4 * 1024;
/// How long the end of the process waits for the last lines to be read.
pub const LOG_FLUSH_MS: u64 = 500;

// ---- Chat ----

/// Characters (Unicode scalar values) of an account's name.
pub const NAME_CHARS_MAX: usize = 32;
/// Marks (accents, vowel signs) in a row in a name or title: more would reach into the lines above.
pub const MARKS_MAX: usize = 3;
/// Characters of a message sent through Piratchat's protocol.
pub const PIRATCHAT_MESSAGE_CHARS_MAX: usize = 300;
/// Characters of a message.
pub const MESSAGE_CHARS_MAX: usize = 4_000;
/// Characters of a colour, as in a style sheet.
pub const COLOR_CHARS_MAX: usize = 32;
/// Bytes of a client id.
pub const CLIENT_ID_BYTES_MAX: usize = 64;
/// Bytes of a reaction on a message: the longest families of emoji have some 30.
pub const EMOJI_BYTES_MAX: usize = 48;
/// Characters of a client's User-Agent; the rest is cut off.
pub const AGENT_CHARS_MAX: usize = 200;
/// Members of a room. Beyond it: refused as full.
pub const MEMBERS_MAX: usize = 10_000;
/// Steps of one command of the core: each begins or ends a subscription, resumes a waiting call, or
/// checks a session. Some 0.3 ms; the rest runs after the waiting commands.
pub const STEPS_MAX: usize = 256;
/// Rooms or people in one answer of the core; a longer list is read page by page. Some 50 µs of the
/// event loop for each page.
pub const ANSWER_ITEMS_MAX: usize = 256;
/// Rooms that an account is a member of: each stream has a subscription in each. Direct rooms do
/// not count, so that nobody can use up another's quota.
pub const ROOMS_PER_ACCOUNT_MAX: usize = 1_000;
/// The same for a guest, who stays for a short time.
pub const ROOMS_PER_GUEST_MAX: usize = 200;
/// Rooms that one account owns, whether or not it is a member: so nobody can fill the table by
/// making rooms and leaving them. A twentieth of all rooms. Beyond it: refused as full.
pub const OWNED_ROOMS_PER_ACCOUNT_MAX: usize = 500;
/// The same for a guest.
pub const OWNED_ROOMS_PER_GUEST_MAX: usize = 20;
/// Existing guests from one address (an IPv6 network of 64 bits; one of 48 bits has
/// [`rates::SITE_ADDRESSES`] times as much): as many as it may have connections. Beyond it: refused
/// as full.
pub const GUESTS_PER_ADDRESS_MAX: usize = 1_000;
/// Accounts that one address has registered since the start: more than a school has pupils.
/// Beyond it: refused as full.
pub const ACCOUNTS_PER_ADDRESS_MAX: usize = 5_000;
/// Rooms without an owner that one address has made since the start. Beyond it: refused as full.
pub const FREE_ROOMS_PER_ADDRESS_MAX: usize = 200;
/// Direct rooms that one account has opened. Beyond it: refused as full, to that account alone.
pub const DIRECT_ROOMS_PER_ACCOUNT_MAX: usize = 200;
/// Accounts that one account has blocked. Beyond it: refused, to that account alone. Each new block
/// looks at all of them: some 50 µs of the event loop.
pub const BLOCKED_PER_ACCOUNT_MAX: usize = 1_000;
/// How long a deleted room can be restored.
pub const DELETED_ROOM_TTL_SECS: u64 = 7 * 24 * 3_600;
/// Deleted rooms that one account can restore. Beyond it the oldest is purged.
pub const DELETED_ROOMS_PER_OWNER_MAX: usize = 20;
/// Deleted rooms of all owners that can be restored: a tenth of all rooms. Beyond it the oldest is
/// purged.
pub const DELETED_ROOMS_MAX: usize = 1_000;
/// Members of these rooms, kept for their return; some 16 MiB. Beyond it the oldest room is purged.
pub const DELETED_MEMBERS_MAX: usize = 100_000;
/// Streams of one account at once. Beyond it the oldest is closed, as replaced.
pub const STREAMS_PER_ACCOUNT_MAX: usize = 16;
/// Messages of a page of history: by default, and at most.
pub const PAGE_MESSAGES: usize = 50;
/// See [`PAGE_MESSAGES`].
pub const PAGE_MESSAGES_MAX: usize = 200;
/// Unread messages are counted up to here.
pub const UNREAD_MAX: usize = 1_000;
/// The latest messages of a room among which unread ones are counted. The count is too low only for
/// a person who has sent most of them, and read none.
pub const UNREAD_LOOKS_MAX: usize = 2_000;
/// From the last use of a remembered session to its end.
pub const REMEMBERED_TTL_SECS: u64 = 30 * 24 * 3_600;
/// The same for a guest, whose name nobody else can take meanwhile.
pub const GUEST_REMEMBERED_TTL_SECS: u64 = 7 * 24 * 3_600;
/// Characters of a room's title: at least, and at most.
pub const TITLE_CHARS_MIN: usize = 2;
/// See [`TITLE_CHARS_MIN`].
pub const TITLE_CHARS_MAX: usize = 70;
/// Characters of a room's description.
pub const DESCRIPTION_CHARS_MAX: usize = 70;
/// A line over the operator's socket, either way.
pub const OPERATOR_LINE_BYTES_MAX: usize = 1_024;
/// How long one command over that socket may take: the others wait for it. The disk may be slow.
pub const OPERATOR_DEADLINE_MS: u64 = 10_000;
/// Addresses that are banned at once: who has more to ban needs a firewall. Beyond it: refused.
pub const BANNED_ADDRESSES_MAX: usize = 1_000;
/// Minutes for which an address is banned: addresses change hands.
pub const BAN_MINUTES_MAX: u64 = 30 * 24 * 60;
/// The reason that somebody in charge gives: a line, not a letter.
pub const REASON_CHARS_MAX: usize = 200;
/// Characters of a room's password: at least, and at most (hashing reads all of them).
pub const PASSWORD_CHARS_MIN: usize = 8;
/// See [`PASSWORD_CHARS_MIN`].
pub const PASSWORD_CHARS_MAX: usize = 256;
/// Accounts, guests with a session included. Beyond it: refused as full.
pub const ACCOUNTS_MAX: usize = 100_000;
/// Sessions of one account; the one used longest ago ends when another begins.
pub const SESSIONS_PER_ACCOUNT_MAX: usize = 32;
/// Rooms. Beyond it: refused as full.
pub const ROOMS_MAX: usize = 10_000;
/// From the last use of a session to its end, unless `--session-ttl` says otherwise.
pub const SESSION_TTL_SECS: u64 = 3_600;
/// How long a browser keeps a session's cookie: as long as any browser does (RFC 6265bis section
/// 5.5). The session ends much sooner, by its last use, which a cookie cannot follow: a client that
/// only listens sends no request whose response could renew the cookie.
pub const COOKIE_TTL_SECS: u64 = 400 * 24 * 3_600;
/// A session's last use is stored when it has moved by this part of the session's lifetime.
pub const SESSION_TOUCH_PARTS: u64 = 60;
/// Session cookies of one request that are tried, of those with a key's shape: as many as a head
/// can contain.
pub const COOKIES_TRIED_MAX: usize = HEAD_BYTES_MAX / ("session=;".len() + 32);
/// How long a browser may cache a preflight response.
pub const PREFLIGHT_SECS: u64 = 600;
/// The lifetime of a room token.
pub const TOKEN_TTL_SECS: u64 = 3_600;
/// The least length of a configured secret that signs room tokens: the output of HMAC-SHA256 (RFC
/// 7518 section 3.2).
pub const SECRET_KEY_BYTES_MIN: usize = 32;
/// How long a room token can be renewed: a password shown once does not admit for ever.
pub const TOKEN_LIFE_SECS: u64 = 24 * 3_600;
/// How long `/readyz` and `/metrics` wait for an answer. Beyond it: 503.
pub const READY_DEADLINE_MS: u64 = 1_000;
/// A step back of the system's clock up to this (a correction by the network) is smoothed: time
/// stands still until the clock has caught up. A longer step is believed.
pub const CLOCK_STEP_SMOOTHED_MS: u64 = 60_000;
/// How often the core looks for expired state.
pub const TICK_MS: u64 = 10_000;

// ---- Store (SQLite) ----

/// How long a write waits for another program that has the database locked (a backup, somebody's
/// `sqlite3`). Beyond it: refused as unavailable; at the start: the server does not start.
pub const BUSY_TIMEOUT_MS: u64 = 5_000;
/// SQLite's page cache. The log is appended to, so its last pages are all that SQLite needs.
pub const PAGE_CACHE_KIB: i64 = 768;
/// Pages (4 KiB each) in the write-ahead log before they are moved into the database file. More
/// would make that rarer, but longer each time.
pub const WAL_PAGES_MAX: i64 = 1_000;
/// The size to which the write-ahead log's file is cut after a huge commit.
pub const WAL_BYTES_KEPT: i64 = 4 * 1024 * 1024;
/// Entries after which the messages among them are added to the full-text index, all at once. The
/// reader that searches indexes younger ones for itself: a few milliseconds.
pub const INDEX_ENTRIES: i64 = 2048;
/// The same in bytes of messages, if they are long.
pub const INDEX_BYTES: usize = 128 * 1024;
/// Salts for messages' texts that are drawn at once: drawing one by one would take longer than
/// hashing.
pub const SALTS_DRAWN: usize = 64;
/// Entries after which the database notes where its log ends. Fewer than this many can be cut off
/// its end unnoticed, and only before the next stop or start.
pub const END_NOTED_ENTRIES: i64 = 64;
/// Reads of old messages at once; each has a connection and a thread.
pub const READERS_MAX: usize = 2;
/// A reader that has been unused for this long is closed, and its memory freed.
pub const READER_IDLE_MS: u64 = 60_000;
/// A read that takes longer is aborted: refused as unavailable. (The longest, unread counts of a
/// thousand rooms, takes some 0.2 s.)
pub const READ_DEADLINE_MS: u64 = 2_000;
/// Steps of SQLite's virtual machine between two looks at the clock: some microseconds.
pub const READ_STEPS: i32 = 128;
/// At shutdown, the time for running reads before the writer closes the database.
pub const READERS_CLOSE_MS: u64 = 1_000;
/// How long a read waits for a reader. (A thousand clients that come back at once have their rooms
/// within a second or two.) Beyond it: refused as unavailable.
pub const READ_WAIT_MS: u64 = 5_000;
/// A read before a change of a message that takes longer than this also queues with the streams;
/// the first answer counts.
pub const READ_LATE_MS: u64 = 50;
/// Besides those, reads of the log for streams at once. All streams may wait for it.
pub const READERS_IN_TURN_MAX: usize = 1;
/// Entries in one page of the log, at most ...
pub const ENTRIES_PAGE_MAX: usize = 1_000;
/// ... and bytes of text, after which the page ends.
pub const ENTRIES_PAGE_BYTES: usize = 512 * 1024;
/// Reactions on one message, by all people together. Beyond it: refused as full.
pub const REACTIONS_MAX: usize = 1_000;
/// Distinct emoji on one message, so that nobody can use them all up. Beyond it: refused; people
/// can still join existing ones.
pub const REACTION_KINDS_MAX: usize = 20;
/// Reactions of one person on one message. Beyond it: refused.
pub const REACTIONS_PER_PERSON_MAX: usize = 5;
/// People mentioned in one message; the rest are not notified.
pub const MENTIONS_MAX: usize = 50;
/// Places in a message that are checked for mentions; the rest mention nobody.
pub const MENTION_PLACES_MAX: usize = 100;
/// Words and phrases of a search; the rest is ignored.
pub const SEARCH_WORDS_MAX: usize = 16;
/// Tokens of all of them together; the rest is ignored. A phrase costs time by its length, for each
/// message that has all of its words.
pub const SEARCH_TOKENS_MAX: usize = 48;
/// Letters of a word that count; the rest is ignored.
pub const WORD_CHARS_MAX: usize = 64;
/// How long a search looks. Beyond it, the answer says where to continue.
pub const SEARCH_DEADLINE_MS: u64 = 300;
/// Letters before the `*` of a search's last word from which on it is a prefix. The index has to
/// gather all words with that prefix; the shortest ones are in every message.
pub const SEARCH_PREFIX_CHARS_MIN: usize = 4;
/// Messages with the right words that one search checks against its other conditions: some 5 ms.
/// Beyond it, the answer says where to continue.
pub const SEARCH_LOOKS_MAX: usize = 8_192;
/// Messages that a prefix search reads one by one, newest first, before the index gathers the words
/// with that prefix: some 3 ms. A common prefix has filled a page by then; for a rare one the index
/// has few words to gather.
pub const SEARCH_WALK_MESSAGES_MAX: usize = 1_000;
/// The same in bytes of messages.
pub const SEARCH_WALK_BYTES_MAX: usize = 64 * 1024;
/// Messages in all rooms of a search up to which the index looks for words only among them. With
/// more it looks for the words first: passing over all messages of a large room costs more.
pub const SEARCH_SMALL_ROOMS_MESSAGES_MAX: usize = 8_192;
/// Rooms up to which the index filters a search by room. With more of them that costs more than
/// looking at the messages.
pub const SEARCH_ROOMS_MAX: usize = 4;
/// Characters of a snippet in a search result.
pub const SNIPPET_CHARS: usize = 160;

/// From the start to the first removal by age: a clock that is wrong at the start is usually right
/// by then.
pub const RETAIN_WAIT_MS: u64 = 3_600_000;
/// Entries at the end of the log among which retention looks for the newest message, to see whether
/// the clock can be right. If none of them is a message, nothing is removed for its age.
pub const RETAIN_LOOKS_MAX: i64 = 10_000;
/// A line of an export. The longest message takes 48 KB, with all of its characters escaped.
pub const IMPORT_LINE_BYTES_MAX: usize = 256 * 1024;
/// Disk space kept free unless `--disk-free` says otherwise: the writes that must succeed even then
/// (deletions, ends, the write-ahead log) fit many times over. Below it, requests that take space
/// are refused; to guests already below twice as much ...
pub const DISK_FREE_BYTES: u64 = 64 * 1024 * 1024;
/// ... but on a small disk at most this part of it.
pub const DISK_FREE_PARTS: u64 = 16;
/// How often the free space is read. In between, rate limits bound what is written.
pub const DISK_PROBE_MS: u64 = 1_000;

/// The protocols that gather presence announce the joins and leaves of one person in a room at most
/// once in this time.
pub const PRESENCE_GATHER_MS: u64 = 1_000;
/// Joins and leaves announced at once; further ones, at the end of that time.
pub const PRESENCE_AT_ONCE: usize = 8;
/// Joins and leaves gathered in one room. Beyond it all of them are announced at once.
pub const PRESENCE_GATHERED_MAX: usize = 1_000;

/// Rows that one step of retention removes, at most: a step must not delay a message.
pub const PRUNE_ROWS_MAX: i64 = 64;
/// Between two such steps. (Each may write some hundred pages: the index has words all over it.)
pub const PRUNE_PAUSE_MS: u64 = 100;
/// From the end of one pass over all rooms to the next.
pub const PRUNE_SWEEP_MS: u64 = 60_000;
/// A step that a busy writer has put off for this long comes before the next message.
pub const PRUNE_OVERDUE_MS: u64 = 2_000;
/// Pages (4 KiB each) that one step returns to the disk.
pub const PRUNE_PAGES_MAX: i64 = 64;
/// Free pages that stay in the file, for the next messages.
pub const PRUNE_PAGES_KEPT: i64 = 64;
/// The highest settings of retention, in days and messages. (Finding the last message that stays
/// costs a step through all that stay.)
pub const RETAIN_DAYS_MAX: u64 = 36_500;
/// See [`RETAIN_DAYS_MAX`].
pub const RETAIN_MESSAGES_MAX: u64 = 1_000_000;

// ---- The page in the browser ----

/// Everything that a browser loads, compressed as served: three seconds over a bad mobile
/// connection. Beyond it a test fails.
pub const PAGE_BYTES_MAX: usize = 80_000;

// ---- Shutdown ----

/// The time after the first signal in which connections can finish; the others are then cut off.
pub const DRAIN_MS: u64 = 6_000;
/// From the first signal to the end of the process, whatever hangs.
pub const GRACE_MS: u64 = 12_000;

const _: () = assert!(PING_INTERVAL_MS < PONG_DEADLINE_MS, "a ping needs time for its pong");
const _: () = assert!(MESSAGE_BYTES_MAX < OUTBOX_BYTES_MAX, "any one message fits an empty outbox");
const _: () = assert!(2 * (MESSAGE_BYTES_MAX + READ_BUFFER_BYTES) < INPUT_BYTES_MAX / WORKERS_MAX);
const _: () = assert!(OUTBOX_BYTES_MAX + PAGE_BYTES <= UNSENT_BYTES_MAX / WORKERS_MAX);
const _: () = assert!(
    STREAM_OUTBOX_BYTES_MAX / 4 + PAGE_FRAMES_BYTES + MESSAGE_BYTES_MAX + LAG_BYTES_MAX
        < OUTBOX_BYTES_MAX - CONTROL_RESERVE_BYTES
);
const _: () = assert!(TARGET_BYTES_MAX < HEAD_BYTES_MAX, "a target is part of a head");
const _: () = assert!(MESSAGE_CHARS_MAX * 12 < BODY_BYTES_MAX, "a message fits, all of it escaped");
const _: () = assert!(MESSAGE_CHARS_MAX * 12 * 2 < IMPORT_LINE_BYTES_MAX, "twice a message");
const _: () = assert!(PIRATCHAT_MESSAGE_CHARS_MAX <= MESSAGE_CHARS_MAX);
const _: () = assert!(SLICE_BYTES + MESSAGE_BYTES_MAX < OUTBOX_BYTES_MAX - CONTROL_RESERVE_BYTES);
const _: () = assert!(REMEMBERED_TTL_SECS < COOKIE_TTL_SECS, "the server ends it, not the browser");
const _: () = assert!(2 * CLOSE_DEADLINE_MS < DRAIN_MS, "a last answer, and time to read it");
const _: () = assert!(READ_DEADLINE_MS < READ_WAIT_MS, "one late read does not refuse the next");
const _: () = assert!(READ_WAIT_MS < DRAIN_MS, "whoever waits is answered before the end");
const _: () = assert!(COMMIT_INTERVAL_MS * 16 * 50 < COMMIT_PROBE_EAGER_MS, "a try is cheap");
const _: () = assert!(DRAIN_MS + BUSY_TIMEOUT_MS < GRACE_MS, "the last commit has its time");
