//! Queues of charges: each is served by its process, or by the one that took it over.

use std::{collections::BTreeMap, time::Duration};

use countersign_core::{
    Millis, QueuedCharge, Sealed, keys,
    transitions::{LeaseQueues, QueueCharge, ViewQueue},
};

use crate::world::World;

/// How long a queue stays with its process without being renewed.
const LEASE: Duration = Duration::from_mins(2);
/// How long anything in a queue is kept.
const KEPT_FOR: Duration = Duration::from_mins(10);
/// Queues that are known at once.
const MAX_KNOWN: usize = 128;

/// When each queue was renewed.
type Renewed = BTreeMap<String, Millis>;

impl World {
    pub(super) fn check_queues(&mut self) {
        self.check_what_is_queued();
        let mut renewed = Renewed::new();
        for _ in 0..8 {
            let longest = [150_000, 150_000, 700_000][self.random.index(3)];
            let by = self.random.millis(1_000..longest);
            self.pass(by);
            if self.random.percent(10) {
                let back = self.random.millis(0..300_000);
                let back = u64::try_from(back.as_millis()).unwrap_or_default();
                let now = self.clock_now();
                self.clock.set(Millis(now.0 - back));
            }
            let served = self.some_queues();
            let done = format!("queue{}", self.random.index(4));
            let done: Vec<String> = Some(done)
                .filter(|it| self.random.percent(30) && !served.contains(it))
                .into_iter()
                .collect();
            let expected = lease(&mut renewed, &served, &done, self.clock_now());
            let mut taken = self.execute(&LeaseQueues {
                served,
                done,
                kept_for: KEPT_FOR,
            });
            taken.sort();
            self.checker.require(taken == expected, || {
                format!("{taken:?} are taken over, and {expected:?} are left")
            });
        }
        if self.random.percent(10) {
            self.check_that_the_newest_are_known();
        }
    }

    fn some_queues(&mut self) -> Vec<String> {
        let first = self.random.index(4);
        let mut queues = vec![format!("queue{first}")];
        if self.random.percent(30) {
            queues.push(format!("queue{}", (first + 1) % 4));
        }
        queues
    }

    /// If there are too many, the one that was renewed first is forgotten.
    fn check_that_the_newest_are_known(&mut self) {
        self.pass(2 * KEPT_FOR);
        let lease = |served: Vec<String>| LeaseQueues {
            served,
            done: Vec::new(),
            kept_for: KEPT_FOR,
        };
        self.execute(&lease(vec!["old".to_owned()]));
        self.pass(Duration::from_secs(1));
        let many: Vec<String> = (0..MAX_KNOWN).map(|it| format!("one{it}")).collect();
        self.execute(&lease(many.clone()));
        self.pass(LEASE);
        let taken = self.execute(&lease(Vec::new()));
        self.checker.require(taken == many, || {
            format!("{} queues are known of {MAX_KNOWN}", taken.len())
        });
    }

    fn check_what_is_queued(&mut self) {
        let rows = [0, 1].map(|it| keys::charge(&format!("code{it}")));
        let mut ends: [Option<Millis>; 2] = [None; 2];
        for _ in 0..6 {
            let by = self.random.millis(0..400_000);
            self.pass(by);
            let (code, now) = (self.random.index(2), self.clock_now());
            if self.random.percent(50) {
                let charge = QueuedCharge {
                    row: rows[code].clone(),
                    content: Sealed(vec![1, 2, 3]),
                    kept_for: KEPT_FOR,
                };
                self.execute(&QueueCharge { charge });
                ends[code] = Some(now.after(KEPT_FOR));
            }
            let told = self.execute(&ViewQueue {
                rows: rows.to_vec(),
            });
            let told: Vec<bool> = told.iter().map(Option::is_some).collect();
            let queued = ends.map(|ends| ends.is_some_and(|ends| ends > now));
            self.checker.require(told == queued, || {
                format!("{told:?} are queued, and {queued:?} should be")
            });
        }
    }
}

/// What the process takes over, in order of their names.
fn lease(renewed: &mut Renewed, served: &[String], done: &[String], now: Millis) -> Vec<String> {
    renewed.retain(|queue, at| {
        at.after(KEPT_FOR) > now && !served.contains(queue) && !done.contains(queue)
    });
    let mut taken = Vec::new();
    for (queue, at) in renewed.iter_mut() {
        *at = now.min(*at);
        if at.after(LEASE) <= now {
            *at = now;
            taken.push(queue.clone());
        }
    }
    renewed.extend(served.iter().map(|queue| (queue.clone(), now)));
    taken
}
