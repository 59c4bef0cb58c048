//! The answer to a request whose reservation is left as it is.

use crate::{Answer, IdempotencyClaim, Key, Millis, Rows, Transition, Unreadable, idempotency};

/// Stores the answer of a step that is neither recorded, settled nor released: Plivo
/// failed, and the reservation stays counted.
pub struct KeepAnswer {
    /// The request's key.
    pub claim: IdempotencyClaim,
    /// When it was claimed.
    pub claimed_at: Millis,
    /// The answer.
    pub answer: Answer,
}

impl Transition for KeepAnswer {
    type Outcome = ();

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![self.claim.key.clone()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        let answer = self.answer.clone();
        idempotency::answer(rows, &self.claim, self.claimed_at, answer)?;
        Ok(())
    }
}
