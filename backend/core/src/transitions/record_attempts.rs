//! What Plivo answered when it was asked how deliveries go.

use std::sync::Arc;

use countersign_shared::Channel;

use crate::{
    AttemptUpdate, Key, Rows, SessionRules, Transition, Unreadable, UpstreamAttempt, delivery,
    upstream_session::UpstreamRow,
};

/// Adds what was learned of the attempts of one of Plivo's sessions.
pub struct RecordAttempts {
    /// The row of Plivo's session.
    pub upstream: Key,
    /// What was learned.
    pub updates: Vec<AttemptUpdate>,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

/// The attempts of one of Plivo's sessions, and what is new of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedAttempts {
    /// By which channels an attempt is known to have arrived that was not before:
    /// each once, over all instances.
    pub arrived: Vec<Channel>,
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
        let arrived = delivery::merge(&mut row.attempts, &self.updates);
        if row.attempts != before {
            row.save(rows, &self.upstream, &self.rules);
        }
        Ok(RecordedAttempts {
            arrived,
            attempts: row.attempts,
        })
    }
}
