-- The third schema: old messages may go (see src/store/retention.rs). Everything else in the log
-- stays, because accounts, sessions and rooms are made from it.

-- What changed a message goes with it.
CREATE INDEX log_target ON log (target) WHERE target IS NOT NULL;

-- The numbers that authors gave to messages that are gone: a message that is sent once more is
-- still not said twice. It is a table and not a stub in the log, so that a message that is gone is
-- gone for everybody who reads the log. Some hundred bytes each, without the words.
CREATE TABLE spent (
    account   INTEGER NOT NULL, -- the author; a guest's number who has left is of no use any more
    client_id TEXT    NOT NULL, -- the author's own number for it
    seq       INTEGER NOT NULL, -- its number in the log
    time      INTEGER NOT NULL,
    room      INTEGER NOT NULL,
    reply_to  INTEGER,
    hash      BLOB    NOT NULL, -- the SHA-256 of the words as they were first said
    PRIMARY KEY (account, client_id)
) STRICT, WITHOUT ROWID;
