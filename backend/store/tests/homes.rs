//! One suite of atomicity, durability, expiry and conflicts, run against every store.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use countersign_core::{Key, Millis, StoredRow, Write};
use countersign_platform::clock::SystemClock;
use countersign_store::{
    AtClock, Commit, CommitOutcome, MAX_VALUE_BYTES, MemoryStore, MoveError, NoObserver, Portable,
    RedisStore, Snapshot, SqliteStore, StoreHandle, StoreKeys, move_store, redis::Address,
};
use futures_util::future::join_all;
use redis_test_server::{RedisCluster, RedisServer};

use support::{LIFETIME, ManualClock, add, count, key, some_keys, soon};

enum Place {
    Memory(MemoryStore),
    File(tempfile::TempDir),
    Redis(RedisServer),
    Cluster(RedisCluster),
}

/// A store's location and keys, and how to open it.
struct Home {
    place: Place,
    keys: StoreKeys,
}

impl Home {
    fn at(place: Place) -> Self {
        Self {
            place,
            keys: some_keys(),
        }
    }

    fn memory() -> Self {
        let clock = Arc::new(SystemClock::default());
        Self::at(Place::Memory(MemoryStore::new(clock)))
    }

    fn sqlite() -> Self {
        Self::at(Place::File(tempfile::tempdir().unwrap()))
    }

    fn redis() -> Self {
        Self::at(Place::Redis(RedisServer::start()))
    }

    fn cluster() -> Self {
        Self::at(Place::Cluster(RedisCluster::start()))
    }

    async fn open(&self) -> Arc<dyn Portable> {
        match &self.place {
            Place::Memory(store) => Arc::new(store.clone()),
            Place::File(directory) => {
                let path: PathBuf = directory.path().join("rows.db");
                let clock = Arc::new(SystemClock::default());
                Arc::new(SqliteStore::open(&path, &self.keys, clock).unwrap())
            }
            Place::Redis(server) => self.open_redis(&server.url()).await,
            Place::Cluster(cluster) => self.open_redis(&cluster.url()).await,
        }
    }

    async fn open_redis(&self, url: &str) -> Arc<dyn Portable> {
        let address = Address::parse(url).unwrap().unwrap();
        Arc::new(RedisStore::open(&address, &self.keys).await.unwrap())
    }
}

fn handle(store: &Arc<dyn Portable>) -> StoreHandle {
    StoreHandle::start(store.clone(), Arc::new(NoObserver))
}

fn row(value: &str, now: Millis) -> Write {
    Write::Put(StoredRow {
        value: value.into(),
        expires_at: now.after(LIFETIME),
    })
}

/// A commit based on these rows.
fn over(read: &Snapshot, writes: impl IntoIterator<Item = (Key, Write)>) -> Commit {
    Commit {
        now: read.now,
        compare: read.compare(),
        version: read.version,
        write: writes.into_iter().collect(),
        deadline: read.now.after(Duration::from_secs(10)),
        guards_single_use: false,
    }
}

fn values(snapshot: &Snapshot) -> Vec<Option<&str>> {
    let text = |row: &StoredRow| -> &'static str {
        let text = String::from_utf8(row.value.clone()).unwrap();
        Box::leak(text.into_boxed_str())
    };
    let rows = snapshot.rows.values();
    rows.map(|row| row.as_ref().map(text)).collect()
}

mod suite {
    use super::*;

    pub(super) async fn committed_rows_are_loaded(home: Home) {
        let store = home.open().await;
        let keys = [key("a"), key("b"), key("c")];
        let read = store.load(&keys).await.unwrap();
        assert_eq!(values(&read), [None, None, None]);
        assert!(read.stamps.is_empty());
        let now = read.now;
        let writes = [(key("a"), row("1", now)), (key("b"), row("2", now))];
        let commit = over(&read, writes);
        assert_eq!(store.commit(commit).await, CommitOutcome::Done);

        let read = store.load(&keys).await.unwrap();
        assert_eq!(values(&read), [Some("1"), Some("2"), None]);
        assert!(read.now >= now);
        let a = read.rows[&key("a")].clone().unwrap();
        assert_eq!(a.expires_at, now.after(LIFETIME));
        assert_ne!(read.stamps[&key("a")], read.stamps[&key("b")]);

        let commit = over(&read, [(key("a"), Write::Delete)]);
        assert_eq!(store.commit(commit).await, CommitOutcome::Done);
        let read = store.load(&keys).await.unwrap();
        assert_eq!(values(&read), [None, Some("2"), None]);
        store.ready().await.unwrap();
    }

    /// A row rewritten with the same value has changed. Rows that were only read and
    /// absent rows are compared too.
    pub(super) async fn a_commit_based_on_changed_rows_writes_nothing(home: Home) {
        let store = home.open().await;
        let keys = [key("absent"), key("kept"), key("target")];
        let empty = store.load(&keys).await.unwrap();
        let kept = [(key("kept"), row("1", empty.now))];
        let setup = over(&empty, kept.clone());
        assert_eq!(store.commit(setup).await, CommitOutcome::Done);

        let first = store.load(&keys).await.unwrap();
        for changed in [
            (key("kept"), row("1", first.now)),
            (key("absent"), row("2", first.now)),
            (key("kept"), Write::Delete),
        ] {
            let read = store.load_to_commit(&keys).await.unwrap();
            let other = over(&read, [changed]);
            assert_eq!(store.commit(other).await, CommitOutcome::Done);
            let late = over(&read, [(key("target"), row("3", read.now))]);
            let CommitOutcome::Conflict(current) = store.commit(late).await else {
                panic!("the rows have changed");
            };
            let loaded = store.load(&keys).await.unwrap();
            assert_eq!(current.rows, loaded.rows);
            assert_eq!(current.stamps, loaded.stamps);
            assert_eq!(loaded.rows[&key("target")], None);
            // The rows of a conflict serve for another try, unless they change again.
            let again = over(&current, [(key("target"), row("3", read.now))]);
            assert_eq!(store.commit(again).await, CommitOutcome::Done);
            let removed = over(&current, [(key("target"), Write::Delete)]);
            assert!(matches!(
                store.commit(removed).await,
                CommitOutcome::Conflict(_)
            ));
            let read = store.load(&keys).await.unwrap();
            let removed = over(&read, [(key("target"), Write::Delete)]);
            assert_eq!(store.commit(removed).await, CommitOutcome::Done);
        }
    }

    pub(super) async fn a_commit_past_its_deadline_is_not_run(home: Home) {
        let store = home.open().await;
        let read = store.load(&[key("a")]).await.unwrap();
        let mut commit = over(&read, [(key("a"), row("1", read.now))]);
        commit.deadline = read.now;
        assert_eq!(store.commit(commit).await, CommitOutcome::NotRun);
        let read = store.load(&[key("a")]).await.unwrap();
        assert_eq!(values(&read), [None]);
    }

    pub(super) async fn a_commit_with_one_refused_row_is_rejected_as_a_whole(home: Home) {
        let store = home.open().await;
        let read = store.load(&[key("a"), key("b")]).await.unwrap();
        let long = "x".repeat(MAX_VALUE_BYTES + 1);
        let writes = [
            (key("a"), row("1", read.now)),
            (key("b"), row(&long, read.now)),
        ];
        let commit = over(&read, writes);
        assert_eq!(store.commit(commit).await, CommitOutcome::Rejected);
        // A row that was not read must not be overwritten.
        let blind = over(&read, [(key("c"), row("1", read.now))]);
        assert_eq!(store.commit(blind).await, CommitOutcome::Rejected);
        let loaded = store.load(&[key("a"), key("c")]).await.unwrap();
        assert_eq!(values(&loaded), [None, None]);

        let longest = "x".repeat(MAX_VALUE_BYTES);
        let commit = over(&read, [(key("b"), row(&longest, read.now))]);
        assert_eq!(store.commit(commit).await, CommitOutcome::Done);
    }

    pub(super) async fn a_row_is_absent_once_it_has_expired(home: Home) {
        let clock = ManualClock::at(SystemTime::now().into());
        let store = AtClock::new(home.open().await, Arc::new(clock.clone()));
        let handle = StoreHandle::start(Arc::new(store), Arc::new(NoObserver));
        assert_eq!(handle.run(add("a"), soon()).await, Ok(1));
        assert_eq!(handle.run(add("a"), soon()).await, Ok(2));
        clock.advance(LIFETIME / 2);
        assert_eq!(handle.read(count("a"), soon()).await, Ok(2));
        clock.advance(LIFETIME / 2);
        assert_eq!(handle.read(count("a"), soon()).await, Ok(0));
        assert_eq!(handle.run(add("a"), soon()).await, Ok(1));
    }

    /// Several instances each run sixteen steps at once. All outcomes differ, so no step
    /// was lost or counted twice.
    pub(super) async fn concurrent_instances_lose_no_step(home: Home) {
        let mut instances = Vec::new();
        for _ in 0..4 {
            instances.push(handle(&home.open().await));
        }
        let steps = instances.iter().flat_map(|instance| {
            (0..16).map(move |_| async move {
                let mut outcomes = Vec::new();
                for _ in 0..4 {
                    outcomes.push(instance.run(add("one"), soon()).await.unwrap());
                }
                outcomes
            })
        });
        let outcomes: Vec<u64> = join_all(steps).await.into_iter().flatten().collect();
        let distinct: BTreeSet<u64> = outcomes.iter().copied().collect();
        let all = u64::try_from(outcomes.len()).unwrap();
        assert_eq!(distinct, (1..=all).collect());
        assert_eq!(instances[0].read(count("one"), soon()).await, Ok(all));
    }

    pub(super) async fn answered_steps_survive_reopening(home: Home) {
        for expected in 1..=3 {
            let handle = handle(&home.open().await);
            assert_eq!(handle.run(add("a"), soon()).await, Ok(expected));
            handle.close().await;
        }
    }

    pub(super) async fn rows_are_moved_into_an_empty_store(home: Home) {
        let source = MemoryStore::new(Arc::new(SystemClock::default()));
        let keys: Vec<Key> = (0..700).map(|row| key(&row.to_string())).collect();
        for keys in keys.chunks(100) {
            let read = source.load_now(keys);
            let expired = Write::Put(StoredRow {
                value: b"expired".into(),
                expires_at: read.now,
            });
            let writes = keys.iter().map(|key| {
                let is_live = !key.as_str().ends_with('7');
                let live = || row(key.as_str(), read.now);
                (key.clone(), if is_live { live() } else { expired.clone() })
            });
            let commit = over(&read, writes.collect::<BTreeMap<_, _>>());
            assert_eq!(source.commit_now(&commit), CommitOutcome::Done);
        }
        let target = home.open().await;
        assert_eq!(move_store(&source, &*target).await.unwrap(), 630);
        assert_eq!(target.keys().await.unwrap().len(), 630);
        for keys in keys.chunks(100) {
            let mut rows = source.load_now(keys).rows;
            for row in rows.values_mut() {
                row.take_if(|row| row.value == b"expired");
            }
            assert_eq!(target.load(keys).await.unwrap().rows, rows);
        }
        let again = move_store(&source, &*target).await.unwrap_err();
        assert!(matches!(again, MoveError::NotEmpty), "{again}");
        // And back.
        let back = MemoryStore::new(Arc::new(SystemClock::default()));
        assert_eq!(move_store(&*target, &back).await.unwrap(), 630);
    }
}

/// Instantiates every test of the suite for every store.
macro_rules! in_every_home {
    ($($test:ident)+) => {
        in_every_home!(@ memory $($test)+);
        in_every_home!(@ sqlite $($test)+);
        in_every_home!(@ redis $($test)+);
        in_every_home!(@ cluster $($test)+);
    };
    (@ $home:ident $($test:ident)+) => {
        mod $home {
            $(
                #[tokio::test]
                async fn $test() {
                    super::suite::$test(super::Home::$home()).await;
                }
            )+
        }
    };
}

in_every_home! {
    committed_rows_are_loaded
    a_commit_based_on_changed_rows_writes_nothing
    a_commit_past_its_deadline_is_not_run
    a_commit_with_one_refused_row_is_rejected_as_a_whole
    a_row_is_absent_once_it_has_expired
    concurrent_instances_lose_no_step
    answered_steps_survive_reopening
    rows_are_moved_into_an_empty_store
}
