//! Redis stores, and replicas of their servers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use countersign_store::{
    NoObserver, RedisStore, StoreHandle, StoreKeys,
    redis::{Address, OpenError},
};
use redis_test_server::RedisServer;

pub(crate) async fn try_open(url: &str, keys: &StoreKeys) -> Result<RedisStore, OpenError> {
    let address = Address::parse(url).unwrap().unwrap();
    RedisStore::open(&address, keys).await
}

pub(crate) async fn handle(url: &str, keys: &StoreKeys) -> StoreHandle {
    let store = try_open(url, keys).await.unwrap();
    StoreHandle::start(Arc::new(store), Arc::new(NoObserver))
}

/// Starts a replica and waits until it is in sync with its primary.
pub(crate) fn replica_of(primary: &RedisServer) -> RedisServer {
    let url = primary.url();
    let port = url.rsplit(':').next().unwrap();
    let () = primary.command(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", port]);
    let started = Instant::now();
    loop {
        let info: String = primary.command(&["INFO", "replication"]);
        let all = info
            .lines()
            .find_map(|line| line.strip_prefix("master_repl_offset:"));
        let in_step = format!("state=online,offset={},", all.unwrap());
        if info.contains(&in_step) {
            return replica;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{info}");
        std::thread::yield_now();
    }
}
