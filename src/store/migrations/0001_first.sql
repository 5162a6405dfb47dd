-- The first schema. Runs once, in one transaction, on an empty file.
--
-- The table that matters is `log`. The others are made from it, entry by entry, in the transaction
-- that appends the entry. They save the next start from reading the whole log, and keep the facts
-- that must outlast removed messages.
--
-- STRICT makes SQLite keep to the column types. Times are microseconds since 1970, UTC.

-- "Shnt": distinguishes our files from other programs' (`file shanty.db` shows it, too).
PRAGMA application_id = 1399352948;

-- Single values. `last_session`: the highest session number ever used. `indexed`: see `words`.
-- `pruned`: retention may have removed messages up to this number. `replayed`: 1 if the tables
-- beside the log are exactly the result of its entries (a later migration that guesses a column
-- must set it to 0). The program adds `epoch` (names this log; 16 hex digits), `secret` (32 bytes
-- that sign room tokens), and two notes for what the hash chain does not cover (see
-- src/store/notes.rs): `end`, an entry that the log has at least (its number, 8 bytes, and its
-- link), and `spent`, the sum of that table's rows (16 bytes).
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY  NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (key, value)
    VALUES ('last_session', 0), ('indexed', 0), ('pruned', 0), ('replayed', 1),
        ('spent', zeroblob(16));

-- THE LOG. `seq` is 1, 2, 3, … in the order of writing. Rows are only appended, with two
-- exceptions. An edit replaces the text of its message, and a deletion removes it; the entry of the
-- edit or deletion has no text itself, so no row keeps a deleted text. Retention, if the operator
-- sets it, removes old messages and the entries that changed them (src/store/retention.rs); all
-- other entries stay, because accounts, sessions and rooms are made from them. The log refers to
-- rooms and accounts without foreign keys: it records what was proposed, also an entry that did not
-- fit (a message to a room that had just been deleted).
--
-- `proof` and `hash` make the log a hash chain (src/store/chain.rs). The chain does not cover the
-- columns that may change: `text`, `edited`, `deleted`, `said_hash`, and a message's `body`.
CREATE TABLE log (
    seq       INTEGER PRIMARY KEY, -- the entry's number, and the row's own
    time      INTEGER NOT NULL,    -- when it was proposed
    kind      TEXT    NOT NULL,    -- 'said', or another: see src/store/entries.rs
    room      INTEGER,             -- of a message, and of what changes one: the room
    account   INTEGER,             -- likewise: the author; NULL for somebody known by name only
    name      TEXT,                -- likewise: the author's name at that time
    color     TEXT,                -- 'said': the color to show it in; may be NULL
    text      TEXT,                -- 'said': the words; NULL once it is deleted
    body      TEXT,                -- 'said': {"calls": [accounts]}, or NULL; other kinds: JSON
    client_id TEXT,                -- 'said': the author's own id for it; may be NULL
    reply_to  INTEGER,             -- 'said': the message that it answers; may be NULL
    target    INTEGER,             -- 'edited', 'deleted', 'reacted': the message
    edited    INTEGER,             -- 'said': when it was last edited; may be NULL
    deleted   INTEGER NOT NULL DEFAULT 0, -- 'said': 1 once it is deleted
    said_hash BLOB,                -- 'said': SHA-256 of the first words, from its first change on
    proof     BLOB,                -- 16 bytes: the words' salt; 32: their hash, and they are gone
    hash      BLOB                 -- 16 bytes: of this entry, and of all before it
) STRICT;

-- The history of a room. Every index of SQLite ends with the row's number, here `seq`; so this one
-- is by room and then by `seq`, and finds "the last 50 before number 1234" without sorting.
CREATE INDEX log_said ON log (room) WHERE kind = 'said';

-- A client id is used once by its author, even after the message is deleted.
CREATE UNIQUE INDEX log_client_id ON log (account, client_id) WHERE client_id IS NOT NULL;

-- Counts the deleted messages of a room without reading them.
CREATE INDEX log_deleted ON log (room) WHERE deleted = 1;

-- Finds the entries that changed a message, which are removed with it.
CREATE INDEX log_target ON log (target) WHERE target IS NOT NULL;

-- Where entries were removed from the log: the link of the last of them in the hash chain.
CREATE TABLE gap (
    seq  INTEGER PRIMARY KEY,
    hash BLOB NOT NULL
) STRICT;

-- The client ids of messages that retention has removed: so a repeated send is still idempotent. A
-- table and not a stub in the log, so that readers of the log do not see removed messages. Some
-- hundred bytes each, without the text.
CREATE TABLE spent (
    account   INTEGER NOT NULL, -- the author
    client_id TEXT    NOT NULL, -- the author's own id for it
    seq       INTEGER NOT NULL, -- its number in the log
    time      INTEGER NOT NULL,
    room      INTEGER NOT NULL,
    reply_to  INTEGER,
    hash      BLOB    NOT NULL, -- the SHA-256 of the words as they were first said
    PRIMARY KEY (account, client_id)
) STRICT, WITHOUT ROWID;

-- Accounts, and guests, which have no key. An account that has ended frees its name; its row stays,
-- so that its number is not reused.
CREATE TABLE account (
    id      INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL, -- as registered
    folded  TEXT    NOT NULL, -- the name without its case: unique
    key     BLOB    UNIQUE,   -- the SHA-256 of the account's key; NULL: a guest's, or one ended
    color   TEXT,             -- to be shown in; may be NULL
    created INTEGER NOT NULL,
    gone    INTEGER           -- when it ended; NULL: it is there
) STRICT;

CREATE UNIQUE INDEX account_name ON account (folded) WHERE gone IS NULL;

-- Sessions that have not ended.
CREATE TABLE session (
    id        INTEGER PRIMARY KEY,
    account   INTEGER NOT NULL REFERENCES account (id),
    key       BLOB    NOT NULL UNIQUE, -- the SHA-256 of the session's key
    remember  INTEGER NOT NULL,        -- 1: lasts longer without use
    agent     TEXT    NOT NULL,        -- what the client called itself; may be empty
    created   INTEGER NOT NULL,
    last_used INTEGER NOT NULL         -- may lag behind: it is not worth a commit of its own
) STRICT;

CREATE INDEX session_account ON session (account);

-- Rooms. The row of a deleted room stays, so that its number is not reused and references to it
-- stay valid. `owner` is not a foreign key: the core accepts a room whose owner it does not know,
-- and the tables must agree with the core.
CREATE TABLE room (
    id          INTEGER PRIMARY KEY,
    owner       INTEGER,          -- an account; NULL: nobody's
    title       TEXT    NOT NULL,
    folded      TEXT    NOT NULL, -- the title without its case
    description TEXT    NOT NULL,
    visibility  TEXT    NOT NULL, -- 'public', 'private' or 'hidden'
    password    TEXT,             -- the Argon2id hash, as a PHC string; NULL: it has none
    generation  INTEGER NOT NULL, -- counts the passwords
    created     INTEGER NOT NULL,
    updated     INTEGER NOT NULL,
    gone        INTEGER,          -- when it was deleted; NULL: it is there
    between_a   INTEGER,          -- a direct room: its two accounts; both are NULL, or none
    between_b   INTEGER,
    since       INTEGER NOT NULL DEFAULT 0, -- the entry that made it
    link        INTEGER,          -- the number, hard to guess, under which a hidden room is found
    opened      INTEGER NOT NULL DEFAULT 0, -- the entry that last made it public; 0: it is not
    forsaken    INTEGER NOT NULL DEFAULT 0, -- 1: its owner was a guest who is gone, and it has none
    kept        INTEGER           -- the entry that deleted it, while its owner can bring it back
) STRICT;

-- Titles are unique among existing rooms; direct rooms do not count.
CREATE UNIQUE INDEX room_title ON room (folded) WHERE gone IS NULL AND between_a IS NULL;
-- Two accounts have one direct room at most.
CREATE UNIQUE INDEX room_between
    ON room (min(between_a, between_b), max(between_a, between_b))
    WHERE gone IS NULL AND between_a IS NOT NULL;
-- The direct rooms of an account, including those that it has left.
CREATE INDEX room_between_a ON room (between_a) WHERE gone IS NULL AND between_a IS NOT NULL;
CREATE INDEX room_between_b ON room (between_b) WHERE gone IS NULL AND between_b IS NOT NULL;
CREATE UNIQUE INDEX room_link ON room (link) WHERE link IS NOT NULL;
CREATE INDEX room_kept ON room (owner) WHERE kept IS NOT NULL;

-- The members of rooms; also of deleted rooms that can be restored.
CREATE TABLE member (
    room    INTEGER NOT NULL,
    account INTEGER NOT NULL,
    since   INTEGER NOT NULL, -- the entry that made the account a member
    read    INTEGER NOT NULL, -- the last message that the member has read; may lag behind
    horizon INTEGER NOT NULL DEFAULT 0, -- the member must not read messages up to this one
    PRIMARY KEY (room, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX member_account ON member (account);

-- Ended memberships, with the entry that ended each: the account left or was expelled, or the room
-- was deleted or closed. The account's own clients learn of it when they resume, and nobody else.
CREATE TABLE lost (
    account INTEGER NOT NULL,
    seq     INTEGER NOT NULL, -- the entry
    room    INTEGER NOT NULL,
    PRIMARY KEY (account, seq)
) STRICT, WITHOUT ROWID;

-- The accounts that an account has blocked. A row about a guest that has ended has no effect, as
-- numbers are not reused; the next block of the account removes it.
CREATE TABLE block (
    account INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    PRIMARY KEY (account, blocked)
) STRICT, WITHOUT ROWID;

-- The current reactions of messages. `account` is NULL for an author without an account.
CREATE TABLE reaction (
    target  INTEGER NOT NULL, -- the message
    seq     INTEGER NOT NULL, -- the entry that put it there
    account INTEGER,
    name    TEXT    NOT NULL,
    emoji   TEXT    NOT NULL,
    PRIMARY KEY (target, seq)
) STRICT, WITHOUT ROWID;

-- The accounts that each message mentions in its current text. The core decides it when the text is
-- sent, and it is part of the message (`body` in the log): so a later account with the same name
-- does not inherit the mentions.
CREATE TABLE mention (
    account INTEGER NOT NULL,
    room    INTEGER NOT NULL,
    seq     INTEGER NOT NULL, -- the message
    PRIMARY KEY (account, room, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX mention_seq ON mention (seq);

-- The full-text index of all messages up to `indexed`; younger ones have an index in memory (see
-- src/store/index.rs). src/store/fold.rs folds and splits the text first, because FTS5 folds Latin
-- only, and finds nothing inside a sentence of Han. The index keeps no copy of the text, so the
-- program names the words to remove. It does not count words (`columnsize`), which only a ranking
-- needs: results are ordered by time. (Renaming the table to `message_fts` would take a second
-- migration only for a name, so it keeps this one.)
CREATE VIRTUAL TABLE words USING fts5 (
    text, -- the words, in order
    bag,  -- what narrows a search down: room, author, single letters
    content = '', columnsize = 0, tokenize = "ascii tokenchars '.@'"
);

-- Removed words are overwritten at once, and not at the next merge of segments.
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
-- Sixteen segments are merged at a time instead of four, step by step: each word is written less
-- often, and a search reads some more segments.
INSERT INTO words (words, rank) VALUES ('automerge', 16);
-- At this many segments FTS5 would merge all of them at once, while everybody waits; `automerge`
-- prevents that.
INSERT INTO words (words, rank) VALUES ('crisismerge', 64);

-- Rooms with messages in the index that were not public when they were indexed.
CREATE TABLE closed (
    room INTEGER PRIMARY KEY
) STRICT;
