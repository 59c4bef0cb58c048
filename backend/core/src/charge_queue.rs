//! The queue of codes whose charges are to be collected, as the store keeps it: so that it
//! outlives the process that sent them.
//!
//! A process counts up the names of its rows, one for each code, written in the commit
//! that records the code. Its queue is leased. Whoever finds that a lease was not renewed
//! takes the queue over, and finds the rows by their names.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Key, Millis, Row, Rows, Sealed};

/// How long a queue stays with its process without word of it, which renews it every half
/// minute.
pub const QUEUE_LEASE: Duration = Duration::from_mins(2);
/// Queues that are known at once; beyond, the one that was renewed first is forgotten.
pub(crate) const MAX_QUEUES: usize = 128;

/// A code whose charges are to be collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedCharge {
    /// Its row.
    pub row: Key,
    /// What has to be known to collect them, sealed.
    pub content: Sealed,
    /// How long they may be collected.
    pub kept_for: Duration,
}

impl QueuedCharge {
    pub(crate) fn save(&self, rows: &mut Rows<'_>) {
        let row = ChargeRow {
            content: self.content.clone(),
        };
        let ends_at = rows.now().after(self.kept_for);
        rows.put(&self.row, &row, ends_at);
    }
}

/// The row of one code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChargeRow {
    pub(crate) content: Sealed,
}

impl Row for ChargeRow {
    const KIND: &'static str = "charge";
}

/// The row of all queues.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QueuesRow {
    pub(crate) queues: Vec<Lease>,
}

/// A queue, and when its process last renewed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub(crate) queue: String,
    pub(crate) renewed_at: Millis,
}

impl Row for QueuesRow {
    const KIND: &'static str = "charge_queues";
}
