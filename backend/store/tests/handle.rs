//! The API for callers, over an in-memory store.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use countersign_core::{Key, Rows};
use countersign_platform::clock::SystemClock;
use countersign_store::{
    Commit, CommitOutcome, MemoryStore, NoObserver, Observer, Snapshot, Store, StoreError,
    StoreHandle, Unavailable,
};
use tokio::sync::{Notify, broadcast::error::TryRecvError};

use support::{Counter, Step, add, count, increment, key, soon};

fn memory() -> MemoryStore {
    MemoryStore::new(Arc::new(SystemClock::default()))
}

fn over_memory() -> StoreHandle {
    StoreHandle::start(Arc::new(memory()), Arc::new(NoObserver))
}

/// A store whose commits can be blocked.
struct HeldUp {
    store: MemoryStore,
    is_held: AtomicBool,
    entered: Notify,
    go_on: Notify,
}

impl HeldUp {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            store: memory(),
            is_held: AtomicBool::new(true),
            entered: Notify::new(),
            go_on: Notify::new(),
        })
    }
}

#[async_trait]
impl Store for HeldUp {
    async fn load(&self, keys: &[Key]) -> Result<Snapshot, Unavailable> {
        self.store.load(keys).await
    }

    async fn commit(&self, commit: Commit) -> CommitOutcome {
        if self.is_held.load(Ordering::SeqCst) {
            self.entered.notify_one();
            self.go_on.notified().await;
        }
        self.store.commit(commit).await
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn reads_do_not_wait_behind_writes_and_nobody_waits_beyond_the_deadline() {
    let store = HeldUp::new();
    let handle = StoreHandle::start(store.clone(), Arc::new(NoObserver));
    let hasty = handle.run(add("a"), Instant::now() + Duration::from_millis(50));
    let (lost, ()) = tokio::join!(hasty, store.entered.notified());
    assert_eq!(lost, Err(StoreError::Unreachable), "it may still happen");
    assert_eq!(handle.read(count("a"), soon()).await, Ok(0));
    let behind = handle.run(add("a"), Instant::now() + Duration::from_millis(50));
    assert!(behind.await.is_err());

    store.is_held.store(false, Ordering::SeqCst);
    store.go_on.notify_one();
    // The first commit missed its deadline, and the one behind it was removed.
    assert_eq!(handle.run(add("a"), soon()).await, Ok(1));
    let started = Instant::now();
    assert!(handle.ready().await.is_err());
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_read_that_turns_out_to_write_is_committed() {
    let handle = over_memory();
    assert_eq!(handle.read(add("a"), soon()).await, Ok(1));
    assert_eq!(handle.run(add("a"), soon()).await, Ok(2));
    let panics = Step {
        keys: vec![key("a")],
        apply: |_: &mut Rows<'_>| -> Result<(), _> { panic!("a fault of ours") },
    };
    assert_eq!(handle.read(panics, soon()).await, Err(StoreError::Faulty));
}

#[tokio::test]
async fn a_read_sees_rows_of_one_moment() {
    let handle = over_memory();
    let both = || Step {
        keys: vec![key("a"), key("b")],
        apply: |rows: &mut Rows<'_>| Ok((increment(rows, &key("a"))?, increment(rows, &key("b"))?)),
    };
    let read_both = || Step {
        keys: vec![key("a"), key("b")],
        apply: |rows: &mut Rows<'_>| {
            let counted = |row: Option<Counter>| row.unwrap_or_default().count;
            Ok((counted(rows.get(&key("a"))?), counted(rows.get(&key("b"))?)))
        },
    };
    for _ in 0..50 {
        let (written, seen) =
            tokio::join!(handle.run(both(), soon()), handle.read(read_both(), soon()));
        let (a, b) = seen.unwrap();
        assert_eq!(a, b);
        written.unwrap();
    }
}

#[tokio::test]
async fn commits_wake_their_subscribers() {
    let handle = over_memory();
    let mut commits = handle.subscribe();
    handle.read(count("a"), soon()).await.unwrap();
    handle.run(count("a"), soon()).await.unwrap();
    assert_eq!(commits.try_recv().unwrap_err(), TryRecvError::Empty);
    handle.run(add("a"), soon()).await.unwrap();
    assert_eq!(commits.recv().await.unwrap()[..], [key("a")]);
    // A subscriber that lags is notified of it.
    for _ in 0..1000 {
        handle.run(add("b"), soon()).await.unwrap();
    }
    assert!(matches!(
        commits.try_recv().unwrap_err(),
        TryRecvError::Lagged(_)
    ));
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn step(&self, name: &'static str, is_ok: bool, _: Duration) {
        self.0.lock().unwrap().push(format!("{name} {is_ok}"));
    }

    fn commit(&self, members: usize, outcome: &CommitOutcome, _: Duration) {
        let note = format!("{members} {outcome:?}");
        self.0.lock().unwrap().push(note);
    }
}

#[tokio::test]
async fn an_observer_receives_steps_and_commits() {
    let notes = Arc::new(Notes::default());
    let handle = StoreHandle::start(Arc::new(memory()), notes.clone());
    handle.run(add("a"), soon()).await.unwrap();
    handle.read(count("a"), soon()).await.unwrap();
    handle.run(add("a"), Instant::now()).await.unwrap_err();
    let notes = notes.0.lock().unwrap();
    assert_eq!(
        notes[..],
        ["1 Done", "Step true", "Step true", "Step false"]
    );
}

#[tokio::test]
async fn submitted_steps_are_answered_before_the_store_is_closed() {
    let store = HeldUp::new();
    let handle = StoreHandle::start(store.clone(), Arc::new(NoObserver));
    let step = tokio::spawn({
        let handle = handle.clone();
        async move { handle.run(add("a"), soon()).await }
    });
    store.entered.notified().await;
    let held = Arc::downgrade(&store);
    store.go_on.notify_one();
    drop(store);
    handle.close().await;
    assert_eq!(step.await.unwrap(), Ok(1));
    assert!(held.upgrade().is_none(), "the store is closed");
}
