//! Collects what Plivo charged for every session, also for those that nobody watches.

use countersign_core::{AttemptUpdate, MicroDollars, transitions::RecordAttempts};
use countersign_plivo::{Retrieved, UpstreamStatus};

use super::{Refusal, Verification, charge_queue::Waiting, store_deadline};

/// Codes asked for in one go, which is once a second: of the 60 requests a second that
/// Plivo allows an account (reference: transport) the sends need the most.
const MAX_AT_ONCE: usize = 5;

/// What Plivo says of a code's charges.
enum Collected {
    /// All of them.
    All,
    /// Not all.
    Some,
    /// Nothing: it did not answer, or the store did not.
    Nothing,
}

impl Verification {
    /// Asks Plivo for the charges that are due, within its limits.
    pub async fn collect_charges(&self) {
        let (queue, lifetime) = (&self.charge_queue, self.rules.session_lifetime);
        for _ in 0..MAX_AT_ONCE {
            let now = self.clock.now();
            let Some(waiting) = queue.pop(now) else {
                return;
            };
            match self.collect(&waiting).await {
                Collected::All => {}
                Collected::Some => queue.asked(waiting, now, lifetime),
                Collected::Nothing => queue.unanswered(waiting, now, lifetime),
            }
        }
    }

    async fn collect(&self, waiting: &Waiting) -> Collected {
        let Ok(retrieved) = self.plivo.retrieve(&waiting.upstream_id).await else {
            return Collected::Nothing;
        };
        let is_final = is_final(&retrieved);
        match self.keep_collected(waiting, retrieved).await {
            Err(_) => Collected::Nothing,
            Ok(()) if is_final => Collected::All,
            Ok(()) => Collected::Some,
        }
    }

    async fn keep_collected(&self, waiting: &Waiting, retrieved: Retrieved) -> Result<(), Refusal> {
        let upstream = self.keys.upstream_key(&waiting.upstream_id);
        let about = (waiting.country, &waiting.application);
        let session = waiting.session.clone();
        self.book(session, &upstream, about, retrieved.charges)
            .await?;
        let updates = retrieved.attempts.into_iter().enumerate();
        let record = RecordAttempts {
            upstream,
            updates: updates
                .map(|(index, attempt)| AttemptUpdate { index, attempt })
                .collect(),
            rules: self.rules.clone(),
        };
        let recorded = self.store.run(record, store_deadline()).await?;
        self.note_changes(&recorded.changes, waiting.country, &waiting.upstream_id, "");
        Ok(())
    }
}

/// Whether nothing can follow: the session is over, and each attempt has a price.
fn is_final(retrieved: &Retrieved) -> bool {
    let attempts = &retrieved.charges.attempts;
    let are_priced = attempts.iter().all(|(_, price)| *price > MicroDollars(0));
    retrieved.status != UpstreamStatus::InProgress && !attempts.is_empty() && are_priced
}
