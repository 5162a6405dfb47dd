-- The first schema. Runs once, in one transaction, on an empty file.
--
-- There is one table that matters: `log`. All others are made from it, entry by entry, in the same
-- transaction that appends the entry; they only save the next start from reading the whole log.
--
-- STRICT makes SQLite keep to the column types. Times are microseconds since 1970, UTC.

-- "Shnt": tells our files from those of other programs (`file shanty.db` shows it, too).
PRAGMA application_id = 1399352948;

-- What there is once: `epoch` (names this log; 16 hex digits), `secret` (32 bytes that sign room
-- tokens), `last_session` (the highest session number ever given, though that session has ended).
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY  NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('last_session', 0);

-- THE LOG. Rows are appended and never changed or deleted; `seq` is 1, 2, 3, … without a gap.
-- It refers to rooms and accounts without foreign keys, because it records what was proposed, and
-- an entry that did not fit (a message into a room that had just gone) is in it all the same.
CREATE TABLE log (
    seq     INTEGER PRIMARY KEY, -- the entry's number; as "INTEGER PRIMARY KEY" it is the row's own
    time    INTEGER NOT NULL,    -- when it was proposed
    kind    TEXT    NOT NULL,    -- 'said', or what else happened: see src/store/entries.rs
    room    INTEGER,             -- 'said': where
    account INTEGER,             -- 'said': who; NULL for a guest
    name    TEXT,                -- 'said': their name at that time
    color   TEXT,                -- 'said': to be shown in; maybe NULL
    text    TEXT,                -- 'said': what
    body    TEXT                 -- all other kinds: what they need to be carried out again, JSON
) STRICT;

-- The history of a room. Every index of SQLite ends with the row's number, here `seq`; so this one
-- is by room and then by `seq`, and finds "the last 50 before number 1234" without sorting.
CREATE INDEX log_said ON log (room) WHERE kind = 'said';

-- Accounts are for ever.
CREATE TABLE account (
    id      INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL,        -- as registered
    folded  TEXT    NOT NULL UNIQUE, -- the name without its case: what has to be unique
    key     BLOB    NOT NULL UNIQUE, -- the SHA-256 of the account's key, never the key
    created INTEGER NOT NULL
) STRICT;

-- Sessions that have not ended.
CREATE TABLE session (
    id        INTEGER PRIMARY KEY,
    account   INTEGER NOT NULL REFERENCES account (id),
    key       BLOB    NOT NULL UNIQUE, -- the SHA-256 of the session's key
    last_used INTEGER NOT NULL         -- may lag behind: it is not worth a commit of its own
) STRICT;

-- Rooms. The row of a room that is gone stays, so that its number is not given again and what
-- refers to it still finds something. (`owner` is not a foreign key: the core lets a room be made
-- for an account that it has not heard of, and the tables must agree with the core.)
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
    gone        INTEGER           -- since when; NULL: it is there
) STRICT;

-- Titles are unique among the rooms that are there; one that is gone frees its title.
CREATE UNIQUE INDEX room_title ON room (folded) WHERE gone IS NULL;
