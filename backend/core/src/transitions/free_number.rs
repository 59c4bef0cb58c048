//! Resetting a number's waits, or erasing it, for the operator.

use std::sync::Arc;

use crate::{
    Key, Rows, SessionRules, Transition, Unreadable, keys, number::NumberRow, session::SessionRow,
};

/// Resets a number's waits and counts, or erases everything stored about it.
pub struct FreeNumber {
    /// The number's row.
    pub number: Key,
    /// Whether its sessions, its status as a known number and its counts are erased.
    pub forget: bool,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl FreeNumber {
    fn sessions(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        if !self.forget || !rows.is_loaded(&self.number) {
            return Ok(Vec::new());
        }
        let row = rows.get::<NumberRow>(&self.number)?.unwrap_or_default();
        let sessions = row.reserved.into_iter().map(|it| it.session);
        Ok(sessions.flat_map(|key| SessionRow::keys(&key)).collect())
    }
}

impl Transition for FreeNumber {
    /// Whether anything was stored about the number.
    type Outcome = bool;

    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let mut keys = vec![self.number.clone(), keys::known(&self.number)];
        keys.extend(self.sessions(rows)?);
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<bool, Unreadable> {
        let (row, now) = (rows.get::<NumberRow>(&self.number)?, rows.now());
        let is_known = rows.is_there(&keys::known(&self.number));
        let is_stored = row.as_ref().is_some_and(|row| !row.is_forgotten());
        let row = if self.forget {
            for key in self.sessions(rows)? {
                rows.delete(&key);
            }
            rows.delete(&keys::known(&self.number));
            row.map(|row| row.forgotten(now))
        } else {
            row.map(|row| row.freed(now))
        };
        if let Some(row) = row {
            rows.put(&self.number, &row, row.ends_at(&self.rules));
        }
        Ok(is_stored || (self.forget && is_known))
    }
}
