//! Leases of queues of charges, and what is in them.

use std::time::Duration;

use crate::{
    Key, Rows, Sealed, Transition, Unreadable,
    charge_queue::{ChargeRow, Lease, MAX_QUEUES, QUEUE_LEASE, QueuedCharge, QueuesRow},
    keys,
};

/// Renews the leases of a process, and takes over queues whose processes are gone.
pub struct LeaseQueues {
    /// The queues that it serves.
    pub served: Vec<String>,
    /// Those that it needs no longer.
    pub done: Vec<String>,
    /// How long anything in a queue is kept.
    pub kept_for: Duration,
}

impl Transition for LeaseQueues {
    /// The queues that it serves from now on, beside its own.
    type Outcome = Vec<String>;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![keys::charge_queues()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Vec<String>, Unreadable> {
        let (key, now) = (keys::charge_queues(), rows.now());
        let mut row = rows.get::<QueuesRow>(&key)?.unwrap_or_default();
        // Those that nobody has renewed for so long are empty.
        row.queues.retain(|it| {
            let is_ours = self.served.contains(&it.queue) || self.done.contains(&it.queue);
            !is_ours && it.renewed_at.after(self.kept_for) > now
        });
        let mut taken = Vec::new();
        for lease in &mut row.queues {
            // A moment ahead is from before the clock was set back.
            lease.renewed_at = lease.renewed_at.min(now);
            if lease.renewed_at.after(QUEUE_LEASE) <= now {
                lease.renewed_at = now;
                taken.push(lease.queue.clone());
            }
        }
        row.queues.extend(self.served.iter().map(|queue| Lease {
            queue: queue.clone(),
            renewed_at: now,
        }));
        let too_many = row.queues.len().saturating_sub(MAX_QUEUES);
        row.queues.sort_by_key(|it| it.renewed_at);
        row.queues.drain(..too_many);
        rows.put(&key, &row, now.after(self.kept_for));
        Ok(taken)
    }
}

/// Queues a code on its own.
pub struct QueueCharge {
    /// The code.
    pub charge: QueuedCharge,
}

impl Transition for QueueCharge {
    type Outcome = ();

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![self.charge.row.clone()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        self.charge.save(rows);
        Ok(())
    }
}

/// Reads what is queued.
pub struct ViewQueue {
    /// The rows.
    pub rows: Vec<Key>,
}

impl Transition for ViewQueue {
    /// The content of each that is there.
    type Outcome = Vec<Option<Sealed>>;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(self.rows.clone())
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Self::Outcome, Unreadable> {
        let read = |key| Ok(rows.get::<ChargeRow>(key)?.map(|row| row.content));
        self.rows.iter().map(read).collect()
    }
}
