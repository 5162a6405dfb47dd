//! Every number that bounds something, with its unit last in its name and the reason beside it.
//!
//! A queue, a buffer or a wait without a number here is a bug. What happens at each bound is said
//! where the bound is, and listed in the table "Back-pressure" of the crate's map. How much may
//! be done in a time is in [`rates`].

pub mod rates;

// ---- HTTP (RFC 9112): what one request may cost before anybody knows who asks ----

/// A request line and its headers. Browsers send about 1 KiB, a JSON web token adds some 300 bytes;
/// 16 KiB is what most servers and proxies in front of us allow. Beyond it: 431.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header lines in a head. Beyond it: 431.
pub const HEADERS_MAX: usize = 64;
/// A request target. RFC 9112 section 3 asks for 8,000 octets at least. Beyond it: 414.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;
/// A request body: the longest message in JSON, every character escaped, with room. Beyond it: 413.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// A line that opens a chunk: the size in hex and its extensions, which nobody reads. Beyond: 400.
pub const CHUNK_LINE_BYTES_MAX: usize = 256;
/// All trailer lines of a chunked body together; they are read and thrown away. Beyond it: 431.
pub const TRAILER_BYTES_MAX: usize = 4 * 1024;
/// From the first byte of a head to its end, so that nobody holds a slot by dripping. Beyond: 408.
pub const HEAD_DEADLINE_MS: u64 = 10_000;
/// From the end of a head to the end of its body. Beyond it: 408.
pub const BODY_DEADLINE_MS: u64 = 20_000;
/// Between two requests on one connection; closed without a word, as HTTP has it.
pub const IDLE_DEADLINE_MS: u64 = 60_000;

// ---- Websocket (RFC 6455) ----

/// One message, all its fragments together. Beyond it: close 1009.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// From the first byte of a message to its last fragment, as for an HTTP body. Beyond it: 1008.
pub const MESSAGE_DEADLINE_MS: u64 = 20_000;
/// What all connections together hold of input that is not whole: heads, bodies, messages; each
/// worker has its share. Beyond it whoever holds most is refused: 503, close 1013.
pub const INPUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Between two pings, and until a connection without a pong counts as dead: ChitChat's numbers.
pub const PING_INTERVAL_MS: u64 = 54_000;
/// See [`PING_INTERVAL_MS`]. Anything that the peer sends counts as a reaction of life.
pub const PONG_DEADLINE_MS: u64 = 60_000;
/// What a peer gets to answer our close frame before the socket is dropped.
pub const CLOSE_DEADLINE_MS: u64 = 2_000;

// ---- Sockets ----

/// What is queued in user space for one connection. Beyond it the reader is too slow: close 1013.
pub const OUTBOX_BYTES_MAX: usize = 256 * 1024;
/// What a stream's queue may grow to by what is announced; beyond it the stream reads the log.
pub const STREAM_OUTBOX_BYTES_MAX: usize = 64 * 1024;
/// Entries of the log that one page for a stream looks at.
pub const PAGE_ENTRIES_MAX: usize = 500;
/// Bytes of frames after which a page is over: with one more frame it fits into an empty outbox.
pub const PAGE_FRAMES_BYTES: usize = 64 * 1024;
/// Messages that one page for a reader of a seed's protocol looks at.
pub const LAG_PAGE_MESSAGES: usize = 64;
/// Messages that such a reader says itself while it has others to hear. Beyond it: close 1013.
pub const LAG_OWN_MAX: usize = 4_096;
/// Bytes of frames that say who has come or gone meanwhile, and is not back. Beyond it: close 1013.
pub const LAG_BYTES_MAX: usize = 64 * 1024;
/// When a client that was sent away may come back, at the earliest; it adds chance to it.
pub const RETRY_AFTER_MS: u64 = 1_000;
/// A stream says that it is alive after so long a silence.
pub const STREAM_PING_MS: u64 = 25_000;
/// What of it is kept for pings, pongs and the close frame, so that a full one can still say why.
pub const CONTROL_RESERVE_BYTES: usize = 1024;
/// What the kernel may hold for one connection; its own default is megabytes for a stopped reader.
pub const SEND_BUFFER_BYTES: u32 = 64 * 1024;
/// A socket that takes nothing for so long is dropped.
pub const WRITE_STALL_MS: u64 = 10_000;
/// An HTTP answer of which its client takes less than that ...
pub const ANSWER_BYTES_MIN: usize = 32 * 1024;
/// ... in such a time is cut off. That is 550 bytes a second, half of what the slowest phones had;
/// and the time bridges a tunnel. (The kernel of a slow reader on this machine tells of room for
/// 64 KiB at a time: at 2,000 bytes a second, twice a minute.)
pub const ANSWER_WINDOW_MS: u64 = 60_000;
/// What is unsent to all connections together, HTTP answers included: each worker has its share.
/// Beyond it: 503 for who asks, a stream is caught up from the log later.
pub const UNSENT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// A page of messages ends with that many bytes, or few more; but has one at least.
pub const PAGE_BYTES: usize = 256 * 1024;
/// A piece of a long list: with that many bytes, or few more, it is sent.
pub const PIECE_BYTES: usize = 16 * 1024;
/// What one thread reads at a time, from whichever connection is readable. Belongs to the thread.
pub const READ_BUFFER_BYTES: usize = 16 * 1024;
/// Connections at once. Permits are taken before `accept`: further callers wait in the backlog.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Connections of one address at once (an IPv6 network of 64 bits is one), unless
/// `--per-address` says otherwise: a whole school may come from one. Beyond it: 503.
pub const CONNECTIONS_PER_ADDRESS: usize = 1_000;
/// Callers who are let in beyond all places, so that their requests can be looked at: whether the
/// server is well is to be answered also when it is full.
pub const RESERVE_CONNECTIONS: usize = 8;
/// They are let in when no place has become free for so long.
pub const SLOT_PATIENCE_MS: u64 = 300;
/// So long they have for their head, and then wait for a place. Beyond it: 408, 503.
pub const RESERVE_DEADLINE_MS: u64 = 2_000;
/// How often one who waits has somebody make way.
pub const SLOT_RETRY_MS: u64 = 100;
/// Whoever asks nothing for so long, or takes so long to ask, makes way for one who waits.
pub const SLOT_GRACE_MS: u64 = 1_000;
/// So does a stranger's websocket that has said nothing for so long.
pub const SILENT_GRACE_MS: u64 = 60_000;
/// Open files that are no connections with a place: the database's, the listener, the event loops',
/// the reserve.
pub const FILES_BESIDE_CONNECTIONS: usize = 64;
/// The same, at least, where the system allows few: a reader of the database more or less.
pub const FILES_BESIDE_CONNECTIONS_MIN: usize = 40;
/// Callers that the kernel holds until `accept` gets to them.
pub const BACKLOG: u32 = 1024;

/// Connections accepted for a worker that has not begun to serve them. Beyond it the next worker
/// gets them; when all have so many, callers wait in the backlog.
pub const ARRIVALS_MAX: usize = 16;
/// New connections, requests and ends of connections that a worker works on in one round of its
/// event loop; the others wait for the next. Each takes 10 to 35 µs, so a round half a millisecond.
pub const TURNS_PER_ROUND: usize = 16;
/// What accepting waits for when the system has no file descriptors left.
pub const ACCEPT_PAUSE_MS: u64 = 100;

// ---- Queues between tasks ----

/// Threads for what would hold up the event loop: the writer, a password, readers of the log.
pub const BLOCKING_THREADS_MAX: usize = 16;

/// Threads that serve connections. One does for thousands; more than cores are of no use.
pub const WORKERS_MAX: usize = 64;

/// Commands waiting for the hub. Beyond it the sender waits, and with it its socket.
pub const INBOX_MAX: usize = 4096;
/// Commands that the hub takes into one round before what came of them is handed to the workers.
pub const ROUND_COMMANDS_MAX: usize = 8192;
/// Rounds handed to a worker and not yet delivered; beyond it they pile up on the hub's side.
pub const ROUNDS_MAX: usize = 64;
/// Items that pile up for a worker that does not come; beyond it its connections are closed.
pub const ROUND_ITEMS_MAX: usize = 262_144;
/// Entries proposed and not yet in the log. Beyond it: refused, as unavailable.
pub const PROPOSED_MAX: usize = 16_384;
/// Batches handed to the writer and not yet taken; the rest waits at the hub, in order. As many as
/// there are rounds in a pause between two commits, so that one `fsync` does for all of them.
pub const BATCHES_MAX: usize = 256;
/// Members of rooms whose latest reading waits to be written down; some 8 MiB. Beyond it that of
/// others is not written down: after a restart they have it to read again.
pub const MARKS_WAITING_MAX: usize = 131_072;
/// Sessions whose last use waits to be written down; some 4 MiB. Beyond it that of others is not
/// written down: after a restart they end a little earlier.
pub const TOUCHES_WAITING_MAX: usize = 131_072;
/// What one recipient gets of a round before it is written, though the round goes on.
pub const SLICE_BYTES: usize = 64 * 1024;
/// Requests of one connection that the hub has not answered yet. Beyond it its socket is not read.
pub const UNANSWERED_MAX: u32 = 32;
/// Entries that one commit takes. More wait for the next: a commit must not hold up the first.
pub const COMMIT_ENTRIES_MAX: usize = 4096;
/// While more than one write comes in that time, commits are at least so far apart: one `fsync`
/// for all of them. A write that comes alone is committed at once.
pub const COMMIT_INTERVAL_MS: u64 = 4;
/// While commits are paced: how often the writer tries whether more gets through without pauses.
pub const COMMIT_PROBE_PACED_MS: u64 = 1_000;
/// While they are not: how often it tries pauses. The try costs those who wait for every answer 16
/// intervals, under 2 % of their time.
pub const COMMIT_PROBE_EAGER_MS: u64 = 4_000;
/// While nothing can be written: how often it is tried whether something can. What comes meanwhile
/// waits so long to be refused, at most.
pub const WRITE_PROBE_MS: u64 = 500;
/// How much is written to try it: a long message, with what is kept of it beside the log.
pub const WRITE_PROBE_BYTES: i64 = 64 * 1024;
/// Passwords waiting to be hashed or checked, one after the other; each takes 7 MiB and some 30 ms
/// of a core, so the last waits for four seconds. Beyond it the newest of the longest line: 503.
pub const PASSWORD_WAITING_MAX: usize = 128;
/// Address space for hashing them; only what a hash needs is touched. What is larger than 32 MiB
/// glibc's allocator gives back to the system at once.
pub const PASSWORD_MEMORY_BYTES: usize = 33 * 1024 * 1024;

/// Lines for standard error that wait because nobody reads it. Beyond it lines are left out, and it
/// is said how many.
pub const LOG_LINES_MAX: usize = 1_024;
/// Bytes of one such line; the rest is cut off.
pub const LOG_LINE_BYTES_MAX: usize = 4 * 1024;
/// What the end of the process waits for the last lines to be read.
pub const LOG_FLUSH_MS: u64 = 500;

// ---- Chat ----

/// Characters (Unicode scalar values) of an account's name.
pub const NAME_CHARS_MAX: usize = 32;
/// Marks (accents, vowel reactions) in a row in a name or title: more would climb over the lines
/// above.
pub const MARKS_MAX: usize = 3;
/// Characters of a message through Piratchat's door.
pub const PIRATCHAT_MESSAGE_CHARS_MAX: usize = 300;
/// Characters of a message.
pub const MESSAGE_CHARS_MAX: usize = 4_000;
/// Characters of a colour, as in a style sheet.
pub const COLOR_CHARS_MAX: usize = 32;
/// Bytes of a client's own number for a message.
pub const CLIENT_ID_BYTES_MAX: usize = 64;
/// Bytes of a reaction on a message: the longest families of emoji have some 30.
pub const EMOJI_BYTES_MAX: usize = 48;
/// Characters of what a client calls itself (User-Agent); the rest is cut off.
pub const AGENT_CHARS_MAX: usize = 200;
/// Members of a room. Beyond it: refused as full.
pub const MEMBERS_MAX: usize = 10_000;
/// Steps of one command of the core: subscriptions that end or are taken, people who are told that
/// they waited long enough, sessions that are looked at. Some 0.3 ms; what is left over goes on
/// after everybody else had their turn.
pub const STEPS_MAX: usize = 256;
/// Rooms or people in one answer of the core; a longer list is asked for page by page. Some 50 µs
/// of the event loop for each.
pub const ANSWER_ITEMS_MAX: usize = 256;
/// Rooms that one is a member of: each stream has a subscription in each. Rooms for two are not
/// counted here, so that nobody can use up somebody else's.
pub const ROOMS_PER_ACCOUNT_MAX: usize = 1_000;
/// The same of a guest, who is only passing through.
pub const ROOMS_PER_GUEST_MAX: usize = 200;
/// Rooms that one account owns, whether or not it is in them: so that nobody fills the table by
/// making rooms and leaving them. A twentieth of all. Beyond it: refused as full.
pub const OWNED_ROOMS_PER_ACCOUNT_MAX: usize = 500;
/// The same of a guest.
pub const OWNED_ROOMS_PER_GUEST_MAX: usize = 20;
/// Guests who have come from one address (an IPv6 network of 64 bits; one of 48 has
/// [`rates::SITE_ADDRESSES`] times as much) and are there: as many as it may have connections.
/// Beyond it: refused as full.
pub const GUESTS_PER_ADDRESS_MAX: usize = 1_000;
/// Accounts that one address has registered since the start: more than a school has pupils.
/// Beyond it: refused as full.
pub const ACCOUNTS_PER_ADDRESS_MAX: usize = 5_000;
/// Rooms that nobody owns, and that one address has made since the start. Beyond it: refused as
/// full.
pub const FREE_ROOMS_PER_ADDRESS_MAX: usize = 200;
/// Rooms for two that one account has opened. Beyond it: refused as full, to that account alone.
pub const DIRECT_ROOMS_PER_ACCOUNT_MAX: usize = 200;
/// People whom one account has blocked. Beyond it: refused, to that account alone. All of them are
/// looked at when it blocks one more: some 50 µs of the event loop.
pub const BLOCKED_PER_ACCOUNT_MAX: usize = 1_000;
/// After so long a deleted room cannot be brought back any more.
pub const DELETED_ROOM_TTL_SECS: u64 = 7 * 24 * 3_600;
/// Deleted rooms that one account can bring back. Beyond it the oldest is gone for good.
pub const DELETED_ROOMS_PER_OWNER_MAX: usize = 20;
/// Deleted rooms of all together that can be brought back: a tenth of what there is room for.
/// Beyond it the oldest is gone for good.
pub const DELETED_ROOMS_MAX: usize = 1_000;
/// Members of these rooms, which come back with them; some 16 MiB. Beyond it the oldest room is
/// gone for good.
pub const DELETED_MEMBERS_MAX: usize = 100_000;
/// Streams of one account at once. Beyond it the oldest is closed, as replaced.
pub const STREAMS_PER_ACCOUNT_MAX: usize = 16;
/// Messages of a page of history: unless asked otherwise, and at most.
pub const PAGE_MESSAGES: usize = 50;
/// See [`PAGE_MESSAGES`].
pub const PAGE_MESSAGES_MAX: usize = 200;
/// Unread messages are counted up to here.
pub const UNREAD_MAX: usize = 1_000;
/// Of a room's latest messages so many are looked at for that. Only who has said most of them, and
/// read none, is told of fewer than there are.
pub const UNREAD_LOOKS_MAX: usize = 2_000;
/// A remembered session ends so long after its last use.
pub const REMEMBERED_TTL_SECS: u64 = 30 * 24 * 3_600;
/// The same for a guest, whose name nobody else can have meanwhile.
pub const GUEST_REMEMBERED_TTL_SECS: u64 = 7 * 24 * 3_600;
/// Characters of a room's title: at least, and at most.
pub const TITLE_CHARS_MIN: usize = 2;
/// See [`TITLE_CHARS_MIN`].
pub const TITLE_CHARS_MAX: usize = 70;
/// Characters of a room's description.
pub const DESCRIPTION_CHARS_MAX: usize = 70;
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
/// A session ends so long after its last use, unless `--session-ttl` says otherwise.
pub const SESSION_TTL_SECS: u64 = 3_600;
/// What a browser is asked to keep a session's cookie for: as long as any browser does (RFC 6265bis
/// section 5.5). The session ends much sooner, by its last use, which a cookie cannot follow: who
/// only listens sends no request whose answer could renew it.
pub const COOKIE_TTL_SECS: u64 = 400 * 24 * 3_600;
/// A session's last use is written down when it has moved by this part of its lifetime.
pub const SESSION_TOUCH_PARTS: u64 = 60;
/// Cookies named as a session's, of one request, that are tried; browsers send the more specific
/// ones first. The rest is left out.
pub const COOKIES_TRIED_MAX: usize = 4;
/// How long a browser may remember what a page of a listed origin may send.
pub const PREFLIGHT_SECS: u64 = 600;
/// How long a room token is good for.
pub const TOKEN_TTL_SECS: u64 = 3_600;
/// Of the secret that reactions them, where one is set: as many as the hash of HMAC-SHA256 has
/// (RFC 7518 section 3.2).
pub const SECRET_KEY_BYTES_MIN: usize = 32;
/// How long one can be renewed: nobody stays for ever by a password that was shown once.
pub const TOKEN_LIFE_SECS: u64 = 24 * 3_600;
/// What `/readyz` waits for an answer. Beyond it: 503.
pub const READY_DEADLINE_MS: u64 = 1_000;
/// A step back of the system's clock up to this is smoothed: time stands still until the clock is
/// there again, as where the network corrects it now and then. A longer step is believed.
pub const CLOCK_STEP_SMOOTHED_MS: u64 = 60_000;
/// How often the core looks for what has expired.
pub const TICK_MS: u64 = 10_000;

// ---- Store (SQLite) ----

/// How long a write waits for another program that has the database locked (a backup, somebody's
/// `sqlite3`). Beyond it: refused, as unavailable; at the start: not started.
pub const BUSY_TIMEOUT_MS: u64 = 5_000;
/// Pages that SQLite keeps in memory. The log is appended to, so its last pages are all it needs.
pub const PAGE_CACHE_KIB: i64 = 768;
/// Pages (4 KiB each) in the write-ahead log before they are moved into the database file. More
/// would make that rarer and each time longer.
pub const WAL_PAGES_MAX: i64 = 1_000;
/// What is kept of the write-ahead log's file when one huge commit has made it grow.
pub const WAL_BYTES_KEPT: i64 = 4 * 1024 * 1024;
/// Entries after which the messages among them are put into the full-text index, all at once. A
/// search makes an index of its own of younger ones: a few milliseconds.
pub const INDEX_ENTRIES: i64 = 2048;
/// Or bytes of messages, if these are long.
pub const INDEX_BYTES: usize = 128 * 1024;
/// Salts for messages' words that are drawn at once: drawing one by one would take longer than what
/// they are for.
pub const SALTS_DRAWN: usize = 64;
/// Entries after which the database notes how far its log goes: so many at most can be cut off its
/// end unseen, and only before the next stop or start.
pub const END_NOTED_ENTRIES: i64 = 64;
/// Reads of old messages at once; each has a connection and a thread.
pub const READERS_MAX: usize = 2;
/// A reader that nobody has needed for so long is closed, and its memory given back.
pub const READER_IDLE_MS: u64 = 60_000;
/// A read that takes longer is broken off: refused, as unavailable. (The longest that is asked for,
/// what is unread in a thousand rooms, takes some 0.2 s.)
pub const READ_DEADLINE_MS: u64 = 2_000;
/// Steps of SQLite's machine between two looks at the clock: some microseconds.
pub const READ_STEPS: i32 = 128;
/// At the end, what reads still gets to finish before the writer closes the database.
pub const READERS_CLOSE_MS: u64 = 1_000;
/// How long a read waits for that. (A thousand clients that come back at once have their rooms
/// within a second or two.) Beyond it: refused, as unavailable.
pub const READ_WAIT_MS: u64 = 5_000;
/// Whoever changes a message and has not read it by then stands in the queue of the streams, too.
pub const READ_LATE_MS: u64 = 50;
/// Beside those, reads of the log for streams at once. All streams may wait for it.
pub const READERS_IN_TURN_MAX: usize = 1;
/// Entries of one page of the log, at most ...
pub const ENTRIES_PAGE_MAX: usize = 1_000;
/// ... and bytes of text in it, after which it ends.
pub const ENTRIES_PAGE_BYTES: usize = 512 * 1024;
/// Signs on one message, all people's together. Beyond it: refused as full.
pub const REACTIONS_MAX: usize = 1_000;
/// Kinds of reactions on one message, so that nobody can use them all up. Beyond it: refused; those
/// that are there can still be joined.
pub const REACTION_KINDS_MAX: usize = 20;
/// Signs of one person on one message. Beyond it: refused.
pub const REACTIONS_PER_PERSON_MAX: usize = 5;
/// People who are called in one message; the rest are not told.
pub const MENTIONS_MAX: usize = 50;
/// Places of a message that are looked at for whom it calls; the rest call nobody.
pub const MENTION_PLACES_MAX: usize = 100;
/// Words and phrases of a search; the rest are left out.
pub const SEARCH_WORDS_MAX: usize = 16;
/// What these are cut into for the index, all together; the rest is left out. What a phrase takes
/// grows with it, for each message that has all of its words.
pub const SEARCH_TOKENS_MAX: usize = 48;
/// Letters of a word that are told apart; the rest of it counts for nothing.
pub const WORD_CHARS_MAX: usize = 64;
/// A search looks for so long. Beyond it, it says where to go on.
pub const SEARCH_DEADLINE_MS: u64 = 300;
/// Letters before the `*` of a search's last word from which on it stands for longer ones, too.
/// The index has to gather all words that begin so, which for the shortest ones are in every
/// message.
pub const SEARCH_PREFIX_CHARS_MIN: usize = 4;
/// Messages that have the words, and that one search looks at for the rest of what it asks: some
/// 5 ms. Beyond it, it says where to go on.
pub const SEARCH_LOOKS_MAX: usize = 8_192;
/// Messages that a search for words that begin so looks at one by one, the newest first, before it
/// has the index gather those words: some 3 ms. A beginning that is common has filled a page by
/// then; what is left are beginnings of which the index has few, and gathers them sooner.
pub const SEARCH_WALK_MESSAGES_MAX: usize = 1_000;
/// Likewise, in bytes of messages.
pub const SEARCH_WALK_BYTES_MAX: usize = 64 * 1024;
/// Messages in all rooms of a search up to which the index looks for words among them only. With
/// more it looks for the words first: to pass over all messages of a large room costs more.
pub const SEARCH_SMALL_ROOMS_MESSAGES_MAX: usize = 8_192;
/// Rooms up to which a search has the index tell their messages from others. With more of them that
/// costs more than looking at the messages.
pub const SEARCH_ROOMS_MAX: usize = 4;
/// Characters of what is shown of a message that was found.
pub const SNIPPET_CHARS: usize = 160;

/// From the start on, nothing is removed for its age for so long: a clock that is wrong at the
/// start is mostly right by then.
pub const RETAIN_WAIT_MS: u64 = 3_600_000;
/// Entries at the end of the log among which the newest message is looked for, to see whether the
/// clock can be right. Where none of them is a message, nothing is removed for its age.
pub const RETAIN_LOOKS_MAX: i64 = 10_000;
/// A line of an export. The longest message takes 48 KB, with all of its characters escaped.
pub const IMPORT_LINE_BYTES_MAX: usize = 256 * 1024;
/// What is kept free of the disk unless `--disk-free` says otherwise: what has to be written even
/// then (deletions, ends, the write-ahead log) fits many times over. Below it, what takes room is
/// refused, to guests from twice as much on ...
pub const DISK_FREE_BYTES: u64 = 64 * 1024 * 1024;
/// ... but of a small disk no more than such a part.
pub const DISK_FREE_PARTS: u64 = 16;
/// How often the disk is asked for its room. Meanwhile the rate limits bound what is written.
pub const DISK_PROBE_MS: u64 = 1_000;

/// In a room, somebody's coming and going is told at most once in that time, through the protocols
/// that have it gathered.
pub const PRESENCE_GATHER_MS: u64 = 1_000;
/// Of so many it is told at once; of more, at the end of that time.
pub const PRESENCE_AT_ONCE: usize = 8;
/// Comings and goings that are gathered in one room. Beyond it all of them are told at once.
pub const PRESENCE_GATHERED_MAX: usize = 1_000;

/// Rows that one step of retention removes, at most: it must not hold up a message.
pub const PRUNE_ROWS_MAX: i64 = 64;
/// Between two such steps. (Each may write some hundred pages: the index has words all over it.)
pub const PRUNE_PAUSE_MS: u64 = 100;
/// From the end of one look at all rooms to the next.
pub const PRUNE_SWEEP_MS: u64 = 60_000;
/// A step that a busy writer has put off for so long comes before the next message.
pub const PRUNE_OVERDUE_MS: u64 = 2_000;
/// Pages (4 KiB each) that one step gives back to the disk.
pub const PRUNE_PAGES_MAX: i64 = 64;
/// Free pages that stay in the file, for what is said next.
pub const PRUNE_PAGES_KEPT: i64 = 64;
/// Days and messages that retention can be set to, at most. (Looking for the last message that
/// stays costs a step through all that stay.)
pub const RETAIN_DAYS_MAX: u64 = 36_500;
/// See [`RETAIN_DAYS_MAX`].
pub const RETAIN_MESSAGES_MAX: u64 = 1_000_000;

// ---- The page in the browser ----

/// Everything that a browser loads, compressed as it is served. Three seconds over a bad mobile
/// connection. Beyond it a test fails.
pub const PAGE_BYTES_MAX: usize = 80_000;

// ---- Shutdown ----

/// From the first signal on, what connections get to finish. Those that are left then are cut off.
pub const FAREWELL_MS: u64 = 6_000;
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
const _: () = assert!(2 * CLOSE_DEADLINE_MS < FAREWELL_MS, "a last answer, and time to read it");
const _: () = assert!(READ_DEADLINE_MS < READ_WAIT_MS, "one late read does not refuse the next");
const _: () = assert!(READ_WAIT_MS < FAREWELL_MS, "whoever waits is answered before the end");
const _: () = assert!(COMMIT_INTERVAL_MS * 16 * 50 < COMMIT_PROBE_EAGER_MS, "a try is cheap");
const _: () = assert!(FAREWELL_MS + BUSY_TIMEOUT_MS < GRACE_MS, "the last commit has its time");
