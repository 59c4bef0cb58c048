-- Version 5. Rows in the order they come, found by a narrow index: what is new
-- stands together, and a group of steps writes few pages. What is counted of one
-- number stands in one row; the counts of version 4 are not carried over.
DROP TABLE ladder;
DROP TABLE uses;
DROP TABLE conversion;

CREATE TABLE number (
    row INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    kept BLOB NOT NULL,
    forget_at INTEGER NOT NULL
) STRICT;
CREATE INDEX number_forget_at ON number (forget_at);

CREATE TABLE uses (
    row INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    kept BLOB NOT NULL,
    forget_at INTEGER NOT NULL
) STRICT;
CREATE INDEX uses_forget_at ON uses (forget_at);

CREATE TABLE conversion (
    row INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    kept BLOB NOT NULL,
    forget_at INTEGER NOT NULL
) STRICT;
CREATE INDEX conversion_forget_at ON conversion (forget_at);

-- `forget_at` is when the number is forgotten, and after that the name.
ALTER TABLE session RENAME TO session_4;
CREATE TABLE session (
    row INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    person BLOB,
    upstream_id TEXT NOT NULL,
    status TEXT NOT NULL,
    channel TEXT NOT NULL,
    deliveries TEXT NOT NULL,
    checks_left INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    forget_at INTEGER NOT NULL
) STRICT;
INSERT INTO session
    (id, person, upstream_id, status, channel, deliveries, checks_left, expires_at, forget_at)
    SELECT id, person, upstream_id, status, channel, deliveries, checks_left, expires_at,
        CASE WHEN person IS NULL THEN forget_at ELSE expires_at END
    FROM session_4 WHERE status <> 'reserved' ORDER BY expires_at;
DROP TABLE session_4;
CREATE INDEX session_forget_at ON session (forget_at);
