-- Version 6. How often an Idempotency-Key came with another request than its first.
ALTER TABLE answer ADD COLUMN mismatches INTEGER NOT NULL DEFAULT 0;
