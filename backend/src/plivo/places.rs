//! How many calls of Plivo are under way at once.
//!
//! Who finds no place is told so at once: nobody queues behind a Plivo that
//! hangs. Checks find a place where sends do not, so that a flood of sends keeps
//! nobody from finishing.

use std::{num::NonZeroU16, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::UpstreamCall;

/// The share that only checks may use: one in so many.
const KEPT_FOR_CHECKS: u16 = 5;

/// See the module.
pub(super) struct Places {
    all: Arc<Semaphore>,
    /// What everything but a check needs too.
    not_kept: Arc<Semaphore>,
}

/// Given back when dropped.
#[must_use = "it is held as long as the call takes"]
pub(super) struct Place {
    _place: OwnedSemaphorePermit,
    _not_kept: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new(count: NonZeroU16) -> Self {
        let count = count.get();
        let kept = count.div_ceil(KEPT_FOR_CHECKS);
        Self {
            all: Arc::new(Semaphore::new(count.into())),
            not_kept: Arc::new(Semaphore::new((count - kept).into())),
        }
    }

    /// Whether there is one, without taking it.
    pub(super) fn has_room(&self, call: UpstreamCall) -> bool {
        self.all.available_permits() > 0
            && (call == UpstreamCall::Validate || self.not_kept.available_permits() > 0)
    }

    /// A place, where there is one.
    pub(super) fn take(&self, call: UpstreamCall) -> Option<Place> {
        let not_kept = match call {
            UpstreamCall::Validate => None,
            UpstreamCall::Create | UpstreamCall::Retrieve => {
                Some(self.not_kept.clone().try_acquire_owned().ok()?)
            }
        };
        Some(Place {
            _place: self.all.clone().try_acquire_owned().ok()?,
            _not_kept: not_kept,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_is_kept_for_checks() {
        let places = Places::new(NonZeroU16::new(10).unwrap());
        let sends: Vec<_> = (0..20)
            .filter_map(|_| places.take(UpstreamCall::Create))
            .collect();
        assert_eq!(sends.len(), 8);
        assert!(places.take(UpstreamCall::Retrieve).is_none());
        assert!(!places.has_room(UpstreamCall::Create));
        let checks: Vec<_> = (0..20)
            .filter_map(|_| places.take(UpstreamCall::Validate))
            .collect();
        assert_eq!(checks.len(), 2);
        assert!(!places.has_room(UpstreamCall::Validate));
        drop(sends);
        assert!(places.has_room(UpstreamCall::Create));
    }
}
