//! Whether the last run of an instance ended as it was told to.

use std::time::Duration;

use crate::{Key, Millis, Rows, Transition, Unreadable, run::RunRow};

/// An instance that did not come back within that time never will.
const RUN_TTL: Duration = Duration::from_hours(30 * 24);

/// Marks that a run has begun. Answers when the last one of the instance had begun, where
/// that did not end.
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

/// Marks that the run has ended as it was told to.
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
