//! Releasing a send or resend that certainly never left.

use std::sync::Arc;

use super::{
    reservation::SendReservation,
    send_limits::{self, count_conversion, destination_keys},
};
use crate::{
    Key, Rows, SessionRules, Transition, Unreadable, idempotency, keys, known_number,
    session::{SessionRow, Status},
    transitions::{PageRow, counters::Counters},
};

/// Releases a reserved send or resend, and frees its idempotency key.
pub struct ReleaseSend {
    /// The reservation.
    pub reservation: Arc<SendReservation>,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl ReleaseSend {
    /// Whether a callback about another send has adopted this one.
    fn is_adopted(&self, rows: &Rows<'_>) -> Result<bool, Unreadable> {
        let reservation = &self.reservation;
        let key = &reservation.session;
        if !rows.is_loaded(key) {
            return Ok(false);
        }
        let row = rows.get::<SessionRow>(key)?;
        let (channel, at) = (reservation.channel, reservation.reserved_at);
        Ok(row.is_some_and(|row| row.has_delivery(channel, at)))
    }

    /// Removes its session, and a delivery that a callback about another send adopted for
    /// it.
    fn remove_session(&self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        let reservation = &self.reservation;
        let (key, at) = (&reservation.session, reservation.reserved_at);
        let Some(mut row) = rows.get::<SessionRow>(key)? else {
            return Ok(());
        };
        let is_adopted = self.is_adopted(rows)?;
        if is_adopted && matches!(row.status, Status::Pending) {
            row.undeliver(reservation.channel, at);
            let (destination, is_known) = (&reservation.destination, reservation.is_known);
            count_conversion(rows, &self.rules, destination, is_known, |row, _, _| {
                row.unsent(at);
            })?;
        }
        if row.deliveries.is_empty() {
            rows.delete(key);
            rows.delete(&keys::ended(key));
        } else if is_adopted {
            row.save(rows, key);
        }
        Ok(())
    }
}

impl Transition for ReleaseSend {
    type Outcome = ();

    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let reservation = &self.reservation;
        let mut keys = SessionRow::keys(&reservation.session).to_vec();
        keys.push(reservation.number.clone());
        keys.extend(known_number::key(&reservation.number, &self.rules));
        let checks = send_limits::checks_of(&reservation.taken);
        keys.extend(Counters::keys(checks));
        if self.is_adopted(rows)? {
            keys.extend(destination_keys(&reservation.destination, &self.rules));
        }
        keys.extend(reservation.page.clone());
        keys.extend(reservation.claim.as_ref().map(|claim| claim.key.clone()));
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        let reservation = &self.reservation;
        send_limits::release(rows, &self.rules, reservation)?;
        self.remove_session(rows)?;
        if let Some(page) = &reservation.page {
            PageRow::press(rows, page, false)?;
        }
        if let Some(claim) = &reservation.claim {
            idempotency::free(rows, claim, reservation.reserved_at)?;
        }
        Ok(())
    }
}
