//! The answer to a request that was made before under its idempotency key.

use std::sync::Arc;

use super::counters::Counters;
use crate::{
    IdempotencyClaim, Key, Repetition, Rows, SessionRules, Transition, Unreadable, Wait,
    idempotency,
};

/// Finds the answer to a repeated request whose step cannot start now. `None` if its key
/// is new, which leaves the key free.
pub struct FindAnswer {
    /// The request's key.
    pub claim: IdempotencyClaim,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for FindAnswer {
    type Outcome = Option<Result<Repetition, Wait>>;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(keys(Some(&self.claim)).collect())
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Self::Outcome, Unreadable> {
        find(rows, &self.rules, Some(&self.claim))
    }
}

/// The rows that [`find`] reads.
pub(crate) fn keys(claim: Option<&IdempotencyClaim>) -> impl Iterator<Item = Key> {
    claim.into_iter().flat_map(|claim| {
        let counters = Counters::keys(&claim.mismatch);
        counters.chain([claim.key.clone()])
    })
}

/// The state of the request, or `None` if it is new. Another body under a known key may
/// be a guess at the first one, and counts as a check by its caller, who has to wait if
/// the limit is full.
pub(crate) fn find(
    rows: &mut Rows<'_>,
    rules: &SessionRules,
    claim: Option<&IdempotencyClaim>,
) -> Result<Option<Result<Repetition, Wait>>, Unreadable> {
    let Some(claim) = claim else {
        return Ok(None);
    };
    let Some(repeated) = idempotency::repeated(rows, claim)? else {
        return Ok(None);
    };
    if repeated.is_mismatch {
        let checks = &claim.mismatch;
        let mut counters = Counters::load(rows, rules, None, checks)?;
        let wait = counters.longest_wait(checks);
        if wait.is_none() {
            for check in checks {
                counters.take(check);
            }
        }
        counters.save(rows);
        if let Some(wait) = wait {
            return Ok(Some(Err(wait)));
        }
    }
    Ok(Some(Ok(repeated.repetition)))
}
