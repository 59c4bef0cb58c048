//! The lease on a sandbox's simulator, which holds the codes. Each process has its own,
//! so a second one over the same store would not know the codes of the first.

use std::time::Duration;

use crate::{Key, Rows, Transition, Unreadable, keys, run::SimulatorRow};

/// How long the lease lasts without being renewed; its process renews it every half
/// minute.
pub const SIMULATOR_LEASE: Duration = Duration::from_secs(75);

/// Takes or renews the lease, unless another process holds it.
pub struct HoldSimulator {
    /// This process.
    pub owner: String,
    /// A process that is known to be gone, whose lease may be taken.
    pub gone: Option<String>,
}

impl Transition for HoldSimulator {
    /// `Err` with the process that holds it instead.
    type Outcome = Result<(), String>;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![keys::simulator()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Self::Outcome, Unreadable> {
        let key = keys::simulator();
        let held = rows.get::<SimulatorRow>(&key)?;
        let is_ours =
            |it: &SimulatorRow| it.owner == self.owner || Some(&it.owner) == self.gone.as_ref();
        if let Some(other) = held.filter(|it| !is_ours(it)) {
            return Ok(Err(other.owner));
        }
        let owner = self.owner.clone();
        rows.put(
            &key,
            &SimulatorRow { owner },
            rows.now().after(SIMULATOR_LEASE),
        );
        Ok(Ok(()))
    }
}

/// Releases the lease, if this process holds it.
pub struct ReleaseSimulator {
    /// This process.
    pub owner: String,
}

impl Transition for ReleaseSimulator {
    type Outcome = ();

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![keys::simulator()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        let key = keys::simulator();
        if rows
            .get::<SimulatorRow>(&key)?
            .is_some_and(|it| it.owner == self.owner)
        {
            rows.delete(&key);
        }
        Ok(())
    }
}
