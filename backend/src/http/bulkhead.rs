//! Bulkheads: bound the concurrent store requests of one kind, so that they never crowd out
//! other kinds.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::verification::Refusal;

/// Permits per bulkhead, few enough not to slow the store for others.
const MAX_AT_ONCE: usize = 64;
/// Maximum wait for a permit, longer than a burst.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The bulkheads of one application.
#[derive(Default)]
pub(super) struct Bulkheads {
    /// Session reads: each response, and each poll of a stream.
    pub(super) reads: Bulkhead,
    /// Introspection.
    pub(super) introspections: Bulkhead,
}

/// Permits for requests of one kind; a request waits for one at most `MAX_WAIT`.
pub(super) struct Bulkhead(Semaphore);

impl Default for Bulkhead {
    fn default() -> Self {
        Self(Semaphore::new(MAX_AT_ONCE))
    }
}

impl Bulkhead {
    /// Waits for a permit, in order of arrival.
    pub(super) async fn enter(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        match tokio::time::timeout(MAX_WAIT, self.0.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphore is never closed, so this is the timeout.
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
