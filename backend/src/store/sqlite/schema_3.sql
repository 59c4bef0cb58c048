-- Version 3. What is known of the attempts of Plivo's sessions, by the keyed
-- hash of its names for them, and when it was asked last.
CREATE TABLE upstream (
    id BLOB PRIMARY KEY,
    attempts TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    forget_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX upstream_forget_at ON upstream (forget_at);
