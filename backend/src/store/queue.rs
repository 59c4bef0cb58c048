//! The steps of the store that are under way, and when no more should begin.
//!
//! A burst is served: it passes. But where the queue stands for a while, more come
//! than go, and everybody would wait ever longer. From then on it is kept short,
//! and who finds it full hears so at once.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A queue that long is worth a look: with fewer steps a store has no reason to
/// be slower than on a quiet day.
const LONG: usize = 48;
/// Beside [`LONG`], who has a code to check still finds room.
const LONG_FOR_CHECKS: usize = 64;
/// How long a queue stands before it is kept short, and how long it is kept short
/// after the last refusal.
const STANDS: Duration = Duration::from_secs(1);
/// No burst is as large.
const MOST: usize = 2000;

/// What begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A send or resend.
    Send,
    /// A check.
    Check,
}

/// See the module. Clones are the same queue.
#[derive(Clone, Default)]
pub struct Queue(Arc<Mutex<Crowd>>);

impl Queue {
    /// Whether one more may begin.
    pub fn has_room(&self, kind: Kind) -> bool {
        self.crowd().has_room(kind, Instant::now())
    }

    /// A step begins.
    pub(super) fn enter(&self) -> Step<'_> {
        self.crowd().enter(Instant::now());
        Step(self)
    }

    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One step, as long as it takes.
pub(super) struct Step<'a>(&'a Queue);

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.0.crowd().leave();
    }
}

#[derive(Default)]
struct Crowd {
    length: usize,
    long_since: Option<Instant>,
    refused_at: Option<Instant>,
}

impl Crowd {
    fn enter(&mut self, now: Instant) {
        self.length += 1;
        if self.length >= LONG {
            self.long_since.get_or_insert(now);
        }
    }

    fn leave(&mut self) {
        self.length -= 1;
        if self.length < LONG {
            self.long_since = None;
        }
    }

    fn has_room(&mut self, kind: Kind, now: Instant) -> bool {
        let stands = self.long_since.is_some_and(|since| now >= since + STANDS);
        let is_kept_short = self.refused_at.is_some_and(|at| now < at + STANDS);
        let most = match kind {
            _ if !stands && !is_kept_short => MOST,
            Kind::Send => LONG,
            Kind::Check => LONG_FOR_CHECKS,
        };
        let has_room = self.length < most;
        if !has_room {
            self.refused_at = Some(now);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_standing_queue_is_kept_short_until_it_is_over() {
        let (mut crowd, start) = (Crowd::default(), Instant::now());
        for _ in 0..200 {
            assert!(crowd.has_room(Kind::Send, start));
            crowd.enter(start);
        }
        let later = start + STANDS;
        assert!(!crowd.has_room(Kind::Send, later));
        assert!(!crowd.has_room(Kind::Check, later));
        for _ in 0..(200 - LONG) {
            crowd.leave();
        }
        // It is short enough for checks, and stays so for sends.
        assert!(crowd.has_room(Kind::Check, later));
        assert!(!crowd.has_room(Kind::Send, later));
        crowd.leave();
        assert!(crowd.has_room(Kind::Send, later));
        crowd.enter(later);
        assert!(!crowd.has_room(Kind::Send, later + STANDS / 2));
        crowd.leave();
        // A second without a refusal: bursts are served again.
        let quiet = later + STANDS * 2;
        for _ in 0..100 {
            assert!(crowd.has_room(Kind::Send, quiet));
            crowd.enter(quiet);
        }
    }
}
