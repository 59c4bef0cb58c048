//! The rows about Plivo's sessions.

use std::time::Duration;

use countersign_shared::Channel;
use rusqlite::{OptionalExtension, params};

use super::step::Step;
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

impl Step<'_> {
    pub(super) fn watch(&mut self, upstream_id: &str, pace: Duration) -> rusqlite::Result<Watched> {
        let mut row = self.read_upstream(upstream_id)?;
        let is_turn = row.asked_at + length(pace) <= self.now;
        if is_turn {
            row.asked_at = self.now;
            self.write_upstream(upstream_id, &row)?;
        }
        Ok(Watched {
            attempts: from_text(&row.attempts)?,
            is_turn,
        })
    }

    pub(super) fn note_attempts(
        &mut self,
        upstream_id: &str,
        noted: &[Noted],
        ask_again: bool,
    ) -> rusqlite::Result<Vec<Channel>> {
        let mut row = self.read_upstream(upstream_id)?;
        let mut attempts = from_text(&row.attempts)?;
        let arrived = merge(&mut attempts, noted);
        row.attempts = to_text(&attempts);
        if ask_again {
            row.asked_at = 0;
        }
        self.write_upstream(upstream_id, &row)?;
        Ok(arrived)
    }

    fn read_upstream(&self, upstream_id: &str) -> rusqlite::Result<Row> {
        let name = self.context.vault.upstream_name(upstream_id);
        let kept = self
            .transaction
            .prepare_cached(
                "SELECT attempts, asked_at FROM upstream WHERE id = ?1 AND forget_at > ?2",
            )?
            .query_row(params![name, self.now], |row| {
                Ok(Row {
                    attempts: row.get(0)?,
                    asked_at: row.get(1)?,
                })
            })
            .optional()?;
        Ok(kept.unwrap_or(Row {
            attempts: String::new(),
            asked_at: 0,
        }))
    }

    fn write_upstream(&self, upstream_id: &str, row: &Row) -> rusqlite::Result<()> {
        let lives = self.context.rules.session_lifetime + MEMORY_OF_THE_ENDED;
        self.transaction
            .prepare_cached("INSERT OR REPLACE INTO upstream VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                self.context.vault.upstream_name(upstream_id),
                row.attempts,
                row.asked_at,
                self.now + length(lives),
            ])?;
        Ok(())
    }
}
