-- Rows as in every store: a key, and an encoded value with the stamp of its last write.
-- Not WITHOUT ROWID: SQLite recommends that for rows of up to a twentieth of a page, and
-- ours are longer. With a rowid, new rows are appended side by side.
CREATE TABLE row (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    stamp BLOB NOT NULL,
    expires_at INTEGER NOT NULL, -- milliseconds since the Unix epoch
    value BLOB NOT NULL
) STRICT;

-- Identifies the key that the row keys were hashed with, and when the store last proved
-- that it can write.
CREATE TABLE store (
    key_check BLOB NOT NULL,
    written_at INTEGER NOT NULL
) STRICT;
