//! Steps beside sends and checks: pages, things that are used once, leases, and records.
//! They run one after the other, and each outcome is compared with a plain model.

mod known;
mod pages;
mod queues;
mod record;
mod runs;
mod single_use;

use countersign_core::{Rows, Transition};
use countersign_store::{Commit, CommitOutcome};

use crate::world::World;

impl World {
    /// Runs steps of one kind, drawn for each schedule.
    pub(crate) fn check_what_is_beside(&mut self) {
        match self.random.index(6) {
            0 => self.check_pages(),
            1 => self.check_single_use(),
            2 => self.check_queues(),
            3 => self.check_runs(),
            4 => self.check_known_numbers(),
            _ => self.check_the_record(),
        }
    }

    /// Runs a step alone.
    pub(crate) fn execute<T: Transition>(&mut self, step: &T) -> T::Outcome {
        self.execute_guarded(step).0
    }

    /// The same. Also returns whether it wrote, and its writes survive the loss of a
    /// primary.
    fn execute_guarded<T: Transition>(&mut self, step: &T) -> (T::Outcome, bool) {
        let snapshot = self.load(step);
        let mut rows = Rows::new(&snapshot.rows, snapshot.now);
        let outcome = step.apply(&mut rows).expect("rows are readable");
        let guards_single_use = rows.guards_single_use();
        let commit = Commit {
            now: snapshot.now,
            compare: snapshot.compare(),
            version: None,
            write: rows.into_writes(),
            deadline: countersign_core::Millis(u64::MAX),
            guards_single_use,
        };
        let is_done = self.store.commit_now(&commit) == CommitOutcome::Done;
        self.checker
            .require(is_done, || "a step alone has a conflict".to_owned());
        (outcome, guards_single_use)
    }
}
