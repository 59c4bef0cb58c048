//! Detection of crashes: whether an instance's last run shut down properly.

use std::time::Duration;

use crate::{Key, Millis, Rows, Transition, Unreadable, run::RunRow};

/// How long a run is remembered: an instance that has not come back by then never will.
const RUN_TTL: Duration = Duration::from_hours(30 * 24);

/// Records the start of a run. Returns when the instance's last run started, if that did
/// not end properly.
pub struct BeginRun {
    /// The instance's row.
    pub instance: Key,
}

impl Transition for BeginRun {
    type Outcome = Option<Millis>;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![self.instance.clone()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Option<Millis>, Unreadable> {
        let last = rows.get::<RunRow>(&self.instance)?;
        let began_at = rows.now();
        rows.put(
            &self.instance,
            &RunRow { began_at },
            began_at.after(RUN_TTL),
        );
        Ok(last.map(|run| run.began_at))
    }
}

/// Records that the run ended properly.
pub struct EndRun {
    /// The instance's row.
    pub instance: Key,
}

impl Transition for EndRun {
    type Outcome = ();

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![self.instance.clone()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        rows.delete(&self.instance);
        Ok(())
    }
}
