//! Reserving a send, before Plivo is called.

use std::sync::Arc;

use super::{
    find_answer,
    reservation::{Reserved, SendReservation},
    send_limits::{Asked, Evaluation, SendLimits},
};
use crate::{
    IdempotencyClaim, Key, NewSession, Rows, SessionOver, SessionRules, Transition, Unreadable,
    idempotency, session::SessionRow, transitions::PageRow,
};

/// Reserves a send: limits count it, its idempotency key is claimed, and its session is
/// remembered, so that a callback can adopt it if the answer is lost.
pub struct ReserveSend {
    /// The session that it creates.
    pub new: NewSession,
    /// The page that requests it, which works once.
    pub page: Option<Key>,
    /// The limits on the send.
    pub limits: SendLimits,
    /// The request's idempotency key, if any.
    pub claim: Option<IdempotencyClaim>,
    /// The id of the request, which is logged with the status of the delivery.
    pub request_id: String,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for ReserveSend {
    type Outcome = Reserved<SendReservation>;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let mut keys = self.limits.keys(&self.rules);
        keys.push(self.new.key.clone());
        keys.extend(self.page.clone());
        keys.extend(find_answer::keys(self.claim.as_ref()));
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Self::Outcome, Unreadable> {
        if let Some(found) = find_answer::find(rows, &self.rules, self.claim.as_ref())? {
            return Ok(found.into());
        }
        if let Some(page) = &self.page
            && !PageRow::may_press(rows, page)?
        {
            return Ok(Reserved::Over(SessionOver::Expired));
        }
        let evaluation = Evaluation::of(rows, &self.rules, &self.limits, false)?;
        if let Some(wait) = evaluation.wait() {
            evaluation.refuse(rows);
            return Ok(Reserved::Wait(wait));
        }
        if let Some(claim) = &self.claim {
            idempotency::claim(rows, claim);
        }
        if let Some(page) = &self.page {
            PageRow::press(rows, page, true)?;
        }
        let row = SessionRow::reserved(&self.new, &self.rules, rows.now());
        row.save(rows, &self.new.key);
        let reserved = evaluation.reserve(
            rows,
            Asked {
                session: &self.new.key,
                channel: self.new.channel,
                claim: self.claim.clone(),
                request_id: self.request_id.clone(),
            },
        );
        Ok(Reserved::Reserved(SendReservation {
            page: self.page.clone(),
            ..reserved
        }))
    }
}
