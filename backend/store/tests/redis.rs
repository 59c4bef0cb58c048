//! The Redis store: refused servers, recovery from outages, and replicas.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use countersign_store::{Store, StoreError, redis::OpenError};
use futures_util::future::join_all;
use redis_test_server::RedisServer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use support::{
    add, add_safely, count, key,
    redis::{handle, replica_of, try_open},
    some_keys, soon,
};

#[tokio::test]
async fn an_unfit_server_is_refused_in_one_line() {
    let keys = some_keys();
    let server = RedisServer::start_with(&["--maxmemory", "100mb"]);
    let () = server.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let refused = try_open(&server.url(), &keys).await.err().unwrap();
    assert!(matches!(refused, OpenError::MayEvict { .. }), "{refused}");
    let () = server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    let store = try_open(&server.url(), &keys).await.unwrap();
    let () = server.command(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"]);
    assert!(store.ready().await.is_err(), "it may be set so at any time");
    let () = server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(store.ready().await, Ok(()));

    let refused = try_open(&server.url(), &some_keys()).await.err().unwrap();
    assert!(matches!(refused, OpenError::OtherKey { .. }), "{refused}");
    try_open(&server.url(), &keys).await.unwrap();

    let replica = replica_of(&server);
    let refused = try_open(&replica.url(), &keys).await.err().unwrap();
    assert!(matches!(refused, OpenError::ReadOnly { .. }), "{refused}");

    let nobody = try_open("redis://127.0.0.1:1", &keys).await.err().unwrap();
    assert!(matches!(nobody, OpenError::Unreachable { .. }), "{nobody}");
    for error in [refused, nobody] {
        assert_eq!(error.to_string().lines().count(), 1);
    }
}

#[tokio::test]
async fn the_store_recovers_after_an_outage() {
    let mut server = RedisServer::start();
    let handle = handle(&server.url(), &some_keys()).await;
    assert_eq!(handle.run(add("a"), soon()).await, Ok(1));
    for _ in 0..3 {
        server.kill();
        let started = Instant::now();
        let refused = handle.run(add("a"), soon()).await;
        assert!(refused.is_err(), "{refused:?}");
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "it says so at once"
        );
        assert!(handle.ready().await.is_err());
        assert_eq!(
            handle.read(count("a"), soon()).await,
            Err(StoreError::NotRun)
        );
        // It starts empty: rows and scripts are gone.
        server.start_again();
        assert_eq!(handle.ready().await, Ok(()));
        assert_eq!(handle.run(add("a"), soon()).await, Ok(1));
        assert_eq!(handle.read(count("a"), soon()).await, Ok(1));
    }
    // A server may drop its scripts at any time.
    let () = server.command(&["SCRIPT", "FLUSH"]);
    assert_eq!(handle.run(add("a"), soon()).await, Ok(2));
}

#[tokio::test]
async fn an_unresponsive_server_delays_nobody_beyond_the_deadline() {
    let server = RedisServer::start();
    let handle = handle(&server.url(), &some_keys()).await;
    assert_eq!(handle.run(add("a"), soon()).await, Ok(1));
    server.freeze();
    let started = Instant::now();
    let within = |milliseconds| started + Duration::from_millis(milliseconds);
    let hasty = handle.run(add("a"), within(300));
    let read = handle.read(count("a"), within(300));
    let (hasty, read) = tokio::join!(hasty, read);
    assert!(hasty.is_err() && read.is_err());
    assert!(started.elapsed() < Duration::from_secs(1));
    let patient = handle.run(add("a"), soon()).await;
    assert!(patient.is_err(), "not even within the deadline of its own");
    assert!(started.elapsed() < Duration::from_secs(4));
    server.thaw();
    // The late commands that the server finds on its connection have no effect.
    assert_eq!(handle.run(add("a"), soon()).await, Ok(2));
    assert_eq!(handle.read(count("a"), soon()).await, Ok(2));
}

#[tokio::test]
async fn a_primary_that_became_a_replica_is_not_written_to() {
    let (server, other) = (RedisServer::start(), RedisServer::start());
    let handle = handle(&server.url(), &some_keys()).await;
    assert_eq!(handle.run(add("a"), soon()).await, Ok(1));
    let url = other.url();
    let port = url.rsplit(':').next().unwrap();
    let () = server.command(&["CONFIG", "SET", "slave-read-only", "yes"]);
    let () = server.command(&["REPLICAOF", "127.0.0.1", port]);
    let deadline = Instant::now() + Duration::from_millis(300);
    let refused = handle.run(add("a"), deadline).await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(handle.ready().await.is_err());
    let () = server.command(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(handle.ready().await, Ok(()));
    handle.run(add("a"), soon()).await.unwrap();
}

#[tokio::test]
async fn a_step_that_guards_single_use_is_answered_once_a_replica_has_it() {
    let primary = RedisServer::start();
    let handle = handle(&primary.url(), &some_keys()).await;
    // Without a replica there is nothing to wait for.
    assert_eq!(handle.run(add_safely("a"), soon()).await, Ok(1));
    let replica = replica_of(&primary);
    assert_eq!(handle.ready().await, Ok(()));
    for expected in 2..20 {
        assert_eq!(handle.run(add_safely("a"), soon()).await, Ok(expected));
        let name = format!("{{countersign}}:{}", key("a").as_str());
        let value: Vec<u8> = replica.command(&["GETRANGE", &name, "17", "-1"]);
        assert_eq!(value, format!("{{\"count\":{expected}}}").as_bytes());
    }
    replica.freeze();
    // A step that does not guard single use does not wait.
    assert_eq!(handle.run(add("a"), soon()).await, Ok(20));
    let unconfirmed = handle.run(add_safely("a"), soon()).await;
    assert_eq!(unconfirmed, Err(StoreError::Unreachable));
    replica.thaw();
    let confirmed = handle.run(add_safely("a"), soon()).await;
    assert_eq!(confirmed, Ok(22), "the other one has happened");
    drop(replica);
    // The first may still expect the replica; then the loss is known.
    handle.run(add_safely("a"), soon()).await.ok();
    handle.run(add_safely("a"), soon()).await.unwrap();
}

/// Forwards bytes with a delay of `distance` in each direction.
async fn far_away(server: &RedisServer, distance: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let target = server.url().replace("redis://", "");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(&target).await.unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            let (near, far) = (near.into_split(), far.into_split());
            tokio::spawn(pass_on(near.0, far.1, distance));
            tokio::spawn(pass_on(far.0, near.1, distance));
        }
    });
    url
}

async fn pass_on(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    distance: Duration,
) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let at = Instant::now() + distance;
            sender.send((at, buffer[..length].to_vec())).ok();
        }
    };
    let write = async move {
        while let Some((at, bytes)) = receiver.recv().await {
            tokio::time::sleep_until(at.into()).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}

/// One of three instances is 20 ms away from the server, and all write the same row
/// continuously.
#[tokio::test(flavor = "multi_thread")]
async fn a_distant_instance_gets_its_turn() {
    let server = RedisServer::start();
    let keys = some_keys();
    let distant = far_away(&server, Duration::from_millis(20)).await;
    let mut instances = Vec::new();
    for url in [&server.url(), &server.url(), &distant] {
        instances.push(handle(url, &keys).await);
    }
    let until = Instant::now() + Duration::from_secs(3);
    let callers = instances.iter().flat_map(|instance| {
        (0..8).map(move |_| async move {
            let (mut steps, mut longest) = (0_u64, Duration::ZERO);
            while Instant::now() < until {
                let started = Instant::now();
                instance.run(add("one"), soon()).await.unwrap();
                longest = longest.max(started.elapsed());
                steps += 1;
            }
            (steps, longest)
        })
    });
    let counted: Vec<(u64, Duration)> = join_all(callers).await;
    let steps: u64 = counted.iter().map(|(steps, _)| steps).sum();
    assert_eq!(instances[0].read(count("one"), soon()).await, Ok(steps));
    let longest = counted.iter().map(|(_, longest)| *longest).max();
    let far: u64 = counted[16..].iter().map(|(steps, _)| steps).sum();
    assert!(longest.unwrap() < Duration::from_secs(1), "{longest:?}");
    assert!(far >= 16, "{far} of {steps}");
}
