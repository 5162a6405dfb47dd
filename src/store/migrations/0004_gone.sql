-- The fourth schema: who belonged to a room when it went is kept, in `member`. So a client that was
-- away is told that its room is gone, and nobody else is: not even the number of a room that they
-- were never in is theirs to know.

-- For rooms that went before there was this, the log is asked, once: the last word about each
-- account before the room was gone.
WITH word AS MATERIALIZED (
    SELECT seq, kind, json_extract(body, '$.room') AS room,
        json_extract(body, iif(kind = 'room_made', '$.owner', '$.account')) AS account,
        kind = 'room_made' OR json_extract(body, '$.member') AS came
    FROM log WHERE kind IN ('room_made', 'member_changed', 'room_gone')
)
INSERT INTO member (room, account, since, read)
    SELECT room, account, seq, seq FROM (
        SELECT word.room, word.account, max(word.seq) AS seq, word.came -- of that row
        FROM (SELECT room, min(seq) AS seq FROM word WHERE kind = 'room_gone' GROUP BY room) AS gone
        JOIN room ON room.id = gone.room AND room.gone IS NOT NULL
        JOIN word ON word.room = gone.room AND word.seq < gone.seq
        JOIN account ON account.id = word.account AND account.gone IS NULL
        GROUP BY word.room, word.account
    ) WHERE came;
