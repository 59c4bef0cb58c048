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

/// Starts a replica and waits until it follows its primary.
pub(crate) fn replica_of(primary: &RedisServer) -> RedisServer {
    let url = primary.url();
    let port = url.rsplit(':').next().unwrap();
    let () = primary.command(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", port]);
    let number = |name: &str| -> Option<u64> {
        let info: String = primary.command(&["INFO", "replication"]);
        let mut fields = info.split([',', '\r', '\n']);
        fields.find_map(|field| field.strip_prefix(name)?.parse().ok())
    };
    let started = Instant::now();
    let wait_until = |is_so: &dyn Fn() -> bool| {
        while !is_so() {
            assert!(started.elapsed() < Duration::from_mins(1));
            std::thread::yield_now();
        }
    };
    wait_until(&|| number("connected_slaves:") == Some(1) && number("offset=").is_some());
    // The primary reports it as online before it sends it anything new.
    let _: u64 = primary.command(&["PUBLISH", "news", ""]);
    let sent = number("master_repl_offset:").unwrap();
    wait_until(&|| number("offset=").is_some_and(|confirmed| confirmed >= sent));
    replica
}
