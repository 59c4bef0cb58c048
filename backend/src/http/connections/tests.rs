use std::io::ErrorKind;

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

/// More than the client's side buffers while it does not read.
const BUFFER: usize = 1024;

fn connections(most: usize, most_per_address: u32) -> Connections {
    let proxies = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
    Connections::new(most, NonZeroU32::new(most_per_address), proxies)
}

/// A connection and its client's side.
fn connected(connections: &Connections) -> (Connection<DuplexStream>, DuplexStream) {
    let (stream, caller) = duplex(BUFFER);
    let peer = "127.0.0.1".parse().unwrap();
    (connections.enter(peer, stream).unwrap(), caller)
}

/// The client sends bytes, which are read.
async fn hear(
    (connection, caller): (&mut Connection<DuplexStream>, &mut DuplexStream),
    said: &str,
) {
    caller.write_all(said.as_bytes()).await.unwrap();
    let mut heard = vec![0; said.len()];
    connection.read_exact(&mut heard).await.unwrap();
}

fn serving(connection: &Connection<DuplexStream>) -> Serving {
    Serving::begin(&connection.activity())
}

#[test]
fn so_many_from_one_address_and_any_number_through_a_proxy() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let connections = connections(1000, 2);
    let enter = |peer: &str| connections.enter(peer.parse().unwrap(), ());
    for free in ["10.1.2.3", "127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        let open: Vec<_> = (0..9).map_while(|_| enter(free)).collect();
        assert_eq!(open.len(), 9, "{free}");
    }
    let first = enter("198.51.100.7");
    let second = enter("::ffff:198.51.100.7");
    assert!(first.is_some() && second.is_some());
    assert!(enter("198.51.100.7").is_none());
    assert!(enter("198.51.100.8").is_some());
    drop(first);
    assert!(enter("198.51.100.7").is_some());
    drop(second);
    let open = connections.open();
    assert!(open.by_address.is_empty() && open.all.is_empty());
}

#[tokio::test]
async fn a_connection_that_a_key_came_over_does_not_count_for_its_address() {
    let connections = connections(1000, 2);
    let enter = || connections.enter("198.51.100.7".parse().unwrap(), ());
    let vouched: Vec<_> = (0..9)
        .map(|_| {
            let connection = enter().unwrap();
            connection.activity().uncount();
            connection
        })
        .collect();
    let (first, second) = (enter(), enter());
    assert!(first.is_some() && second.is_some() && enter().is_none());
    drop(vouched);
    assert!(enter().is_none());
    drop((first, second));
    let open = connections.open();
    assert!(open.by_address.is_empty() && open.all.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_so_long_for_its_caller_to_read_on() {
    let connections = connections(1000, 9);
    let (mut connection, mut caller) = connected(&connections);
    // A slow but steady reader.
    let answer = vec![0; 20 * BUFFER];
    let reads = async {
        let mut piece = vec![0; BUFFER];
        for _ in 0..18 {
            tokio::time::sleep(Duration::from_secs(3)).await;
            caller.read_exact(&mut piece).await.unwrap();
        }
        // Now one byte each second.
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            caller.read_u8().await.unwrap();
        }
    };
    let started = Instant::now();
    let error = tokio::select! {
        written = connection.write_all(&answer) => written.unwrap_err(),
        () = reads => unreachable!(),
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let took = started.elapsed().as_secs();
    assert!((54..=54 + 15).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn the_head_of_a_later_request_has_five_seconds_and_what_is_served_has_more() {
    let connections = connections(1000, 9);
    let (mut connection, mut caller) = connected(&connections);
    let mut buffer = [0; 64];
    hear((&mut connection, &mut caller), "GET / HTTP/1.1\r\n\r\n").await;
    let first = serving(&connection);
    // It takes its time, whatever is read ahead meanwhile.
    hear((&mut connection, &mut caller), "GE").await;
    let more = connection.read(&mut buffer);
    tokio::time::timeout(Duration::from_mins(5), more)
        .await
        .unwrap_err();
    drop(first);
    for piece in ["T", " ", "/"] {
        hear((&mut connection, &mut caller), piece).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let started = Instant::now();
    let error = connection.read(&mut buffer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(started.elapsed().as_secs(), 2);
}

#[tokio::test]
async fn what_came_with_an_earlier_request_lets_others_go_first() {
    let connections = connections(1000, 9);
    let (mut connection, mut caller) = connected(&connections);
    hear((&mut connection, &mut caller), "three requests at once").await;
    // Whether it has to wait for others.
    let waits =
        |connection: &Connection<DuplexStream>| serving(connection).turn().now_or_never().is_none();
    let ahead: Vec<bool> = (0..3).map(|_| waits(&connection)).collect();
    assert_eq!(ahead, [false, true, true]);
    hear((&mut connection, &mut caller), "another").await;
    assert!(!waits(&connection));
}

#[tokio::test(start_paused = true)]
async fn nothing_at_all_for_long_ends_it() {
    let connections = connections(1000, 9);
    let (mut connection, mut caller) = connected(&connections);
    let mut buffer = [0; 64];
    hear((&mut connection, &mut caller), "GET / HTTP/1.1\r\n\r\n").await;
    drop(serving(&connection));
    connection.flush().await.unwrap();
    let started = Instant::now();
    let error = connection.read(&mut buffer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(started.elapsed().as_secs(), 80);
}

#[tokio::test]
async fn who_makes_the_framework_turn_in_circles_is_cut_off() {
    let connections = connections(1000, 9);
    let (mut connection, _caller) = connected(&connections);
    let _serving = serving(&connection);
    let mut turns = 0;
    while connection.flush().await.is_ok() {
        turns += 1;
        assert!(turns < 100_000);
    }
    assert!(turns > 1000);
}

#[tokio::test(start_paused = true)]
async fn where_there_are_many_the_quiet_ones_make_room() {
    let connections = connections(64, 9);
    let mut open: Vec<_> = (0..55).map(|_| connected(&connections)).collect();
    tokio::time::sleep(QUIET).await;
    assert_eq!(connections.make_room(), 0);
    // One more is many; it is new, and four of the others are not quiet.
    open.push(connected(&connections));
    let busy = serving(&open[0].0);
    let (heard, caller) = &mut open[1];
    hear((heard, caller), "GET").await;
    assert_eq!(connections.make_room(), 8);
    // Until they are gone no others go.
    assert_eq!(connections.make_room(), 0);
    let mut closed = Vec::new();
    for (index, (connection, _)) in open.iter_mut().enumerate() {
        let mut buffer = [0; 8];
        let read = connection.read(&mut buffer);
        match tokio::time::timeout(Duration::from_millis(1), read).await {
            Err(_) => {}
            Ok(read) => {
                assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionAborted);
                closed.push(index);
            }
        }
    }
    assert_eq!(closed.len(), 8);
    assert!(
        closed.iter().all(|index| (2..55).contains(index)),
        "{closed:?}"
    );
    drop(busy);
}

#[test]
fn files_are_kept_for_plivo_and_the_store_whatever_the_limit() {
    let room = |files, calls, sandbox| super::connections(Some(files), calls, sandbox).ok();
    assert_eq!(room(2048, 256, false), Some(2048 - 256 - KEPT_FILES));
    assert_eq!(room(2048, 256, true), Some(2048 - 512 - KEPT_FILES));
    assert_eq!(room(1 << 20, 256, false), Some(MAX_CONNECTIONS));
    assert_eq!(room(448, 256, false), Some(64));
    assert_eq!(room(447, 256, false), None);
    assert_eq!(room(256, 256, true), Some(64));
    assert_eq!(room(256, 32, false), Some(96));
    let refusal = super::connections(Some(256), 256, false).unwrap_err();
    assert!(
        refusal
            .to_string()
            .starts_with("PLIVO_CALLS_AT_ONCE: 256 calls")
    );
    assert!(super::connections(None, 256, false).is_ok());
}
