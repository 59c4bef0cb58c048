//! How long until a send would be accepted.

use std::{sync::Arc, time::Duration};

use super::send_limits::{Evaluation, SendLimits};
use crate::{Key, Rows, SessionRules, Transition, Unreadable};

/// Reads how long until a send would be accepted; it counts nothing.
pub struct SendWait {
    /// The limits on the send.
    pub limits: SendLimits,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for SendWait {
    type Outcome = Duration;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(self.limits.keys(&self.rules))
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Duration, Unreadable> {
        let evaluation = Evaluation::of(rows, &self.rules, &self.limits, false)?;
        let wait = evaluation.wait().map(|wait| wait.retry_after);
        Ok(wait.unwrap_or_default())
    }
}
