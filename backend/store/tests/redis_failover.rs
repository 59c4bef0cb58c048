//! A Redis whose role, settings or replicas change while it is in use, and nobody asks
//! whether the store is ready.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use countersign_core::{StoredRow, Write};
use countersign_store::{Commit, CommitOutcome, Store, StoreError, StoreHandle, StoreKeys};
use redis_test_server::RedisServer;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use support::{
    LIFETIME, add, add_safely, count, events, key,
    redis::{handle, replica_of, try_open},
    some_keys, soon,
};

/// Repeats it until it returns true.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = soon();
    while !is_so().await {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An address that leads new connections to the current primary; open ones stay.
struct Failover {
    keys: StoreKeys,
    primary: RedisServer,
    replica: RedisServer,
    url: String,
    target: Arc<Mutex<String>>,
}

impl Failover {
    async fn start() -> Self {
        let primary = RedisServer::start();
        let replica = replica_of(&primary);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let target = Arc::new(Mutex::new(primary.url()));
        let current = target.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let server = current.lock().unwrap().replace("redis://", "");
                let mut far = TcpStream::connect(server).await.unwrap();
                tokio::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
            }
        });
        Self {
            keys: some_keys(),
            primary,
            replica,
            url,
            target,
        }
    }

    /// A handle whose one step the replica has.
    async fn handle(&self) -> StoreHandle {
        let handle = handle(&self.url, &self.keys).await;
        assert_eq!(handle.run(add_safely("a"), soon()).await, Ok(1));
        assert_eq!(handle.read(count("a"), soon()).await, Ok(1));
        handle
    }

    /// Promotes the replica. The old primary becomes a replica that cannot synchronize.
    fn fail_over(&self) {
        let () = self.replica.command(&["REPLICAOF", "NO", "ONE"]);
        let () = self.primary.command(&["REPLICAOF", "127.0.0.1", "1"]);
        *self.target.lock().unwrap() = self.replica.url();
    }
}

#[tokio::test]
async fn a_step_is_read_from_the_server_it_was_committed_to() {
    let servers = Failover::start().await;
    let handle = servers.handle().await;
    servers.fail_over();
    assert_eq!(handle.run(add("a"), soon()).await, Ok(2));
    assert_eq!(handle.read(count("a"), soon()).await, Ok(2));
}

#[tokio::test]
async fn reads_leave_a_demoted_primary_without_a_commit() {
    let servers = Failover::start().await;
    let reader = servers.handle().await;
    servers.fail_over();
    let writer = handle(&servers.replica.url(), &servers.keys).await;
    assert_eq!(writer.run(add("a"), soon()).await, Ok(2));
    until(async || reader.read(count("a"), soon()).await == Ok(2)).await;
}

#[tokio::test]
async fn changed_settings_and_replicas_are_noticed() {
    events::keep();
    let primary = RedisServer::start();
    let handle = handle(&primary.url(), &some_keys()).await;
    let () = primary.command(&["CONFIG", "SET", "maxmemory", "100mb"]);
    let () = primary.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    until(async || handle.run(add("a"), soon()).await.is_err()).await;
    let () = primary.command(&["CONFIG", "SET", "maxmemory", "0"]);
    until(async || events::kept() == ["store.volatile", "store.failed", "store.recovered"]).await;

    let replica = replica_of(&primary);
    replica.freeze();
    until(async || handle.run(add_safely("b"), soon()).await == Err(StoreError::Unreachable)).await;
}

#[tokio::test]
async fn an_outage_of_the_replicas_is_logged_once() {
    events::keep();
    let primary = RedisServer::start();
    let replica = replica_of(&primary);
    let handle = handle(&primary.url(), &some_keys()).await;
    let mut expected = vec!["store.volatile"];
    replica.freeze();
    for _ in 0..3 {
        let unconfirmed = handle.run(add_safely("a"), soon()).await;
        assert_eq!(unconfirmed, Err(StoreError::Unreachable));
        handle.run(add("a"), soon()).await.unwrap();
    }
    expected.push("store.failed");
    assert_eq!(events::kept(), expected);
    replica.thaw();
    until(async || handle.run(add_safely("a"), soon()).await.is_ok()).await;
    expected.push("store.recovered");
    assert_eq!(events::kept(), expected);

    replica.freeze();
    assert!(handle.run(add_safely("a"), soon()).await.is_err());
    drop(replica);
    expected.extend(["store.failed", "store.recovered", "store.unreplicated"]);
    until(async || events::kept() == expected).await;
    handle.run(add_safely("a"), soon()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_demands_a_replica_takes_commits_once_it_has_one() {
    let (primary, keys) = (RedisServer::start(), some_keys());
    let handle = handle(&primary.url(), &keys).await;
    let store = try_open(&primary.url(), &keys).await.unwrap();
    assert_eq!(handle.run(add("a"), soon()).await, Ok(1));
    let read = store.load(&[key("b")]).await.unwrap();
    let () = primary.command(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    for guards_single_use in [false, true] {
        let row = StoredRow {
            value: vec![1],
            expires_at: read.now.after(LIFETIME),
        };
        let refused = Commit {
            now: read.now,
            compare: read.compare(),
            version: read.version,
            write: [(key("b"), Write::Put(row))].into(),
            deadline: read.now.after(LIFETIME),
            guards_single_use,
        };
        assert_eq!(store.commit(refused).await, CommitOutcome::NotRun);
    }
    assert!(handle.ready().await.is_err());
    assert_eq!(handle.read(count("a"), soon()).await, Ok(1));

    let waiting = handle.clone();
    let patient = tokio::spawn(async move { waiting.run(add("a"), soon()).await });
    let replica = replica_of(&primary);
    assert_eq!(patient.await.unwrap(), Ok(2));
    assert_eq!(handle.ready().await, Ok(()));
    drop(replica);
    until(async || handle.ready().await.is_err()).await;
}
