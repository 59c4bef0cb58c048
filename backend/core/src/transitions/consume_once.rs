//! Single use: consumes what may be used once, or reads whether it was.

use std::time::Duration;

use crate::{Key, Rows, Transition, Unreadable, single_use};

/// Consumes it; false if it was consumed before.
pub struct ConsumeOnce {
    /// The row to consume or read.
    pub key: Key,
    /// How long it is remembered.
    pub kept_for: Duration,
}

impl Transition for ConsumeOnce {
    type Outcome = bool;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![self.key.clone()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<bool, Unreadable> {
        rows.guard_single_use();
        single_use::consume(rows, &self.key, self.kept_for)
    }
}

/// Reads whether it was consumed.
pub struct IsConsumed {
    /// The row to consume or read.
    pub key: Key,
}

impl Transition for IsConsumed {
    type Outcome = bool;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![self.key.clone()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<bool, Unreadable> {
        single_use::is_consumed(rows, &self.key)
    }
}
