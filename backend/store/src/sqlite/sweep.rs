//! Deletes expired rows, a slice at a time, so that commits can run in between.
//!
//! It walks the table in the order of its rowids, because an index on the expiry would
//! cost every write more than the walk costs all of them together.

use std::time::{Duration, Instant};

use countersign_core::Millis;
use rusqlite::Connection;

/// Interval between sweeps of expired rows.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);
/// Rows of one slice: less than a millisecond.
const SLICE_ROWS: u32 = 500;
/// Pause between two slices.
const SLICE_PAUSE: Duration = Duration::from_millis(2);

pub(super) struct Sweep {
    next_at: Instant,
    /// The last rowid of the previous slice; 0 at the start of the table.
    last_id: i64,
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            next_at: Instant::now() + SWEEP_INTERVAL,
            last_id: 0,
        }
    }
}

impl Sweep {
    /// Sweeps a slice if it is due. Returns when the next one is.
    pub(super) fn advance(&mut self, connection: &Connection, now: Millis) -> Duration {
        let left = self.next_at.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return left;
        }
        // If it fails, commits fail too, and those are reported.
        let last = slice(connection, self.last_id, now).ok().flatten();
        let pause = if last.is_some() {
            SLICE_PAUSE
        } else {
            SWEEP_INTERVAL
        };
        self.last_id = last.unwrap_or_default();
        self.next_at = Instant::now() + pause;
        pause
    }
}

/// Returns the last rowid of the slice; none at the end of the table.
fn slice(connection: &Connection, after: i64, now: Millis) -> rusqlite::Result<Option<i64>> {
    let last: Option<i64> = connection
        .prepare_cached(
            "SELECT max(id) FROM (SELECT id FROM row WHERE id > ?1 ORDER BY id LIMIT ?2)",
        )?
        .query_row((after, SLICE_ROWS), |row| row.get(0))?;
    if let Some(last) = last {
        connection
            .prepare_cached("DELETE FROM row WHERE id > ?1 AND id <= ?2 AND expires_at <= ?3")?
            .execute((after, last, now.0))?;
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expired_row_goes_and_no_other() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("schema.sql"))
            .unwrap();
        let rows = 3 * SLICE_ROWS + 7;
        for row in 0..rows {
            let insert = "INSERT INTO row VALUES (NULL, ?1, x'', ?2, x'')";
            let expires_at = if row % 3 == 0 { 5000 } else { 5001 };
            let key = format!("kind/{row}");
            connection.execute(insert, (key, expires_at)).unwrap();
        }
        let mut after = 0;
        let mut slices = 0;
        while let Some(last) = slice(&connection, after, Millis(5000)).unwrap() {
            (after, slices) = (last, slices + 1);
        }
        assert_eq!(slices, 4);
        let left = "SELECT count(*), min(expires_at) FROM row";
        let left: (u32, u32) = connection
            .query_row(left, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(left, (rows - rows.div_ceil(3), 5001));
    }
}
