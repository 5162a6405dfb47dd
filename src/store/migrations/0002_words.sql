-- The second schema: memberships, words that can be changed, taken back and found, guests, direct
-- rooms. It keeps what a database of the first one holds; the log's rows stay as they were.

-- Rows of the log are still only appended, but one thing in them can change: the words of a
-- message, when its author edits it, and when it is taken back. The entry that did it says so and
-- holds no words itself, so that what was taken back is nowhere.
ALTER TABLE log ADD COLUMN client_id TEXT;   -- 'said': its author's own number for it; maybe NULL
ALTER TABLE log ADD COLUMN reply_to INTEGER; -- 'said': the message that it answers; maybe NULL
ALTER TABLE log ADD COLUMN target INTEGER;   -- 'edited', 'deleted', 'reacted': which message
ALTER TABLE log ADD COLUMN edited INTEGER;   -- 'said': since when it has other words; maybe NULL
ALTER TABLE log ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0; -- 'said': 1, and `text` is NULL
-- 'said': the SHA-256 of the words as they were first said; made when those words go, so that a
-- message that is sent once more can still be compared with itself.
ALTER TABLE log ADD COLUMN said_hash BLOB;

-- An author's number is theirs for ever, also when the message is gone.
CREATE UNIQUE INDEX log_client_id ON log (account, client_id) WHERE client_id IS NOT NULL;

-- How many of a room's messages were taken back, without looking at them.
CREATE INDEX log_deleted ON log (room) WHERE deleted = 1;

-- Accounts again: a guest's has no key, and one that has ended frees its name. Its row stays, so
-- that its number is not given again.
ALTER TABLE session RENAME TO session_1;
ALTER TABLE account RENAME TO account_1;

CREATE TABLE account (
    id      INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL, -- as registered
    folded  TEXT    NOT NULL, -- the name without its case: what has to be unique
    key     BLOB    UNIQUE,   -- the SHA-256 of the account's key; NULL: a guest's, or one ended
    color   TEXT,             -- to be shown in; maybe NULL
    created INTEGER NOT NULL,
    gone    INTEGER           -- since when; NULL: it is there
) STRICT;

CREATE UNIQUE INDEX account_name ON account (folded) WHERE gone IS NULL;

CREATE TABLE session (
    id        INTEGER PRIMARY KEY,
    account   INTEGER NOT NULL REFERENCES account (id),
    key       BLOB    NOT NULL UNIQUE, -- the SHA-256 of the session's key
    remember  INTEGER NOT NULL,        -- 1: lasts for a month without use
    agent     TEXT    NOT NULL,        -- what the client called itself; maybe empty
    created   INTEGER NOT NULL,
    last_used INTEGER NOT NULL         -- may lag behind: it is not worth a commit of its own
) STRICT;

CREATE INDEX session_account ON session (account);

INSERT INTO account (id, name, folded, key, created)
    SELECT id, name, folded, key, created FROM account_1;

-- When a session began is in the log, in the one entry with its number and key.
INSERT INTO session (id, account, key, remember, agent, created, last_used)
    SELECT id, account, key, 0, '', coalesce((
        SELECT log.time FROM log
        WHERE log.kind = 'session_begun' AND json_extract(log.body, '$.session') = old.id
            AND json_extract(log.body, '$.key') = lower(hex(old.key))
        ORDER BY log.seq LIMIT 1), last_used), last_used
    FROM session_1 AS old;

DROP TABLE session_1;
DROP TABLE account_1;

-- Rooms: a direct one is between two accounts, and its title counts for nothing. `since` is the
-- entry that made it. The last message of a room is not kept: `log_said` has it at its end.
ALTER TABLE room ADD COLUMN between_a INTEGER; -- both or none
ALTER TABLE room ADD COLUMN between_b INTEGER;
ALTER TABLE room ADD COLUMN since INTEGER NOT NULL DEFAULT 0;

UPDATE room SET since = coalesce((
    SELECT log.seq FROM log
    WHERE log.kind = 'room_made' AND json_extract(log.body, '$.room') = room.id
    ORDER BY log.seq DESC LIMIT 1), 0);

DROP INDEX room_title;
CREATE UNIQUE INDEX room_title ON room (folded) WHERE gone IS NULL AND between_a IS NULL;
CREATE UNIQUE INDEX room_between
    ON room (min(between_a, between_b), max(between_a, between_b))
    WHERE gone IS NULL AND between_a IS NOT NULL;

-- Who belongs to which room that is there.
CREATE TABLE member (
    room    INTEGER NOT NULL,
    account INTEGER NOT NULL,
    since   INTEGER NOT NULL, -- the entry by which they became one
    read    INTEGER NOT NULL, -- the last message that they have read; may lag behind
    PRIMARY KEY (room, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX member_account ON member (account);

-- Whoever was there before belongs to the lobby, and to the rooms they made. What was said before
-- there was a mark to set counts as read.
INSERT INTO member (room, account, since, read)
    SELECT 1, account.id, coalesce((
        SELECT log.seq FROM log
        WHERE log.kind = 'account_made' AND json_extract(log.body, '$.account') = account.id
            AND json_extract(log.body, '$.key') = lower(hex(account.key))
        ORDER BY log.seq LIMIT 1), 0), (SELECT coalesce(max(seq), 0) FROM log)
    FROM account;
INSERT INTO member (room, account, since, read)
    SELECT room.id, room.owner, room.since, (SELECT coalesce(max(seq), 0) FROM log)
    FROM room JOIN account ON account.id = room.owner
    WHERE room.gone IS NULL AND room.id <> 1;

-- The signs that messages bear now. `account` is NULL for somebody known by name only.
CREATE TABLE reaction (
    target  INTEGER NOT NULL, -- the message
    seq     INTEGER NOT NULL, -- the entry that put it there
    account INTEGER,
    name    TEXT    NOT NULL,
    emoji   TEXT    NOT NULL,
    PRIMARY KEY (target, seq)
) STRICT, WITHOUT ROWID;

-- Who is called in which message, by the words that it has now.
CREATE TABLE mention (
    name TEXT    NOT NULL, -- folded
    room INTEGER NOT NULL,
    seq  INTEGER NOT NULL, -- the message
    PRIMARY KEY (name, room, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX mention_seq ON mention (seq);

-- The words of all messages up to `indexed`, for search; what is younger is searched by itself (see
-- src/store/words.rs). It keeps no copy of them. Room and author are words, too, so that a search
-- in one small room does not have to go through what was said in all the others.
CREATE VIRTUAL TABLE words USING fts5 (
    room, name, text, content = 'log', content_rowid = 'seq',
    tokenize = 'unicode61 remove_diacritics 2'
);

-- What is taken out of it is taken out at once, and not when it is next tidied up.
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);

INSERT INTO words (rowid, room, name, text)
    SELECT seq, room, name, text FROM log WHERE kind = 'said' ORDER BY seq;

-- `indexed`: see `words`. `pruned`: no message up to this one need be in the log any more.
INSERT INTO meta (key, value) VALUES ('indexed', (SELECT coalesce(max(seq), 0) FROM log));
INSERT INTO meta (key, value) VALUES ('pruned', 0);
