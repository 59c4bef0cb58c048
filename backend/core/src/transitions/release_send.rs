//! A send or resend certainly never left: all that was counted is given back.

use std::sync::Arc;

use super::{reservation::SendReservation, send_limits};
use crate::{
    Key, Rows, SessionRules, Transition, Unreadable, idempotency,
    session::{SessionRow, Status},
    transitions::counters::Counters,
};

/// Releases a reserved send or resend, and frees its idempotency key.
pub struct ReleaseSend {
    /// What was reserved.
    pub reservation: Arc<SendReservation>,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for ReleaseSend {
    type Outcome = ();

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let reservation = &self.reservation;
        let mut keys = vec![reservation.session.clone(), reservation.number.clone()];
        let checks = send_limits::checks_of(&reservation.taken);
        keys.extend(Counters::keys(&checks));
        keys.extend(reservation.claim.as_ref().map(|claim| claim.key.clone()));
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        let reservation = &self.reservation;
        send_limits::release(rows, &self.rules, reservation)?;
        let session = rows.get::<SessionRow>(&reservation.session)?;
        if session.is_some_and(|row| row.status == Status::Reserved) {
            rows.delete(&reservation.session);
        }
        if let Some(claim) = &reservation.claim {
            idempotency::free(rows, claim, reservation.reserved_at)?;
        }
        Ok(())
    }
}
