//! Turns to poll Plivo about deliveries.

use std::{sync::Arc, time::Duration};

use crate::{
    Key, Rows, SessionRules, Transition, Unreadable, UpstreamAttempt, upstream_session::UpstreamRow,
};

/// Reads the attempts of one of Plivo's sessions. Once per interval, over all instances,
/// one caller gets the turn to poll Plivo.
pub struct PollTurn {
    /// The row of Plivo's session.
    pub upstream: Key,
    /// The interval between two turns.
    pub interval: Duration,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

/// The known attempts, and whether to poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// All attempts, oldest first.
    pub attempts: Vec<UpstreamAttempt>,
    /// True for one caller per interval: it polls Plivo.
    pub is_turn: bool,
}

impl Transition for PollTurn {
    type Outcome = Poll;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![self.upstream.clone()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Poll, Unreadable> {
        let mut row = UpstreamRow::load(rows, &self.upstream)?;
        let is_turn = row.take_turn(self.interval, rows.now());
        if is_turn {
            row.save(rows, &self.upstream, &self.rules);
        }
        Ok(Poll {
            attempts: row.attempts,
            is_turn,
        })
    }
}
