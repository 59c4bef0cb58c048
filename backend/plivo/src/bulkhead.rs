//! A bulkhead: bounds the calls of Plivo under way.
//!
//! A caller who gets no permit is refused at once, so that nobody queues behind a Plivo
//! that hangs. A share is reserved for checks, so a flood of sends does not block people
//! who have their code.

use std::{num::NonZeroU16, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use countersign_metrics::UpstreamCall;

/// The share that only checks may use: one permit in this many.
const SHARE_FOR_CHECKS: u16 = 5;

/// Permits for calls of Plivo.
pub(crate) struct Bulkhead {
    all: Arc<Semaphore>,
    /// Needed in addition by everything except checks.
    not_for_checks: Arc<Semaphore>,
}

/// A permit for one call, returned when it is dropped.
#[must_use = "it is held as long as the call takes"]
pub(crate) struct Permit {
    _all: OwnedSemaphorePermit,
    _not_for_checks: Option<OwnedSemaphorePermit>,
}

impl Bulkhead {
    pub(crate) fn new(count: NonZeroU16) -> Self {
        let count = count.get();
        let for_checks = count.div_ceil(SHARE_FOR_CHECKS);
        Self {
            all: Arc::new(Semaphore::new(count.into())),
            not_for_checks: Arc::new(Semaphore::new((count - for_checks).into())),
        }
    }

    /// A permit, if one is free.
    pub(crate) fn try_acquire(&self, call: UpstreamCall) -> Option<Permit> {
        let not_for_checks = match call {
            UpstreamCall::Validate => None,
            UpstreamCall::Create | UpstreamCall::Retrieve => {
                Some(self.not_for_checks.clone().try_acquire_owned().ok()?)
            }
        };
        Some(Permit {
            _all: self.all.clone().try_acquire_owned().ok()?,
            _not_for_checks: not_for_checks,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_is_kept_for_checks() {
        let bulkhead = Bulkhead::new(NonZeroU16::new(10).unwrap());
        let sends: Vec<_> = (0..20)
            .filter_map(|_| bulkhead.try_acquire(UpstreamCall::Create))
            .collect();
        assert_eq!(sends.len(), 8);
        assert!(bulkhead.try_acquire(UpstreamCall::Retrieve).is_none());
        let checks: Vec<_> = (0..20)
            .filter_map(|_| bulkhead.try_acquire(UpstreamCall::Validate))
            .collect();
        assert_eq!(checks.len(), 2);
        drop(sends);
        assert!(bulkhead.try_acquire(UpstreamCall::Create).is_some());
    }
}
