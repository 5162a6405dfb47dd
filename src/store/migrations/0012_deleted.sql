-- A deleted room can be brought back by its owner for a while, with its password and its members.

-- `kept`: the entry by which it went, as long as it can be brought back.
ALTER TABLE room ADD COLUMN kept INTEGER;

CREATE INDEX room_kept ON room (owner) WHERE kept IS NOT NULL;

-- Who belonged to what is gone for good, nobody asks any more: `lost` says who is to be told.
DELETE FROM member WHERE room IN (SELECT id FROM room WHERE gone IS NOT NULL);
