//! The steps of sends and of checks that are under way in the store, and when no
//! more should begin.
//!
//! A burst is served: it passes. But where a queue stands for a while, more come
//! than go, and everybody would wait ever longer. From then on it is kept short,
//! and who finds it full hears so at once. Sends and checks have a queue each, and
//! nothing else is counted in either: what reads a session cannot keep anybody from
//! sending, and a flood of sends keeps nobody from finishing. Everything else is
//! bounded where it comes in, so that these two always find room in the store.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long a queue stands before it is kept short, and how long it is kept short
/// after the last refusal.
const STANDS: Duration = Duration::from_secs(1);

/// What begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A send or resend.
    Send,
    /// A check.
    Check,
}

impl Kind {
    /// A queue that long is worth a look: with fewer steps a store has no reason to
    /// be slower than on a quiet day.
    const fn long(self) -> usize {
        match self {
            Self::Send => 48,
            Self::Check => 64,
        }
    }

    /// No burst is as large. Both together, with all that is bounded elsewhere,
    /// are fewer than the store takes.
    const fn most(self) -> usize {
        match self {
            Self::Send => 1000,
            Self::Check => 800,
        }
    }
}

/// See the module. Clones are the same queues.
#[derive(Clone, Default)]
pub struct Queue {
    sends: Arc<Mutex<Crowd>>,
    checks: Arc<Mutex<Crowd>>,
}

impl Queue {
    /// Whether one more may begin.
    pub fn has_room(&self, kind: Kind) -> bool {
        self.crowd(kind).has_room(kind, Instant::now())
    }

    /// A step begins, and is under way as long as what this answers lives.
    pub fn enter(&self, kind: Kind) -> Step<'_> {
        self.crowd(kind).enter(kind, Instant::now());
        Step { queue: self, kind }
    }

    fn crowd(&self, kind: Kind) -> MutexGuard<'_, Crowd> {
        let crowd = match kind {
            Kind::Send => &self.sends,
            Kind::Check => &self.checks,
        };
        crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One step, as long as it takes.
#[must_use = "it is under way as long as this lives"]
pub struct Step<'a> {
    queue: &'a Queue,
    kind: Kind,
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.queue.crowd(self.kind).leave(self.kind);
    }
}

#[derive(Default)]
struct Crowd {
    length: usize,
    long_since: Option<Instant>,
    refused_at: Option<Instant>,
}

impl Crowd {
    fn enter(&mut self, kind: Kind, now: Instant) {
        self.length += 1;
        if self.length >= kind.long() {
            self.long_since.get_or_insert(now);
        }
    }

    fn leave(&mut self, kind: Kind) {
        self.length -= 1;
        if self.length < kind.long() {
            self.long_since = None;
        }
    }

    fn has_room(&mut self, kind: Kind, now: Instant) -> bool {
        let stands = self.long_since.is_some_and(|since| now >= since + STANDS);
        let is_kept_short = self.refused_at.is_some_and(|at| now < at + STANDS);
        let most = if stands || is_kept_short {
            kind.long()
        } else {
            kind.most()
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
        for kind in [Kind::Send, Kind::Check] {
            let (mut crowd, start) = (Crowd::default(), Instant::now());
            for _ in 0..200 {
                assert!(crowd.has_room(kind, start));
                crowd.enter(kind, start);
            }
            let later = start + STANDS;
            assert!(!crowd.has_room(kind, later));
            for _ in 0..(200 - kind.long()) {
                crowd.leave(kind);
            }
            assert!(!crowd.has_room(kind, later));
            crowd.leave(kind);
            assert!(crowd.has_room(kind, later));
            crowd.enter(kind, later);
            assert!(!crowd.has_room(kind, later + STANDS / 2));
            crowd.leave(kind);
            // A second without a refusal: bursts are served again.
            let quiet = later + STANDS * 2;
            for _ in 0..100 {
                assert!(crowd.has_room(kind, quiet));
                crowd.enter(kind, quiet);
            }
        }
    }

    #[test]
    fn a_flood_of_the_one_leaves_the_other_alone() {
        let queue = Queue::default();
        let mut flood = Vec::new();
        while queue.has_room(Kind::Send) {
            flood.push(queue.enter(Kind::Send));
        }
        assert_eq!(flood.len(), Kind::Send.most());
        let checks: Vec<_> = (0..Kind::Check.most())
            .map_while(|_| {
                queue
                    .has_room(Kind::Check)
                    .then(|| queue.enter(Kind::Check))
            })
            .collect();
        assert_eq!(checks.len(), Kind::Check.most());
        drop(flood);
        assert!(!queue.has_room(Kind::Check));
    }
}
