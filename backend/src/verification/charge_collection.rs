//! Collects what Plivo charged for every session, also for those that nobody watches.
//!
//! Which sessions to ask for is kept in this process's memory: the store cannot be read
//! without a session's name. What a process that died had not asked for yet stays booked
//! as it was expected.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use countersign_core::{
    ApplicationId, AttemptUpdate, MicroDollars, Upstream, transitions::RecordAttempts,
};
use countersign_plivo::{Retrieved, UpstreamStatus};
use countersign_shared::{PhoneNumber, SessionId};

use super::{Verification, store_deadline};

/// Sessions asked for in one go, which is once a second: of the 60 requests a second that
/// Plivo allows an account (reference: transport) the sends need the most.
const MAX_AT_ONCE: usize = 5;
/// Sessions that wait; beyond, the ones that were to be asked for first are given up.
const MAX_WAITING: usize = 100_000;

/// When a session is asked for: soon, when the code has arrived; before its end, while
/// what was expected can be corrected; and after it, for what came late.
fn moments(lifetime: Duration) -> [Duration; 4] {
    let minute = Duration::from_mins(1);
    [
        2 * minute,
        lifetime.saturating_sub(minute).max(2 * minute),
        lifetime + 2 * minute,
        lifetime + 60 * minute,
    ]
}

/// A session whose charges are not all known.
#[derive(Clone)]
struct Waiting {
    session: SessionId,
    application: ApplicationId,
    number: PhoneNumber,
    upstream: Upstream,
    sent_at: SystemTime,
    /// How often it was asked for.
    asked: usize,
}

/// Sessions whose charges are not all known, by when they are asked for.
#[derive(Default)]
pub(super) struct ChargeQueue(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    by_moment: BTreeMap<(SystemTime, u64), Waiting>,
    numbered: u64,
}

impl ChargeQueue {
    fn push(&self, waiting: Waiting, lifetime: Duration) {
        let Some(after) = moments(lifetime).get(waiting.asked).copied() else {
            return;
        };
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.numbered += 1;
        let key = (waiting.sent_at + after, queue.numbered);
        queue.by_moment.insert(key, waiting);
        if queue.by_moment.len() > MAX_WAITING {
            queue.by_moment.pop_first();
        }
    }

    fn pop(&self, now: SystemTime) -> Option<Waiting> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = queue.by_moment.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

impl Verification {
    /// A code went out: what it costs will be asked for.
    pub(super) fn await_charges(
        &self,
        (session, application): (SessionId, &ApplicationId),
        number: &PhoneNumber,
        upstream: &Upstream,
    ) {
        if !self.collects_charges {
            return;
        }
        let waiting = Waiting {
            session,
            application: application.clone(),
            number: number.clone(),
            upstream: upstream.clone(),
            sent_at: self.clock.now(),
            asked: 0,
        };
        self.charge_queue.push(waiting, self.rules.session_lifetime);
    }

    /// Asks Plivo for the charges that are due, within its limits.
    pub async fn collect_charges(&self) {
        for _ in 0..MAX_AT_ONCE {
            let Some(mut waiting) = self.charge_queue.pop(self.clock.now()) else {
                return;
            };
            waiting.asked += 1;
            if !self.collect(&waiting).await {
                self.charge_queue.push(waiting, self.rules.session_lifetime);
            }
        }
    }

    /// Answers whether all of the session's charges are known.
    async fn collect(&self, waiting: &Waiting) -> bool {
        let number = &waiting.number;
        let Some(upstream_id) = self.keys.open_upstream(number, &waiting.upstream.id) else {
            return true;
        };
        let Ok(retrieved) = self.plivo.retrieve(&upstream_id).await else {
            return false;
        };
        let is_final = is_final(&retrieved);
        let session = self.keys.session(waiting.session);
        let about = (number, &waiting.application);
        let charged = self.book(session, &waiting.upstream.key, about, retrieved.charges);
        if charged.await.is_err() {
            return false;
        }
        let updates = retrieved.attempts.into_iter().enumerate();
        let record = RecordAttempts {
            upstream: waiting.upstream.key.clone(),
            updates: updates
                .map(|(index, attempt)| AttemptUpdate { index, attempt })
                .collect(),
            rules: self.rules.clone(),
        };
        if let Ok(recorded) = self.store.run(record, store_deadline()).await {
            self.note_changes(&recorded.changes, Some(number), &upstream_id, "");
        }
        is_final
    }
}

/// Whether nothing can follow: the session is over, and each attempt has a price.
fn is_final(retrieved: &Retrieved) -> bool {
    let attempts = &retrieved.charges.attempts;
    let are_priced = attempts.iter().all(|(_, price)| *price > MicroDollars(0));
    retrieved.status != UpstreamStatus::InProgress && !attempts.is_empty() && are_priced
}

#[cfg(test)]
mod tests {
    use countersign_core::{Key, Sealed};

    use super::*;

    const LIFETIME: Duration = Duration::from_mins(10);

    fn waiting(sent_at: SystemTime, asked: usize) -> Waiting {
        Waiting {
            session: SessionId::from_random_bytes([7; 16]),
            application: ApplicationId::parse("example").unwrap(),
            number: PhoneNumber::parse("+14155550123").unwrap(),
            upstream: Upstream {
                key: Key::new("upstream/ab"),
                id: Sealed(Vec::new()),
            },
            sent_at,
            asked,
        }
    }

    #[test]
    fn a_session_is_asked_for_four_times_at_most() {
        let (queue, sent_at) = (ChargeQueue::default(), SystemTime::UNIX_EPOCH);
        let mut moments = Vec::new();
        queue.push(waiting(sent_at, 0), LIFETIME);
        for minute in 0..120 {
            let now = sent_at + Duration::from_mins(minute);
            while let Some(mut it) = queue.pop(now) {
                moments.push(minute);
                it.asked += 1;
                queue.push(it, LIFETIME);
            }
        }
        assert_eq!(moments, [2, 9, 12, 70]);
    }

    #[test]
    fn of_too_many_the_oldest_is_given_up() {
        let (queue, start) = (ChargeQueue::default(), SystemTime::UNIX_EPOCH);
        for second in 0..=u64::try_from(MAX_WAITING).unwrap() {
            queue.push(waiting(start + Duration::from_secs(second), 0), LIFETIME);
        }
        let late = start + Duration::from_hours(1_000);
        assert_eq!(
            queue.pop(late).unwrap().sent_at,
            start + Duration::from_secs(1)
        );
    }
}
