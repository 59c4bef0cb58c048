//! Admission: so many requests may use the store at once, and a share of them is
//! kept for those who have a code to check. Whoever finds it full hears so at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What asks to be admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A send or resend.
    Send,
    /// A check.
    Check,
}

/// Clones share one count.
#[derive(Clone)]
pub struct Bulkhead {
    all: Arc<Semaphore>,
    sends: Arc<Semaphore>,
}

/// A place in the bulkhead, until it is dropped.
#[must_use = "the place is given back when this is dropped"]
pub struct Permit {
    _all: OwnedSemaphorePermit,
    _sends: Option<OwnedSemaphorePermit>,
}

impl Bulkhead {
    /// Admits `size` at once, of which `for_checks` are kept for checks.
    pub fn new(size: usize, for_checks: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(size)),
            sends: Arc::new(Semaphore::new(size.saturating_sub(for_checks))),
        }
    }

    /// A place, if there is one.
    pub fn try_enter(&self, kind: Kind) -> Option<Permit> {
        let sends = match kind {
            Kind::Send => Some(self.sends.clone().try_acquire_owned().ok()?),
            Kind::Check => None,
        };
        Some(Permit {
            _all: self.all.clone().try_acquire_owned().ok()?,
            _sends: sends,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_have_a_share_that_sends_do_not_take() {
        let bulkhead = Bulkhead::new(3, 1);
        let sends: Vec<Permit> = (0..2)
            .map(|_| bulkhead.try_enter(Kind::Send).unwrap())
            .collect();
        assert!(bulkhead.try_enter(Kind::Send).is_none());
        let check = bulkhead.try_enter(Kind::Check).unwrap();
        assert!(bulkhead.try_enter(Kind::Check).is_none());
        drop(sends);
        let checks: Vec<Permit> = (0..2)
            .map(|_| bulkhead.try_enter(Kind::Check).unwrap())
            .collect();
        // Room in the share of sends, but none at all.
        assert!(bulkhead.try_enter(Kind::Send).is_none());
        drop((check, checks));
        assert!(bulkhead.try_enter(Kind::Send).is_some());
    }
}
