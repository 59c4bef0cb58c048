//! Recording a resend that Plivo accepted.

use std::sync::Arc;

use super::{
    record_sent::{Recorded, count_reserved, record, record_keys},
    reservation::SendReservation,
};
use crate::{
    Answer, Key, Rows, SessionRules, Settlement, Transition, Unreadable, Upstream, idempotency,
    session::SessionRow, upstream_session::UpstreamRow,
};

/// Records a resend that Plivo accepted, counts it for conversion, and stores its answer.
/// Plivo's session may be a new one if the first was over.
pub struct RecordResent {
    /// Plivo's session for it.
    pub upstream: Upstream,
    /// The reservation.
    pub reservation: Arc<SendReservation>,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for RecordResent {
    type Outcome = Recorded;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let session = &self.reservation.session;
        Ok(record_keys(
            session,
            &self.upstream,
            &self.reservation,
            &self.rules,
        ))
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Recorded, Unreadable> {
        let reservation = &self.reservation;
        match SessionRow::live(rows, &reservation.session)? {
            Ok(row) => record(rows, &self.rules, &self.upstream, reservation, row),
            Err(over) => {
                // The code was sent all the same.
                let number = &reservation.number;
                if !UpstreamRow::load(rows, &self.upstream.key)?.is_of(number) {
                    return Ok(Recorded::OtherRecipient);
                }
                count_reserved(rows, &self.rules, reservation)?;
                let at = reservation.reserved_at;
                if let Some(claim) = &reservation.claim {
                    let answer = Answer::Settled(Settlement::Over(over));
                    idempotency::answer(rows, claim, at, answer)?;
                }
                Ok(Recorded::Over(over))
            }
        }
    }
}
