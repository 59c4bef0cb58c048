//! Closing a send or resend that Plivo answered by refusing it.

use std::sync::Arc;

use super::{counters::Counters, reservation::SendReservation, withdraw};
use crate::{
    Answer, Key, Rows, SessionRules, Transition, Unreadable, idempotency, transitions::PageRow,
};

/// Closes a reserved send or resend that Plivo refused: it stays counted, but as Plivo sent
/// nothing, no callback adopts it.
pub struct CloseSend {
    /// The reservation.
    pub reservation: Arc<SendReservation>,
    /// The answer to a repetition, if the request has an idempotency key.
    pub answer: Option<Answer>,
    /// Whether the caller is to try again, which frees the key and the page.
    pub may_retry: bool,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for CloseSend {
    type Outcome = ();

    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        withdraw::keys(rows, &self.rules, &self.reservation)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        let reservation = &self.reservation;
        let at = reservation.reserved_at;
        let mut counters = Counters::load(rows, &self.rules, Some(&reservation.number), [])?;
        let number = counters.edit_number().expect("a send has a number");
        number.unreserve(&reservation.session, at);
        counters.save(rows);
        if !withdraw::withdraw(rows, &self.rules, reservation)? {
            // Nor is there anything to repeat.
            return Ok(());
        }
        if let Some(page) = reservation.page.as_ref().filter(|_| self.may_retry) {
            PageRow::press(rows, page, false)?;
        }
        match (&reservation.claim, &self.answer) {
            (Some(claim), _) if self.may_retry => idempotency::free(rows, claim, at),
            (Some(claim), Some(answer)) => {
                idempotency::replace_answer(rows, claim, at, answer.clone())
            }
            _ => Ok(()),
        }
    }
}
