-- People in charge of the server.

-- 'owner' or 'administrator'; NULL: none. Never a guest's.
ALTER TABLE account ADD COLUMN role TEXT;

-- 1: it is banned, and has neither a role nor a session.
ALTER TABLE account ADD COLUMN banned INTEGER NOT NULL DEFAULT 0;

-- Addresses from which nobody may come: of IPv6, networks of 64 bits. Bans that are over go with
-- the next one.
CREATE TABLE banned (
    address TEXT PRIMARY KEY,
    until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What people in charge have set; a row that is missing means the default.
CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What people in charge have done, for the audit. The condition of a query must repeat these terms.
CREATE INDEX log_deed ON log (seq)
    WHERE kind <> 'said' AND json_extract(body, '$.deed') IS NOT NULL;
