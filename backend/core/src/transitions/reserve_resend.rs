//! Reserving a resend, before Plivo is called.

use std::sync::Arc;

use countersign_shared::Channel;

use super::{
    find_answer,
    reservation::{Reserved, SendReservation},
    send_limits::{Asked, Evaluation, SendLimits},
};
use crate::{
    ApplicationId, IdempotencyClaim, Key, Rows, SessionOver, SessionRules, Transition, Unreadable,
    idempotency, session::SessionRow,
};

/// Reserves a resend: limits count it, its idempotency key is claimed, and it is
/// remembered, so that a callback can adopt it if the answer is lost.
pub struct ReserveResend {
    /// The session's row.
    pub session: Key,
    /// The application whose key the call came with, if any.
    pub application: Option<ApplicationId>,
    /// The channel of the code.
    pub channel: Channel,
    /// The limits on the resend.
    pub limits: SendLimits,
    /// Skips the resend backoff but still lengthens it: the last channel has failed, and
    /// this is another one.
    pub at_once: bool,
    /// The request's idempotency key, if any.
    pub claim: Option<IdempotencyClaim>,
    /// The id of the request, which is logged with the status of the delivery.
    pub request_id: String,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for ReserveResend {
    type Outcome = Reserved<SendReservation>;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let mut keys = self.limits.keys(&self.rules);
        keys.extend(SessionRow::keys(&self.session));
        keys.extend(find_answer::keys(self.claim.as_ref()));
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Self::Outcome, Unreadable> {
        if let Some(found) = find_answer::find(rows, &self.rules, self.claim.as_ref())? {
            return Ok(found.into());
        }
        match SessionRow::open(rows, &self.session, self.application.as_ref())? {
            Ok(row) if row.number == self.limits.number => {}
            Ok(_) => return Ok(Reserved::Over(SessionOver::NotFound)),
            Err(over) => return Ok(Reserved::Over(over)),
        }
        let evaluation = Evaluation::of(rows, &self.rules, &self.limits, self.at_once)?;
        if let Some(wait) = evaluation.wait() {
            evaluation.refuse(rows);
            return Ok(Reserved::Wait(wait));
        }
        if let Some(claim) = &self.claim {
            idempotency::claim(rows, claim);
        }
        let reserved = evaluation.reserve(
            rows,
            Asked {
                session: &self.session,
                channel: self.channel,
                claim: self.claim.clone(),
                request_id: self.request_id.clone(),
            },
        );
        Ok(Reserved::Reserved(reserved))
    }
}
