-- The seventh schema: who may see what. Hidden rooms are found by a number that nobody can guess,
-- what was said before a room was opened stays its members', and whoever is put out of a room is
-- told so, also when they were away.

-- `link`: the number by which a hidden room is found whose own was given one by one. `opened`: the
-- entry that made a public room public, last.
ALTER TABLE room ADD COLUMN link INTEGER;
ALTER TABLE room ADD COLUMN opened INTEGER NOT NULL DEFAULT 0;

CREATE UNIQUE INDEX room_link ON room (link) WHERE link IS NOT NULL;

-- Between 2^32 and 2^53. (The bits of SQLite's random() are as good as the system's.)
UPDATE room SET link = 4294967296 + (random() & 4503599627370495)
    WHERE visibility = 'hidden' AND between_a IS NULL AND gone IS NULL;

-- A room that is public was opened by the first entry after the last that says otherwise.
WITH word AS MATERIALIZED (
    SELECT seq, json_extract(body, '$.room') AS room,
        json_extract(body, '$.facts.visibility') = 'public' AS open
    FROM log WHERE kind IN ('room_made', 'room_changed')
)
UPDATE room SET opened = coalesce((
    SELECT min(word.seq) FROM word
    WHERE word.room = room.id AND word.open AND word.seq > coalesce((
        SELECT max(closed.seq) FROM word AS closed
        WHERE closed.room = room.id AND NOT closed.open), 0)), since)
    WHERE visibility = 'public' AND gone IS NULL;

-- What was said up to `horizon` is not theirs to read. Whoever is in already has read it.
ALTER TABLE member ADD COLUMN horizon INTEGER NOT NULL DEFAULT 0;

-- Who ceased to belong to which room, by which entry: who left, was put out, or was there when the
-- room went or was closed. A client that was away is told so, and nobody else is.
CREATE TABLE lost (
    account INTEGER NOT NULL,
    seq     INTEGER NOT NULL, -- the entry
    room    INTEGER NOT NULL,
    PRIMARY KEY (account, seq)
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO lost (account, seq, room)
    SELECT member.account, log.seq, member.room
    FROM log
    JOIN room ON room.id = json_extract(log.body, '$.room') AND room.gone IS NOT NULL
    JOIN member ON member.room = room.id
    WHERE log.kind = 'room_gone' AND log.seq > member.since;

INSERT OR IGNORE INTO lost (account, seq, room)
    SELECT json_extract(body, '$.account'), seq, json_extract(body, '$.room')
    FROM log WHERE kind = 'member_changed' AND NOT json_extract(body, '$.member');
