//! A bound on how many requests of one kind are at the store at once, so that
//! their number never stands in the way of other kinds.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::verification::Refusal;

/// How many of one kind are at the store at once. Beside these a store has no
/// reason to be slower than on a quiet day.
const MAX_AT_ONCE: usize = 64;
/// How long one waits for its turn. Longer than a burst takes.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The bulkheads of one application.
#[derive(Default)]
pub(super) struct Bulkheads {
    /// What reads a session: each answer, and each look of a stream.
    pub(super) reads: Bulkhead,
    /// What asks about proofs.
    pub(super) introspections: Bulkhead,
}

/// Permits for requests of one kind; a request that finds none waits at most `MAX_WAIT`.
pub(super) struct Bulkhead(Semaphore);

impl Default for Bulkhead {
    fn default() -> Self {
        Self(Semaphore::new(MAX_AT_ONCE))
    }
}

impl Bulkhead {
    /// Waits for a turn, first come, first served. It lasts as long as the permit.
    pub(super) async fn enter(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        match tokio::time::timeout(MAX_WAIT, self.0.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            // It is never closed: the wait was too long.
            Ok(Err(_)) | Err(_) => Err(Refusal::TemporarilyUnavailable {
                retry_after: MAX_WAIT,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_at_once_and_the_next_one_waits_a_moment() {
        let bulkhead = Bulkhead::default();
        let mut inside = Vec::new();
        for _ in 0..MAX_AT_ONCE {
            inside.push(bulkhead.enter().await.unwrap());
        }
        assert!(bulkhead.enter().await.is_err());
        let leaves = async {
            tokio::time::sleep(MAX_WAIT / 2).await;
            inside.pop();
        };
        let (entered, ()) = tokio::join!(bulkhead.enter(), leaves);
        assert!(entered.is_ok());
    }
}
