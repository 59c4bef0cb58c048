//! Reserving a check, before Plivo is called.

use std::sync::Arc;

use super::{
    counters::Counters,
    find_answer,
    reservation::{CheckReservation, Reserved},
};
use crate::{
    ApplicationId, IdempotencyClaim, Key, Limit, LimitCheck, Quota, Rows, SessionOver,
    SessionRules, Transition, Unreadable, idempotency, rate_limit, session::SessionRow,
};

/// Reserves a check: the session has one less, limits count it, and its idempotency key
/// is claimed. It counts as wrong until Plivo says that it is right, so that concurrent
/// checks cannot exceed the limit.
pub struct ReserveCheck {
    /// The session's row.
    pub session: Key,
    /// The application whose key the call came with, if any.
    pub application: Option<ApplicationId>,
    /// The limit on wrong codes for the session's number, whatever the session.
    pub wrong_per_number: Vec<Quota>,
    /// The other limits that it uses.
    pub checks: Vec<LimitCheck>,
    /// The request's idempotency key, if any.
    pub claim: Option<IdempotencyClaim>,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for ReserveCheck {
    type Outcome = Reserved<CheckReservation>;

    /// The number is named in the session's row.
    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let mut keys = SessionRow::keys(&self.session).to_vec();
        keys.extend(Counters::keys(&self.checks));
        keys.extend(find_answer::keys(self.claim.as_ref()));
        if rows.is_loaded(&self.session)
            && let Some(row) = rows.get::<SessionRow>(&self.session)?
        {
            keys.push(row.number);
        }
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Self::Outcome, Unreadable> {
        if let Some(found) = find_answer::find(rows, &self.rules, self.claim.as_ref())? {
            return Ok(found.into());
        }
        let mut row = match SessionRow::open(rows, &self.session, self.application.as_ref())? {
            Ok(row) => row,
            Err(over) => return Ok(Reserved::Over(over)),
        };
        // The last check is in progress; its result decides the status.
        if row.checks_left == 0 {
            return Ok(Reserved::Over(SessionOver::ChecksExhausted));
        }
        let checks = self.limit_checks(&row.number);
        let number = Some(&row.number);
        let mut counters = Counters::load(rows, &self.rules, number, &checks)?;
        if let Some(wait) = counters.longest_wait(&checks) {
            counters.save(rows);
            return Ok(Reserved::Wait(wait));
        }
        let taken = checks.iter().map(|check| counters.take(check)).collect();
        counters.save(rows);
        row.checks_left -= 1;
        row.save(rows, &self.session);
        if let Some(claim) = &self.claim {
            idempotency::claim(rows, claim);
        }
        let Some(session) = row.seen(rows.now()) else {
            return Ok(Reserved::Over(SessionOver::NotFound));
        };
        Ok(Reserved::Reserved(CheckReservation {
            key: self.session.clone(),
            session,
            reserved_at: rows.now(),
            taken,
            claim: self.claim.clone(),
        }))
    }
}

impl ReserveCheck {
    fn limit_checks(&self, number: &Key) -> Vec<LimitCheck> {
        let quotas = &self.wrong_per_number;
        let wrong = rate_limit::once(Limit::WrongChecksPerNumber, number, quotas);
        let wrong = Some(wrong).filter(|check| !check.quotas.is_empty());
        wrong
            .into_iter()
            .chain(self.checks.iter().cloned())
            .collect()
    }
}
