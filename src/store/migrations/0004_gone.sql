-- The fourth schema: who belonged to a room when it went is kept, in `member`. So a client that was
-- away is told that its room is gone, and nobody else is: not even the number of a room that they
-- were never in is theirs to know.

-- For rooms that went before there was this, the log is asked, as `src/store/tables.rs` does it:
-- the last word about each account, up to the first entry that the room is gone.
INSERT INTO member (room, account, since, read)
    SELECT word.room, word.account, max(word.seq), max(word.seq)
    FROM (
        SELECT seq, 1 AS came, json_extract(body, '$.room') AS room,
            json_extract(body, '$.owner') AS account
        FROM log WHERE kind = 'room_made'
        UNION ALL
        SELECT seq, json_extract(body, '$.member'), json_extract(body, '$.room'),
            json_extract(body, '$.account')
        FROM log WHERE kind = 'member_changed'
    ) AS word
    JOIN room ON room.id = word.room AND room.gone IS NOT NULL
    JOIN account ON account.id = word.account AND account.gone IS NULL
    WHERE word.came AND word.seq < (
        SELECT min(log.seq) FROM log
        WHERE log.kind = 'room_gone' AND json_extract(log.body, '$.room') = word.room)
        AND NOT EXISTS (
            SELECT 1 FROM log
            WHERE log.kind = 'member_changed' AND log.seq > word.seq
                AND json_extract(log.body, '$.room') = word.room
                AND json_extract(log.body, '$.account') = word.account
                AND NOT json_extract(log.body, '$.member'))
    GROUP BY word.room, word.account;
