//! The API of the store for its callers: run a transition, or read.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use countersign_core::{Key, Millis, Rows, Transition, Unreadable};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{
    committer::{Event, Member, guarded},
    driver,
    store::{CommitOutcome, MAX_LOADS, Snapshot, Store, StoreError, Unavailable},
};

/// Maximum waiting transitions. A bulkhead limits callers earlier; if the store hangs,
/// they must not queue without bound.
const MAX_WAITING: usize = 2048;
/// Commits that are buffered for a slow subscriber before it is told that it lags.
const MAX_NOTICES: usize = 256;
/// Timeout of the readiness check.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// Observes steps and commits. Metrics are implemented elsewhere.
pub trait Observer: Send + Sync + 'static {
    /// A step has ended.
    fn step(&self, _name: &'static str, _is_ok: bool, _took: Duration) {}
    /// A commit of a group has ended.
    fn commit(&self, _members: usize, _outcome: &CommitOutcome, _took: Duration) {}
}

/// Ignores everything.
pub struct NoObserver;

impl Observer for NoObserver {}

/// Handle of a store. Clones share one committer, which ends with the last of them.
#[derive(Clone)]
pub struct StoreHandle {
    store: Arc<dyn Store>,
    queue: mpsc::Sender<Event>,
    committed: broadcast::Sender<Arc<[Key]>>,
    observer: Arc<dyn Observer>,
    ended: watch::Receiver<()>,
}

impl StoreHandle {
    /// Starts a committer on the current runtime.
    pub fn start(store: Arc<dyn Store>, observer: Arc<dyn Observer>) -> Self {
        let (queue, submitted) = mpsc::channel(MAX_WAITING);
        let (committed, _) = broadcast::channel(MAX_NOTICES);
        let (end, ended) = watch::channel(());
        let driver = driver::Driver {
            store: store.clone(),
            committed: committed.clone(),
            observer: observer.clone(),
            _end: end,
        };
        tokio::spawn(driver.run(submitted));
        Self {
            store,
            queue,
            committed,
            observer,
            ended,
        }
    }

    /// Waits until the committer has ended, by which time everything submitted is
    /// answered. The store is then closed, unless somebody else holds it.
    pub async fn close(self) {
        let mut ended = self.ended.clone();
        drop(self);
        // An error means that it ended: nothing is ever sent.
        ended.changed().await.ok();
    }

    /// Commits a transition. When this returns an outcome, it is committed; after
    /// [`StoreError::Unreachable`] it is unknown whether it is.
    pub async fn run<T: Transition>(
        &self,
        transition: T,
        deadline: Instant,
    ) -> Result<T::Outcome, StoreError> {
        let started = Instant::now();
        let (member, answer) = member(transition);
        let submitted = self.queue.try_send(Event::Submitted { member, deadline });
        let result = match submitted {
            Err(_) => Err(StoreError::NotRun),
            Ok(()) => match tokio::time::timeout_at(deadline.into(), answer).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) | Err(_) => Err(StoreError::Unreachable),
            },
        };
        self.note::<T, _>(started, &result);
        result
    }

    /// Runs a transition that only reads, directly against the store, so it never waits
    /// behind writes. If it turns out to write, it is committed.
    pub async fn read<T: Transition>(
        &self,
        transition: T,
        deadline: Instant,
    ) -> Result<T::Outcome, StoreError> {
        let started = Instant::now();
        let read = tokio::time::timeout_at(deadline.into(), self.try_read(&transition)).await;
        let result = match read {
            Ok(Ok(Some(outcome))) => Ok(outcome),
            Ok(Ok(None)) => return self.run(transition, deadline).await,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StoreError::NotRun),
        };
        self.note::<T, _>(started, &result);
        result
    }

    async fn try_read<T: Transition>(
        &self,
        transition: &T,
    ) -> Result<Option<T::Outcome>, StoreError> {
        let mut snapshot = Snapshot::default();
        let mut keys = BTreeSet::new();
        for load in 0..=MAX_LOADS {
            let rows = || Rows::new(&snapshot.rows, snapshot.now);
            let named = guarded(|| transition.keys(&rows()))?;
            if load > 0 && named.iter().all(|key| snapshot.rows.contains_key(key)) {
                return guarded(|| {
                    let mut rows = rows();
                    let outcome = transition.apply(&mut rows)?;
                    Ok(rows.into_writes().is_empty().then_some(outcome))
                });
            }
            keys.extend(named);
            let keys: Vec<Key> = keys.iter().cloned().collect();
            let loaded = self.store.load(&keys).await;
            snapshot = loaded.map_err(|Unavailable| StoreError::NotRun)?;
        }
        Err(StoreError::Faulty)
    }

    /// Whether the store works, a write included.
    pub async fn ready(&self) -> Result<(), Unavailable> {
        let ready = tokio::time::timeout(READY_TIMEOUT, self.store.ready()).await;
        ready.unwrap_or(Err(Unavailable))
    }

    /// The store's time.
    pub async fn now(&self) -> Result<Millis, Unavailable> {
        Ok(self.store.load(&[]).await?.now)
    }

    /// The keys of each commit of this instance from now on. A subscriber that lags is told
    /// so, and must check everything.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[Key]>> {
        self.committed.subscribe()
    }

    fn note<T, O>(&self, started: Instant, result: &Result<O, StoreError>) {
        let name = short_name::<T>();
        self.observer.step(name, result.is_ok(), started.elapsed());
        match result {
            Err(error @ (StoreError::Faulty | StoreError::Rejected)) => {
                log::error!(event = "store.step_failed", step = name; "{error}");
            }
            Err(StoreError::Unreadable(unreadable)) => {
                log::error!(event = "store.row_unreadable", step = name; "{unreadable}");
            }
            _ => {}
        }
    }
}

/// The name of a type without its path, such as `ReserveSend`.
fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let path = name.split('<').next().unwrap_or(name);
    path.rsplit("::").next().unwrap_or(path)
}

/// Wraps a transition as a member of a group, and returns the receiver of its answer.
/// Dropping the receiver abandons it.
pub fn member<T: Transition>(transition: T) -> (Box<dyn Member>, Answer<T::Outcome>) {
    let (reply, answer) = oneshot::channel();
    let member = Waiting {
        transition,
        outcome: None,
        reply,
    };
    (Box::new(member), answer)
}

/// The answer that a member's caller waits for.
pub type Answer<T> = oneshot::Receiver<Result<T, StoreError>>;

/// A transition whose caller waits for an answer.
struct Waiting<T: Transition> {
    transition: T,
    outcome: Option<T::Outcome>,
    reply: oneshot::Sender<Result<T::Outcome, StoreError>>,
}

impl<T: Transition> Member for Waiting<T> {
    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        self.transition.keys(rows)
    }

    fn apply(&mut self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        self.outcome = None;
        self.outcome = Some(self.transition.apply(rows)?);
        Ok(())
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn answer(self: Box<Self>, result: Result<(), StoreError>) {
        let Self { outcome, reply, .. } = *self;
        let outcome = result.and_then(|()| outcome.ok_or(StoreError::Faulty));
        // The caller may be gone.
        reply.send(outcome).ok();
    }
}
