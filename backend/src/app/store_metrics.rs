//! Metrics of the store.

use std::{sync::Arc, time::Duration};

use countersign_metrics::Metrics;
use countersign_store::{CommitOutcome, Observer};

/// Counts steps and commits of the store.
pub(super) struct StoreMetrics(pub(super) Arc<Metrics>);

impl Observer for StoreMetrics {
    fn step(&self, name: &'static str, is_ok: bool, took: Duration) {
        self.0.store_step(name, is_ok, took);
    }

    fn commit(&self, members: usize, outcome: &CommitOutcome, took: Duration) {
        let outcome = match outcome {
            CommitOutcome::Done => "done",
            CommitOutcome::Conflict(_) => "conflict",
            CommitOutcome::NotRun => "not_run",
            CommitOutcome::Rejected => "rejected",
            CommitOutcome::Unreachable => "unreachable",
        };
        self.0.store_commit(members, outcome, took);
    }
}
