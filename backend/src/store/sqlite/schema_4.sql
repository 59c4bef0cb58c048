-- Version 4. How many of the codes sent to a country or a range of numbers are
-- given back, by its keyed hash.
CREATE TABLE conversion (
    id BLOB PRIMARY KEY,
    kept BLOB NOT NULL,
    forget_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX conversion_forget_at ON conversion (forget_at);

-- What Plivo charged for its sessions, by the keyed hash of its names for them.
CREATE TABLE charges (
    id BLOB PRIMARY KEY,
    booked TEXT NOT NULL,
    forget_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX charges_forget_at ON charges (forget_at);
