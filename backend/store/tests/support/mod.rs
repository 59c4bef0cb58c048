//! What the tests of this crate share.

#![expect(dead_code, reason = "each suite uses a part of it")]

pub(crate) mod world;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use countersign_core::{Key, Millis, Row, Rows, Transition, Unreadable};
use countersign_store::{
    Commit, CommitOutcome, Portable, Snapshot, Store, StoreKeys, Unavailable, clock::Clock,
};
use serde::{Deserialize, Serialize};

/// A row that counts.
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

/// Counts one more, and answers how many there are.
pub(crate) fn increment(rows: &mut Rows<'_>, key: &Key) -> Result<u64, Unreadable> {
    let mut counter: Counter = rows.get(key)?.unwrap_or_default();
    counter.count += 1;
    rows.put(key, &counter, rows.now().after(LIFETIME));
    Ok(counter.count)
}

/// A transition over fixed keys, by a function.
pub(crate) struct Step<F> {
    pub(crate) keys: Vec<Key>,
    pub(crate) apply: F,
    pub(crate) guards_single_use: bool,
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

    fn guards_single_use(&self) -> bool {
        self.guards_single_use
    }
}

/// Counts one more under that name.
pub(crate) fn add(name: &str) -> impl Transition<Outcome = u64> + use<> {
    let key = key(name);
    Step {
        keys: vec![key.clone()],
        apply: move |rows: &mut Rows<'_>| increment(rows, &key),
        guards_single_use: false,
    }
}

/// The same, where it must survive the loss of a primary.
pub(crate) fn add_safely(name: &str) -> impl Transition<Outcome = u64> + use<> {
    let key = key(name);
    Step {
        keys: vec![key.clone()],
        apply: move |rows: &mut Rows<'_>| increment(rows, &key),
        guards_single_use: true,
    }
}

/// How many were counted under that name.
pub(crate) fn count(name: &str) -> impl Transition<Outcome = u64> + use<> {
    let key = key(name);
    Step {
        keys: vec![key.clone()],
        apply: move |rows: &mut Rows<'_>| {
            let counter: Option<Counter> = rows.get(&key)?;
            Ok(counter.unwrap_or_default().count)
        },
        guards_single_use: false,
    }
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

pub(crate) fn some_keys() -> StoreKeys {
    StoreKeys::new(&StoreKeys::random_key()).unwrap()
}

/// A clock that stands still until it is set on.
#[derive(Clone)]
pub(crate) struct ManualClock(Arc<AtomicU64>);

impl Default for ManualClock {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(1_790_000_000_000)))
    }
}

impl ManualClock {
    pub(crate) fn advance(&self, duration: Duration) {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap();
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }
}

/// A store whose time can be set on, whatever clock it has: what it says is later,
/// and what it is told is earlier.
pub(crate) struct Shifted {
    pub(crate) inner: Arc<dyn Portable>,
    pub(crate) milliseconds: AtomicU64,
}

impl Shifted {
    pub(crate) fn new(inner: Arc<dyn Portable>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            milliseconds: AtomicU64::new(0),
        })
    }

    pub(crate) fn advance(&self, duration: Duration) {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap();
        self.milliseconds.fetch_add(milliseconds, Ordering::SeqCst);
    }

    fn later(&self, mut snapshot: Snapshot) -> Snapshot {
        snapshot.now.0 += self.milliseconds.load(Ordering::SeqCst);
        snapshot
    }
}

#[async_trait]
impl Store for Shifted {
    async fn load(&self, keys: &[Key]) -> Result<Snapshot, Unavailable> {
        Ok(self.later(self.inner.load(keys).await?))
    }

    async fn commit(&self, mut commit: Commit) -> CommitOutcome {
        commit.deadline.0 -= self.milliseconds.load(Ordering::SeqCst);
        match self.inner.commit(commit).await {
            CommitOutcome::Conflict(snapshot) => CommitOutcome::Conflict(self.later(snapshot)),
            outcome => outcome,
        }
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        self.inner.ready().await
    }
}

#[async_trait]
impl Portable for Shifted {
    async fn keys(&self) -> Result<Vec<Key>, Unavailable> {
        self.inner.keys().await
    }
}
