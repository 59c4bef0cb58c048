//! How much of a limit is used.

use std::sync::Arc;

use super::counters::Counters;
use crate::{Key, LimitCheck, Rows, SessionRules, Transition, Unreadable};

/// Reads how much of each of a limit's quotas is used.
pub struct LimitUsed {
    /// The limit and its subject.
    pub check: LimitCheck,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for LimitUsed {
    type Outcome = Vec<u64>;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![self.check.row.clone()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Vec<u64>, Unreadable> {
        let checks = std::slice::from_ref(&self.check);
        let number = super::counters::is_of_number(self.check.limit).then_some(&self.check.row);
        let mut counters = Counters::load(rows, &self.rules, number, checks)?;
        Ok(counters.used(&self.check))
    }
}
