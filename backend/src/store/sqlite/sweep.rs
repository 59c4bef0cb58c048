//! What is over goes, a slice at a time.

use super::{anchor, step::Step};
use crate::store::{millis::length, record::MEMORY_OF_THE_ENDED};

/// Rows of a table that go in one step.
const SLICE: usize = 500;

/// Of a session that is over only the name stays, for a while.
const END_SESSIONS: &str = "UPDATE session
    SET person = NULL, upstream_id = '', deliveries = '', forget_at = expires_at + ?3
    WHERE row IN (SELECT row FROM session WHERE forget_at <= ?1 AND person IS NOT NULL LIMIT ?2)";

const FORGET_SESSIONS: &str = "DELETE FROM session
    WHERE row IN (SELECT row FROM session WHERE forget_at <= ?1 AND person IS NULL LIMIT ?2)";

/// Other tables whose rows go when they are over, each with its key.
const TABLES: [(&str, &str); 7] = [
    ("number", "row"),
    ("uses", "row"),
    ("conversion", "row"),
    ("answer", "id"),
    ("spent_proof", "id"),
    ("upstream", "id"),
    ("charges", "id"),
];

/// Forgets some of it; answers whether there may be more.
pub(super) fn slice(step: &mut Step<'_>) -> rusqlite::Result<bool> {
    step.cache.close(step.transaction)?;
    let (now, transaction) = (step.now, step.transaction);
    let ended = transaction.prepare_cached(END_SESSIONS)?.execute((
        now,
        SLICE,
        length(MEMORY_OF_THE_ENDED),
    ))?;
    let mut forget = vec![FORGET_SESSIONS.to_owned()];
    forget.extend(TABLES.map(|(table, key)| {
        format!(
            "DELETE FROM {table} WHERE {key} IN
                 (SELECT {key} FROM {table} WHERE forget_at <= ?1 LIMIT ?2)"
        )
    }));
    let mut is_more = ended == SLICE;
    for rows in forget {
        let gone = transaction.prepare_cached(&rows)?.execute((now, SLICE))?;
        is_more |= gone == SLICE;
    }
    anchor::save(transaction, step.context.clock.as_ref())?;
    Ok(is_more)
}
