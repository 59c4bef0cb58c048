//! Recording Plivo's answer to a poll about deliveries.

use std::sync::Arc;

use crate::{
    AttemptUpdate, DeliveryChange, Key, Rows, SessionRules, Transition, Unreadable,
    UpstreamAttempt, delivery, upstream_session::UpstreamRow,
};

/// Merges updates into the attempts of one of Plivo's sessions.
pub struct RecordAttempts {
    /// The row of Plivo's session.
    pub upstream: Key,
    /// The updates.
    pub updates: Vec<AttemptUpdate>,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

/// The attempts of one of Plivo's sessions, and what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedAttempts {
    /// The deliveries whose status advanced: each change is reported once, over all
    /// instances.
    pub changes: Vec<DeliveryChange>,
    /// All attempts, oldest first.
    pub attempts: Vec<UpstreamAttempt>,
}

impl Transition for RecordAttempts {
    type Outcome = RecordedAttempts;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![self.upstream.clone()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<RecordedAttempts, Unreadable> {
        let mut row = UpstreamRow::load(rows, &self.upstream)?;
        let before = row.attempts.clone();
        let changes = delivery::merge(&mut row.attempts, &self.updates);
        if row.attempts != before {
            row.save(rows, &self.upstream, &self.rules);
        }
        Ok(RecordedAttempts {
            changes: row.delivery_changes(&changes),
            attempts: row.attempts,
        })
    }
}
