-- The eighth schema: who is called by a message is decided once, when it is said, and is part of
-- it: in `body`, as {"calls": [accounts]}; NULL where nobody is. So `mention` is by account, and a
-- name that is given again does not inherit what called another.
ALTER TABLE mention RENAME TO mention_7;
DROP INDEX mention_seq;

CREATE TABLE mention (
    account INTEGER NOT NULL,
    room    INTEGER NOT NULL,
    seq     INTEGER NOT NULL, -- the message
    PRIMARY KEY (account, room, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX mention_seq ON mention (seq);

-- What called nobody who is there calls nobody.
INSERT INTO mention (account, room, seq)
    SELECT account.id, old.room, old.seq
    FROM mention_7 AS old JOIN account ON account.folded = old.name AND account.gone IS NULL;

DROP TABLE mention_7;

UPDATE log SET body = json_object('calls', (
        SELECT json_group_array(mention.account) FROM mention WHERE mention.seq = log.seq))
    WHERE kind = 'said' AND seq IN (SELECT seq FROM mention);
