-- Invitations, and links for lost keys. Of their codes there are only hashes.

CREATE TABLE invitation (
    -- The number of the entry that made it.
    id        INTEGER PRIMARY KEY,
    -- The SHA-256 of its code; NULL: it has ended.
    code      BLOB UNIQUE,
    -- The account that invites; NULL: the operator at the shell.
    maker     INTEGER,
    -- The room to which it admits; NULL: the server only.
    room      INTEGER,
    created   INTEGER NOT NULL,
    until     INTEGER NOT NULL,
    -- How often it can be used, and how often it was used.
    uses      INTEGER NOT NULL,
    used      INTEGER NOT NULL DEFAULT 0,
    -- Whether its bearer may register while only invited people may.
    registers INTEGER NOT NULL
) STRICT;

CREATE INDEX invitation_maker ON invitation (maker, id);
CREATE INDEX invitation_room ON invitation (room, id);
CREATE INDEX invitation_until ON invitation (until) WHERE code IS NOT NULL;

-- Who came by which, by the entry with which they came.
CREATE TABLE invited (
    invitation INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    account    INTEGER NOT NULL,
    PRIMARY KEY (invitation, seq)
) STRICT, WITHOUT ROWID;

-- The link by which an account gets a new key.
CREATE TABLE recovery (
    account INTEGER PRIMARY KEY,
    code    BLOB NOT NULL UNIQUE,
    -- The account that made it; NULL: the operator at the shell.
    maker   INTEGER,
    until   INTEGER NOT NULL
) STRICT;
CREATE INDEX recovery_maker ON recovery (maker);
