-- Rows, as every home keeps them: a name, and an encoded value with the stamp of
-- its last write.
CREATE TABLE row (
    key TEXT PRIMARY KEY,
    stamp BLOB NOT NULL,
    expires_at INTEGER NOT NULL, -- milliseconds since the Unix epoch
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Which key the names were made with, and when the store last proved that it can
-- write.
CREATE TABLE store (
    key_check BLOB NOT NULL,
    written_at INTEGER NOT NULL
) STRICT;
