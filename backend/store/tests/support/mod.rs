//! Helpers shared by this crate's tests.

#![expect(dead_code, reason = "each suite uses a part of it")]

pub(crate) mod events;
pub(crate) mod redis;
pub(crate) mod world;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use countersign_core::{Key, Millis, Row, Rows, Transition, Unreadable};
use countersign_platform::clock::Clock;
use countersign_store::StoreKeys;
use serde::{Deserialize, Serialize};

/// A row that holds a count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counter {
    pub(crate) count: u64,
}

impl Row for Counter {
    const KIND: &'static str = "counter";
}

/// A row of any length.
#[derive(Serialize, Deserialize)]
pub(crate) struct Text(pub(crate) String);

impl Row for Text {
    const KIND: &'static str = "text";
}

pub(crate) const LIFETIME: Duration = Duration::from_mins(1);

pub(crate) fn key(name: &str) -> Key {
    Key::new(&format!("counter/{name}"))
}

/// Increments the counter, and returns the new count.
pub(crate) fn increment(rows: &mut Rows<'_>, key: &Key) -> Result<u64, Unreadable> {
    let mut counter: Counter = rows.get(key)?.unwrap_or_default();
    counter.count += 1;
    rows.put(key, &counter, rows.now().after(LIFETIME));
    Ok(counter.count)
}

/// A transition over fixed keys, defined by a function.
pub(crate) struct Step<F> {
    pub(crate) keys: Vec<Key>,
    pub(crate) apply: F,
}

impl<F, T> Transition for Step<F>
where
    F: Fn(&mut Rows<'_>) -> Result<T, Unreadable> + Send + 'static,
    T: Send + 'static,
{
    type Outcome = T;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(self.keys.clone())
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<T, Unreadable> {
        (self.apply)(rows)
    }
}

/// Increments the counter of that name.
pub(crate) fn add(name: &str) -> impl Transition<Outcome = u64> + use<> {
    let key = key(name);
    Step {
        keys: vec![key.clone()],
        apply: move |rows: &mut Rows<'_>| increment(rows, &key),
    }
}

/// The same, as a step that must survive the loss of a primary.
pub(crate) fn add_safely(name: &str) -> impl Transition<Outcome = u64> + use<> {
    let key = key(name);
    Step {
        keys: vec![key.clone()],
        apply: move |rows: &mut Rows<'_>| {
            rows.guard_single_use();
            increment(rows, &key)
        },
    }
}

/// Reads the counter of that name.
pub(crate) fn count(name: &str) -> impl Transition<Outcome = u64> + use<> {
    let key = key(name);
    Step {
        keys: vec![key.clone()],
        apply: move |rows: &mut Rows<'_>| {
            let counter: Option<Counter> = rows.get(&key)?;
            Ok(counter.unwrap_or_default().count)
        },
    }
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

pub(crate) fn some_keys() -> StoreKeys {
    StoreKeys::new(&StoreKeys::random_key()).unwrap()
}

/// A clock that stands still until it is advanced.
#[derive(Clone)]
pub(crate) struct ManualClock(Arc<AtomicU64>);

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(Millis(1_790_000_000_000))
    }
}

impl ManualClock {
    pub(crate) fn at(now: Millis) -> Self {
        Self(Arc::new(AtomicU64::new(now.0)))
    }

    pub(crate) fn advance(&self, duration: Duration) {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap();
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        Millis(self.0.load(Ordering::SeqCst)).into()
    }
}
