-- Version 2. Proofs that were spent, by the keyed hash of their names.
CREATE TABLE spent_proof (
    id BLOB PRIMARY KEY,
    forget_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_proof_forget_at ON spent_proof (forget_at);
