//! Stopping sends, and starting them again, for the operator.

use crate::{
    Key, Rows, Stop, Transition, Unreadable, keys,
    stops::{STOPS_TTL, StopsRow},
};

/// Sets or lifts a stop, or only returns the stops. Every reservation reads them, so a
/// stop takes effect with this commit, over all instances.
pub struct SetStop {
    /// The stop, and whether it is set (true) or lifted.
    pub change: Option<(Stop, bool)>,
}

impl Transition for SetStop {
    /// All stops in force.
    type Outcome = Vec<Stop>;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![keys::stops()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Vec<Stop>, Unreadable> {
        let key = keys::stops();
        let mut row = rows.get::<StopsRow>(&key)?.unwrap_or_default();
        if let Some((stop, is_stopped)) = &self.change {
            row.set(stop, *is_stopped);
            if row.stops.is_empty() {
                rows.delete(&key);
            } else {
                let ends_at = rows.now().after(STOPS_TTL);
                rows.put(&key, &row, ends_at);
            }
        }
        Ok(row.stops)
    }
}
