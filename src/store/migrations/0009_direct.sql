-- A room for two ends with a guest whose it is: nobody could be answered there any more. So do
-- those whose guest has gone before there was this; the other of the two is told so.
INSERT OR IGNORE INTO lost (account, seq, room)
    SELECT member.account, log.seq, room.id
    FROM log
    JOIN account ON account.id = json_extract(log.body, '$.account') AND account.gone IS NOT NULL
    JOIN room ON account.id IN (between_a, between_b) AND room.gone IS NULL
    JOIN member ON member.room = room.id AND member.account <> account.id
    WHERE log.kind = 'account_ended' AND log.seq > room.since;

UPDATE room SET gone = (SELECT min(gone) FROM account WHERE id IN (between_a, between_b))
    WHERE gone IS NULL AND between_a IS NOT NULL
        AND EXISTS (SELECT 1 FROM account WHERE id IN (between_a, between_b) AND gone IS NOT NULL);
