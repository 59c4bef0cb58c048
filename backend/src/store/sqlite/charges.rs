//! The rows about what Plivo charged.

use rusqlite::{OptionalExtension, params};

use super::step::Step;
use crate::{
    attempt::Charges,
    store::{
        Charged, Claim, Session,
        charges::Book,
        millis::length,
        record::{MEMORY_OF_THE_ENDED, booked, deliveries_text},
    },
};

impl Step<'_> {
    /// Books what is new, in the place of what was expected.
    pub(super) fn note_charges(
        &mut self,
        session: &Session,
        charges: &Charges,
        spend: Option<&Claim>,
    ) -> rusqlite::Result<Vec<Charged>> {
        let id = self.context.vault.charges_name(&session.upstream_id);
        let kept: Option<String> = self
            .transaction
            .prepare_cached("SELECT booked FROM charges WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        let mut book = Book::from_text(&kept.unwrap_or_else(|| "0".to_owned()))?;
        // Once it has ended only the bill goes on.
        let record = self.live(session.id)?.ok();
        let mut deliveries = record
            .as_ref()
            .map_or_else(Vec::new, |record| booked(&record.deliveries));
        let booking = book.enter(&mut deliveries, charges);
        if booking.is_nothing() {
            return Ok(booking.charged);
        }
        if let Some(mut record) = record {
            record.deliveries = deliveries_text(&deliveries);
            self.keep(session.id, record)?;
        }
        let lives = self.context.rules.session_lifetime + MEMORY_OF_THE_ENDED;
        self.transaction
            .prepare_cached("INSERT OR REPLACE INTO charges VALUES (?1, ?2, ?3)")?
            .execute(params![id, book.to_text(), self.now + length(lives)])?;
        if let Some(spend) = spend {
            self.correct(spend, &booking.corrections)?;
        }
        Ok(booking.charged)
    }
}
