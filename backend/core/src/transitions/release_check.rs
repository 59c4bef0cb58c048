//! Releasing a check that certainly never left.

use std::sync::Arc;

use super::{counters::Counters, reservation::CheckReservation, send_limits::checks_of};
use crate::{
    Key, Rows, SessionRules, Transition, Unreadable, idempotency,
    session::{SessionRow, Status},
};

/// Releases a reserved check, and frees its idempotency key.
pub struct ReleaseCheck {
    /// The reservation.
    pub reservation: Arc<CheckReservation>,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for ReleaseCheck {
    type Outcome = ();

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let reservation = &self.reservation;
        let mut keys = SessionRow::keys(&reservation.key).to_vec();
        keys.push(reservation.session.number.clone());
        let checks = checks_of(&reservation.taken);
        keys.extend(Counters::keys(checks));
        keys.extend(reservation.claim.as_ref().map(|claim| claim.key.clone()));
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        let reservation = &self.reservation;
        let (number, checks) = (&reservation.session.number, checks_of(&reservation.taken));
        let mut counters = Counters::load(rows, &self.rules, Some(number), checks)?;
        for taken in &reservation.taken {
            counters.release(taken);
        }
        counters.save(rows);
        if let Ok(mut row) = SessionRow::live(rows, &reservation.key)? {
            row.checks_left = row.checks_left.saturating_add(1);
            if row.status == Status::Exhausted {
                row.status = Status::Pending;
            }
            row.save(rows, &reservation.key);
        }
        if let Some(claim) = &reservation.claim {
            idempotency::free(rows, claim, reservation.reserved_at)?;
        }
        Ok(())
    }
}
