//! Releasing a send or resend that certainly never left.

use std::sync::Arc;

use super::{counters::Counters, reservation::SendReservation, send_limits, withdraw};
use crate::{
    Key, Rows, SessionRules, Transition, Unreadable, idempotency, known_number,
    transitions::PageRow,
};

/// Releases a reserved send or resend, and frees its idempotency key and its page, unless a
/// callback adopted it and its session is over.
pub struct ReleaseSend {
    /// The reservation.
    pub reservation: Arc<SendReservation>,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for ReleaseSend {
    type Outcome = ();

    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let reservation = &self.reservation;
        let mut keys = withdraw::keys(rows, &self.rules, reservation)?;
        keys.extend(known_number::key(&reservation.number, &self.rules));
        let checks = send_limits::checks_of(&reservation.taken);
        keys.extend(Counters::keys(checks));
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        let reservation = &self.reservation;
        send_limits::release(rows, &self.rules, reservation)?;
        if !withdraw::withdraw(rows, &self.rules, reservation)? {
            // Nor is there anything to repeat.
            return Ok(());
        }
        if let Some(page) = &reservation.page {
            PageRow::press(rows, page, false)?;
        }
        if let Some(claim) = &reservation.claim {
            idempotency::free(rows, claim, reservation.reserved_at)?;
        }
        Ok(())
    }
}
