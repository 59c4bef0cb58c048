//! The rows about Plivo's sessions.

use std::time::Duration;

use countersign_shared::Channel;
use rusqlite::{OptionalExtension, Transaction, params};

use super::Context;
use crate::{
    attempt::Noted,
    store::{
        Watched,
        millis::{Millis, length},
        record::MEMORY_OF_THE_ENDED,
        upstream::{from_text, merge, to_text},
    },
};

struct Row {
    attempts: String,
    asked_at: Millis,
}

pub(super) fn watch(
    transaction: &Transaction<'_>,
    context: &Context,
    upstream_id: &str,
    pace: Duration,
    now: Millis,
) -> rusqlite::Result<Watched> {
    let mut row = read(transaction, context, upstream_id, now)?;
    let is_turn = row.asked_at + length(pace) <= now;
    if is_turn {
        row.asked_at = now;
        write(transaction, context, upstream_id, &row, now)?;
    }
    Ok(Watched {
        attempts: from_text(&row.attempts)?,
        is_turn,
    })
}

pub(super) fn note(
    transaction: &Transaction<'_>,
    context: &Context,
    upstream_id: &str,
    (noted, ask_again): (&[Noted], bool),
    now: Millis,
) -> rusqlite::Result<Vec<Channel>> {
    let mut row = read(transaction, context, upstream_id, now)?;
    let mut attempts = from_text(&row.attempts)?;
    let arrived = merge(&mut attempts, noted);
    row.attempts = to_text(&attempts);
    if ask_again {
        row.asked_at = 0;
    }
    write(transaction, context, upstream_id, &row, now)?;
    Ok(arrived)
}

fn read(
    transaction: &Transaction<'_>,
    context: &Context,
    upstream_id: &str,
    now: Millis,
) -> rusqlite::Result<Row> {
    let kept = transaction
        .prepare_cached("SELECT attempts, asked_at FROM upstream WHERE id = ?1 AND forget_at > ?2")?
        .query_row(
            params![context.vault.upstream_name(upstream_id), now],
            |row| {
                Ok(Row {
                    attempts: row.get(0)?,
                    asked_at: row.get(1)?,
                })
            },
        )
        .optional()?;
    Ok(kept.unwrap_or(Row {
        attempts: String::new(),
        asked_at: 0,
    }))
}

fn write(
    transaction: &Transaction<'_>,
    context: &Context,
    upstream_id: &str,
    row: &Row,
    now: Millis,
) -> rusqlite::Result<()> {
    let lives = context.rules.session_lifetime + MEMORY_OF_THE_ENDED;
    transaction
        .prepare_cached("INSERT OR REPLACE INTO upstream VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            context.vault.upstream_name(upstream_id),
            row.attempts,
            row.asked_at,
            now + length(lives),
        ])?;
    Ok(())
}
