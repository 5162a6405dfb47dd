-- Another index of words: of text that has been folded and cut before it gets there (see
-- src/store/fold.rs and src/store/index.rs), because FTS5 folds Latin only, and finds nothing
-- within a sentence of Han. It keeps no copy of it, and is told itself what to take out.
DROP TABLE words;

CREATE VIRTUAL TABLE words USING fts5 (
    text, -- the words, in order
    bag,  -- what narrows a search down: room, author, single letters
    content = '', columnsize = 0, tokenize = "ascii tokenchars '.@'"
);

-- What is taken out of it is taken out at once, and not when it is next tidied up.
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
-- Pieces of it are put together sixteen at a time, little by little.
INSERT INTO words (words, rank) VALUES ('automerge', 16);
INSERT INTO words (words, rank) VALUES ('crisismerge', 64);

-- Rooms of which the index has messages that were not public when they got there.
CREATE TABLE closed (
    room INTEGER PRIMARY KEY
) STRICT;

-- The program puts all messages into it, right behind this.
UPDATE meta SET value = 0 WHERE key = 'indexed';
