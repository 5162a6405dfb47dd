-- The eleventh schema: rooms for two can be left, and end when both have left; people can be
-- blocked; and a room that has lost its owner ends when nobody is there.

-- Of whoever has left a room for two, only the pair says that it is theirs.
CREATE INDEX room_between_a ON room (between_a) WHERE gone IS NULL AND between_a IS NOT NULL;
CREATE INDEX room_between_b ON room (between_b) WHERE gone IS NULL AND between_b IS NOT NULL;

-- `forsaken`: 1, if its owner was a guest who is gone, and nobody has it since.
ALTER TABLE room ADD COLUMN forsaken INTEGER NOT NULL DEFAULT 0;

-- What was a guest's was nobody's as soon as they had gone: now it is the longest member's, of
-- those who were there then, or has lost its owner.
WITH word AS MATERIALIZED (
    SELECT seq, kind, json_extract(body, '$.room') AS room,
        json_extract(body, iif(kind = 'room_made', '$.owner', '$.account')) AS account
    FROM log WHERE kind IN ('room_made', 'account_ended')
), lost AS MATERIALIZED (
    SELECT room.id AS room, ended.seq AS seq
    FROM room
    JOIN word AS made ON made.kind = 'room_made' AND made.seq = room.since AND made.room = room.id
    JOIN word AS ended ON ended.kind = 'account_ended' AND ended.account = made.account
    WHERE room.owner IS NULL AND room.gone IS NULL AND room.between_a IS NULL
)
UPDATE room SET forsaken = 1, owner = (
    SELECT member.account FROM member JOIN lost ON lost.room = member.room
    WHERE member.room = room.id AND member.since < lost.seq
    ORDER BY member.since, member.account LIMIT 1)
    WHERE id IN (SELECT room FROM lost);
UPDATE room SET forsaken = 0 WHERE owner IS NOT NULL;

-- Whom an account has blocked. What is about guests who are gone goes when the account next blocks
-- somebody; until then it means nothing, as no number is given again.
CREATE TABLE block (
    account INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    PRIMARY KEY (account, blocked)
) STRICT, WITHOUT ROWID;
