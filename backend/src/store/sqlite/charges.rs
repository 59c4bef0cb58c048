//! The rows about what Plivo charged.

use rusqlite::{OptionalExtension, params};

use super::{limits::Keyed, row};
use crate::{
    attempt::Charges,
    store::{
        Charged, Claim, Session,
        charges::Book,
        millis::length,
        record::{MEMORY_OF_THE_ENDED, booked, deliveries_text},
    },
};

impl Keyed<'_> {
    /// Books what is new, in the place of what was expected.
    pub(super) fn note_charges(
        &self,
        session: &Session,
        charges: &Charges,
        spend: Option<&Claim>,
    ) -> rusqlite::Result<Vec<Charged>> {
        let (transaction, context, now) = (self.transaction, self.context, self.now);
        let id = context.vault.charges_name(&session.upstream_id);
        let kept: Option<String> = transaction
            .prepare_cached("SELECT booked FROM charges WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        let mut book = Book::from_text(&kept.unwrap_or_else(|| "0".to_owned()))?;
        // Once it has ended only the bill goes on.
        let mut record = row::live(transaction, context, session.id, now)?.ok();
        let mut deliveries = record
            .as_ref()
            .map_or_else(Vec::new, |record| booked(&record.deliveries));
        let booking = book.enter(&mut deliveries, charges);
        if booking.is_nothing() {
            return Ok(booking.charged);
        }
        if let Some(record) = &mut record {
            record.deliveries = deliveries_text(&deliveries);
            row::write(transaction, context, record)?;
        }
        let lives = context.rules.session_lifetime + MEMORY_OF_THE_ENDED;
        transaction
            .prepare_cached("INSERT OR REPLACE INTO charges VALUES (?1, ?2, ?3)")?
            .execute(params![id, book.to_text(), now + length(lives)])?;
        if let Some(spend) = spend {
            self.correct(spend, &booking.corrections)?;
        }
        Ok(booking.charged)
    }
}
