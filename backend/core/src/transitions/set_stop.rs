//! The operator stops sends, and starts them again.

use crate::{
    Key, Rows, Stop, Transition, Unreadable, keys,
    stops::{STOPS_TTL, StopsRow},
};

/// Begins or ends a stop, or only tells what is stopped. Every reservation reads it, so it
/// holds from this commit on, over all instances.
pub struct SetStop {
    /// What, and whether it is stopped from now on.
    pub change: Option<(Stop, bool)>,
}

impl Transition for SetStop {
    /// All that is stopped now.
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
