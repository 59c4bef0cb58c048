-- Version 1. Times are milliseconds since 1970, by the store's clock.

-- Sessions, by the keyed hash of their names. `person` is sealed with the name.
CREATE TABLE session (
    id BLOB PRIMARY KEY,
    number BLOB,
    person BLOB,
    upstream_id TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL,
    channel TEXT NOT NULL,
    deliveries TEXT NOT NULL DEFAULT '',
    checks_left INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    forget_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_expires_at ON session (expires_at);

-- How often a number was sent to lately, and when it may be again.
CREATE TABLE ladder (
    number BLOB PRIMARY KEY,
    sends INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    forget_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ladder_forget_at ON ladder (forget_at);

-- What each subject of a limit has used of it.
CREATE TABLE uses (
    id BLOB PRIMARY KEY,
    windows BLOB NOT NULL,
    forget_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX uses_forget_at ON uses (forget_at);

-- Answers to requests with an Idempotency-Key; none yet while one is under way.
CREATE TABLE answer (
    id BLOB PRIMARY KEY,
    body BLOB NOT NULL,
    answer BLOB,
    forget_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX answer_forget_at ON answer (forget_at);

-- One row: which key the hashes are made with, and where the store's clock
-- stood in which run of the machine.
CREATE TABLE anchor (
    key_check BLOB NOT NULL,
    boot TEXT NOT NULL,
    boot_ms INTEGER NOT NULL,
    time_ms INTEGER NOT NULL
) STRICT;
