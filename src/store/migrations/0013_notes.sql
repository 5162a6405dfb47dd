-- The chain again, in fewer bytes: an entry that changes a message covers what that first said. And
-- what the chain does not reach is noted in `meta` (see src/store/notes.rs): `end`, up to where
-- the log goes at least (its number, 8 bytes, and its link); `spent`, what all rows of that table
-- sum up to (16 bytes).

-- `replayed`: 1 where all tables beside the log are exactly what its entries make of them. In a
-- database that an older schema has filled, some columns are as the migrations have guessed them.
-- (A later migration that guesses has to set it to 0.)
INSERT INTO meta (key, value) SELECT 'replayed', NOT EXISTS (SELECT 1 FROM log);

-- The program makes the chain of what is there, right behind this.
