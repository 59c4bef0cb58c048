//! The queue of codes whose charges are to be collected: in this process's memory, in the
//! order in which they are asked for, and in the store, so that another process goes on
//! with it when this one is gone.

mod waiting;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use countersign_core::{
    Millis, QueuedCharge,
    transitions::{LeaseQueues, ViewQueue},
};
use countersign_store::StoreError;

pub(super) use self::waiting::{Waiting, kept_for};
use self::waiting::{moments, passed};
use super::{Verification, store_deadline};

/// Maximum queued codes: as many as can be asked for within the hour that a session may
/// still change in. Beyond, those due first are given up.
const MAX_WAITING: usize = 20_000;
const MINUTE: Duration = Duration::from_mins(1);
/// Rows that are read in one go. A code that was not recorded leaves its place empty, and
/// fewer than so many are under way.
const ROWS_AT_ONCE: u32 = 256;

/// Codes whose charges are not all known, by when they are asked for.
pub(super) struct ChargeQueue {
    /// The name of this process's queue in the store.
    name: String,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    by_moment: BTreeMap<(SystemTime, u64), Waiting>,
    numbered: u64,
    /// The minute that was last given a row's name, and how many.
    minute: u64,
    named: u32,
    /// Queues of processes that are gone, and until when anything may be in them.
    taken: BTreeMap<String, SystemTime>,
}

impl ChargeQueue {
    pub(super) fn new() -> Self {
        let mut name = [0; 8];
        getrandom::fill(&mut name).expect("the operating system gives random bytes");
        Self {
            name: format!("{:016x}", u64::from_le_bytes(name)),
            queue: Mutex::default(),
        }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next of its moments, if there is one.
    fn push(&self, waiting: Waiting, lifetime: Duration) {
        if let Some(after) = moments(lifetime).get(waiting.asked).copied() {
            let moment = waiting.sent_at + after;
            self.push_at(moment, waiting);
        }
    }

    fn push_at(&self, moment: SystemTime, waiting: Waiting) {
        let mut queue = self.queue();
        queue.numbered += 1;
        let key = (moment, queue.numbered);
        queue.by_moment.insert(key, waiting);
        if queue.by_moment.len() > MAX_WAITING {
            queue.by_moment.pop_first();
        }
    }

    /// The next one that is due.
    pub(super) fn pop(&self, now: SystemTime) -> Option<Waiting> {
        let mut queue = self.queue();
        let first = queue.by_moment.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// It was asked for, and not all of it is known.
    pub(super) fn asked(&self, waiting: Waiting, now: SystemTime, lifetime: Duration) {
        let asked = passed(waiting.sent_at, now, lifetime).max(waiting.asked + 1);
        self.push(Waiting { asked, ..waiting }, lifetime);
    }

    /// Nobody answered: it is asked for again in a while.
    pub(super) fn unanswered(&self, waiting: Waiting, now: SystemTime, lifetime: Duration) {
        if waiting.sent_at + kept_for(lifetime) > now {
            self.push_at(now + MINUTE, waiting);
        }
    }

    /// The queues that this process serves, and those of others in which nothing is left.
    fn served(&self, now: SystemTime) -> (Vec<String>, Vec<String>) {
        let mut queue = self.queue();
        let (taken, done): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut queue.taken)
            .into_iter()
            .partition(|(_, until)| *until > now);
        queue.taken = taken;
        let taken = queue.taken.keys().cloned();
        let served = std::iter::once(self.name.clone()).chain(taken).collect();
        (served, done.into_keys().collect())
    }

    /// The place of one more code.
    fn place(&self, now: SystemTime) -> String {
        let mut queue = self.queue();
        let minute = minute(now);
        if queue.minute != minute {
            (queue.minute, queue.named) = (minute, 0);
        }
        queue.named += 1;
        place(&self.name, minute, queue.named - 1)
    }
}

/// A place in a queue, by which it is found again.
fn place(queue: &str, minute: u64, index: u32) -> String {
    format!("{queue} {minute} {index}")
}

fn minute(now: SystemTime) -> u64 {
    Millis::from(now).0 / 60_000
}

impl Verification {
    /// A code went out: what it costs will be asked for.
    pub(super) fn await_charges(&self, waiting: Waiting) {
        self.charge_queue.push(waiting, self.rules.session_lifetime);
    }

    /// The same for whoever comes after this process.
    pub(super) fn queued(&self, waiting: &Waiting) -> QueuedCharge {
        let place = self.charge_queue.place(self.clock.now());
        QueuedCharge {
            row: self.keys.charge(&place),
            content: self.keys.seal_charge(&place, &waiting.to_text()),
            kept_for: kept_for(self.rules.session_lifetime),
        }
    }

    /// Renews this process's queue, and goes on with those of processes that are gone.
    pub async fn lease_charge_queues(&self) {
        if !self.collects_charges {
            return;
        }
        let now = self.clock.now();
        let (served, done) = self.charge_queue.served(now);
        let kept_for = kept_for(self.rules.session_lifetime);
        let step = LeaseQueues {
            served,
            done,
            kept_for,
        };
        let Ok(taken) = self.store.run(step, store_deadline()).await else {
            return;
        };
        for name in taken {
            // Where the store fails, the lease is not renewed, and runs out: somebody takes
            // the queue over again.
            let Ok(found) = self.left_in_queue(&name, now).await else {
                continue;
            };
            let codes = found.len();
            for waiting in found {
                self.await_charges(waiting);
            }
            self.charge_queue.queue().taken.insert(name, now + kept_for);
            log::info!(
                event = "charges.taken_over", codes = codes;
                "the charges that another process had to collect are collected here"
            );
        }
    }

    /// Reads a queue whose process is gone: all of it or nothing, so that no code waits
    /// twice after another try.
    async fn left_in_queue(&self, name: &str, now: SystemTime) -> Result<Vec<Waiting>, StoreError> {
        let lifetime = self.rules.session_lifetime;
        let (first, last) = (minute(now - kept_for(lifetime)), minute(now + MINUTE));
        let mut codes = Vec::new();
        for minute in first..=last {
            for chunk in 0.. {
                let indices = chunk * ROWS_AT_ONCE..(chunk + 1) * ROWS_AT_ONCE;
                let places: Vec<_> = indices.map(|index| place(name, minute, index)).collect();
                let rows = places.iter().map(|it| self.keys.charge(it)).collect();
                let view = ViewQueue { rows };
                let found = self.store.read(view, store_deadline()).await?;
                if found.iter().all(Option::is_none) {
                    break;
                }
                codes.extend(places.iter().zip(found).filter_map(|(place, content)| {
                    let text = self.keys.open_charge(place, &content?)?;
                    Waiting::from_text(&text, now, lifetime)
                }));
            }
        }
        Ok(codes)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        waiting::tests::{LIFETIME, waiting},
        *,
    };

    #[test]
    fn a_code_is_asked_for_four_times_at_most() {
        let (queue, sent_at) = (ChargeQueue::new(), SystemTime::UNIX_EPOCH);
        let mut moments = Vec::new();
        queue.push(waiting(sent_at), LIFETIME);
        for minute in 0..120 {
            let now = sent_at + MINUTE * minute;
            while let Some(it) = queue.pop(now) {
                moments.push(minute);
                queue.asked(it, now, LIFETIME);
            }
        }
        assert_eq!(moments, [2, 9, 12, 70]);
    }

    #[test]
    fn while_plivo_does_not_answer_it_is_asked_each_minute_and_not_for_ever() {
        let (queue, sent_at) = (ChargeQueue::new(), SystemTime::UNIX_EPOCH);
        queue.push(waiting(sent_at), LIFETIME);
        let (mut asked, mut answered) = (0, Vec::new());
        for minute in 0..200 {
            let now = sent_at + MINUTE * minute;
            while let Some(it) = queue.pop(now) {
                if minute > 30 && minute < 72 {
                    answered.push(minute);
                    queue.asked(it, now, LIFETIME);
                } else {
                    asked += 1;
                    queue.unanswered(it, now, LIFETIME);
                }
            }
        }
        assert_eq!((asked, answered), (29, vec![31, 70]));
        queue.push(waiting(sent_at), LIFETIME);
        for minute in 0..200 {
            let now = sent_at + MINUTE * minute;
            while let Some(it) = queue.pop(now) {
                assert!(minute < 86);
                queue.unanswered(it, now, LIFETIME);
            }
        }
    }

    #[test]
    fn of_too_many_the_oldest_is_given_up() {
        let (queue, start) = (ChargeQueue::new(), SystemTime::UNIX_EPOCH);
        for second in 0..=u64::try_from(MAX_WAITING).unwrap() {
            queue.push(waiting(start + Duration::from_secs(second)), LIFETIME);
        }
        let late = start + Duration::from_hours(1_000);
        assert_eq!(
            queue.pop(late).unwrap().sent_at,
            start + Duration::from_secs(1)
        );
    }

    #[test]
    fn each_code_has_a_place_of_its_own() {
        let (queue, now) = (ChargeQueue::new(), SystemTime::UNIX_EPOCH);
        let places = [0, 1, 60, 61].map(|second| queue.place(now + Duration::from_secs(second)));
        let expected = [(0, 0), (0, 1), (1, 0), (1, 1)];
        assert_eq!(
            places,
            expected.map(|(minute, index)| place(&queue.name, minute, index))
        );
    }
}
