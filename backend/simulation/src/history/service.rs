//! The store, its clock, and steps that run alone.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use countersign_core::{Key, Millis, Rows, Transition, Write};
use countersign_platform::clock::Clock;
use countersign_store::{Commit, CommitOutcome, MemoryStore, Snapshot};

use crate::clock::SimClock;

pub(super) struct Service {
    clock: SimClock,
    store: MemoryStore,
}

impl Service {
    pub(super) fn new() -> Self {
        let clock = SimClock::new();
        let store = MemoryStore::new(Arc::new(clock.clone()));
        Self { clock, store }
    }

    pub(super) fn now(&self) -> Millis {
        self.clock.now().into()
    }

    pub(super) fn pass(&self, milliseconds: u64) {
        self.clock.advance(Duration::from_millis(milliseconds));
    }

    /// Sets the clock. What has expired by then is gone for good.
    pub(super) fn set(&self, now: Millis) {
        self.store.sweep();
        self.clock.set(now);
    }

    /// What a step would do now.
    pub(super) fn read<T: Transition>(&self, step: &T) -> T::Outcome {
        self.apply(step).0
    }

    /// Runs a step.
    pub(super) fn run<T: Transition>(&self, step: &T) -> T::Outcome {
        self.run_guarded(step).0
    }

    /// Runs a step. Also returns whether its writes must survive the loss of a primary.
    pub(super) fn run_guarded<T: Transition>(&self, step: &T) -> (T::Outcome, bool) {
        let (outcome, snapshot, write, is_guarded) = self.apply(step);
        let now = snapshot.now;
        let done = self.store.commit_now(&Commit {
            now,
            compare: snapshot.compare(),
            version: None,
            write,
            deadline: now.after(Duration::from_secs(1)),
            guards_single_use: is_guarded,
        });
        assert_eq!(done, CommitOutcome::Done, "nobody else writes");
        (outcome, is_guarded)
    }

    fn apply<T: Transition>(&self, step: &T) -> (T::Outcome, Snapshot, BTreeMap<Key, Write>, bool) {
        let mut snapshot = self.store.load_now(&[]);
        loop {
            let rows = Rows::new(&snapshot.rows, snapshot.now);
            let keys = step.keys(&rows).expect("rows are readable");
            if keys.iter().all(|key| rows.is_loaded(key)) {
                break;
            }
            snapshot = self.store.load_now(&keys);
        }
        let mut rows = Rows::new(&snapshot.rows, snapshot.now);
        let outcome = step.apply(&mut rows).expect("rows are readable");
        let is_guarded = rows.guards_single_use();
        let write = rows.into_writes();
        (outcome, snapshot, write, is_guarded)
    }
}
