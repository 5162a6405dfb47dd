-- A chain of hashes over the log: see src/store/chain.rs. A row has a link of it, and where it has
-- words (a message, an edit), what proves them; neither covers what may change in a row: `text`,
-- `edited`, `deleted`, `said_hash`, and of a message `body`.
ALTER TABLE log ADD COLUMN proof BLOB; -- 16 bytes: the salt; 32: the words are gone, their hash
ALTER TABLE log ADD COLUMN hash BLOB;  -- 16 bytes: of the entry, and of all before it

-- Where entries are gone: the link of the last of them.
CREATE TABLE gap (
    seq  INTEGER PRIMARY KEY,
    hash BLOB NOT NULL
) STRICT;

-- The program makes the chain of what is there, behind the thirteenth.
