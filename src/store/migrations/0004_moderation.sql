-- Order in rooms: how people talk there, moderators, mutes, and bans from a room.

-- Slow mode: seconds between two messages of one person; 0: off.
ALTER TABLE room ADD COLUMN slow INTEGER NOT NULL DEFAULT 0;
-- 1: only the owner and moderators speak.
ALTER TABLE room ADD COLUMN read_only INTEGER NOT NULL DEFAULT 0;
-- 1: nobody new may join.
ALTER TABLE room ADD COLUMN locked INTEGER NOT NULL DEFAULT 0;

-- The writer asks with every message whether its room is one of these: nearly always none is.
CREATE INDEX room_read_only ON room (id) WHERE read_only = 1;

-- 1: the member is a moderator of the room.
ALTER TABLE member ADD COLUMN moderator INTEGER NOT NULL DEFAULT 0;

-- Who may not speak until a time, in a room or (room 0) anywhere. Mutes that are over go with the
-- next one in the same room.
CREATE TABLE muted (
    account INTEGER NOT NULL,
    room    INTEGER NOT NULL,
    until   INTEGER NOT NULL, -- the highest integer: until somebody lifts it
    PRIMARY KEY (account, room)
) STRICT, WITHOUT ROWID;

CREATE INDEX muted_room ON muted (room);

-- Who is banned from a room.
CREATE TABLE room_ban (
    room    INTEGER NOT NULL,
    account INTEGER NOT NULL,
    PRIMARY KEY (room, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX room_ban_account ON room_ban (account);
