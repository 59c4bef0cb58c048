//! Floods of requests that are free of charge, over many connections and with many
//! requests in flight: sends and checks must still be served.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::app::{TestApp, one_load_at_a_time, until};

const CONNECTIONS: usize = 250;
/// The number of pipelined requests that the server reads ahead.
const PIPELINED: usize = 16;

/// Requests `path` continuously on all connections, until dropped.
struct Flood {
    _callers: JoinSet<()>,
    answered: Arc<AtomicUsize>,
}

impl Flood {
    fn of(app: &TestApp, path: &str) -> Self {
        let answered = Arc::new(AtomicUsize::new(0));
        let requests = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").repeat(PIPELINED);
        let mut callers = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (address, answered) = (app.app.address(), answered.clone());
            let requests = requests.clone();
            callers.spawn(async move {
                let mut socket = TcpStream::connect(address).await.unwrap();
                let mut answers = vec![0; 1 << 16];
                loop {
                    socket.write_all(requests.as_bytes()).await.unwrap();
                    let mut left = PIPELINED;
                    while left > 0 {
                        let count = socket.read(&mut answers).await.unwrap();
                        assert_ne!(count, 0, "the connection was closed");
                        let text = String::from_utf8_lossy(&answers[..count]);
                        let heads = text.matches("HTTP/1.1 ").count();
                        answered.fetch_add(heads, Ordering::Relaxed);
                        left = left.saturating_sub(heads);
                    }
                }
            });
        }
        Self {
            _callers: callers,
            answered,
        }
    }
}

/// During a flood of requests for `path`, others can send and check codes.
async fn does_not_block_others(app: &TestApp, path: &str) {
    let _load = one_load_at_a_time().await;
    let before = app.sent("+14155550101").await;
    let flood = Flood::of(app, path);
    let has_begun = || flood.answered.load(Ordering::Relaxed) > CONNECTIONS;
    until("the flood is there", has_begun).await;
    // A queue that persists for a second is kept short from then on.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for index in 10..30 {
        let session = app.sent(&format!("+141555501{index}")).await;
        app.verify(&session, &session.wrong_otp())
            .await
            .problem(400, "otp_incorrect");
        app.verify(&session, &session.otp).await.ok();
    }
    app.verify(&before, &before.otp).await.ok();
}

const OFF: [(&str, &str); 1] = [("LIMIT_READS_PER_ADDRESS", "off")];

#[actix_web::test]
async fn a_flood_of_session_reads_does_not_block_sends_and_checks() {
    let app = TestApp::start_with(&OFF).await;
    let watched = app.sent("+14155550131").await;
    does_not_block_others(&app, &format!("/api/otp/sessions/{}", watched.id)).await;
}

#[actix_web::test]
async fn a_flood_of_reads_of_an_unknown_session_does_not_block_sends_and_checks() {
    let app = TestApp::start_with(&OFF).await;
    let unknown = "/api/otp/sessions/1110a4f8-094c-4cda-9f99-f9afb659047f";
    does_not_block_others(&app, unknown).await;
}

#[actix_web::test]
async fn a_flood_of_readiness_checks_does_not_block_sends_and_checks() {
    does_not_block_others(&TestApp::start().await, "/readyz").await;
}

#[actix_web::test]
async fn reads_have_a_limit_of_their_own_per_address() {
    let settings = [
        ("LIMIT_READS_PER_ADDRESS", "4/1h"),
        ("LIMIT_REQUESTS_PER_ADDRESS", "3/1h"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let app = TestApp::start_with(&settings).await;
    let session = app.sent("+14155550123").await;
    let path = format!("/api/otp/sessions/{}", session.id);
    let read = async |path: &str, address: &str| {
        let request = app.request(reqwest::Method::GET, path);
        app.call(request.header("x-forwarded-for", address)).await
    };
    let mine = "203.0.113.1";
    for path in [&path, "/api/otp/sessions/x"] {
        read(path, mine).await;
        read(path, mine).await;
    }
    for path in [
        path.as_str(),
        "/api/otp/sessions/x",
        &format!("{path}/events"),
    ] {
        // A stream that is not refused would not end.
        let answer = tokio::time::timeout(Duration::from_secs(10), read(path, mine)).await;
        let problem = answer.unwrap().problem(429, "rate_limited");
        let seconds = problem["retry_after"].as_u64().unwrap();
        assert!((890..=900).contains(&seconds), "{seconds}");
    }
    read(&path, "203.0.113.2").await.ok();
    // Neither limit counts for the other.
    let body = json!({"session_uuid": session.id, "otp": session.otp});
    let verify = app.request(reqwest::Method::POST, "/api/otp/verify");
    let verified = verify.header("x-forwarded-for", mine).json(&body);
    app.call(verified).await.ok();
    read("/healthz", mine).await.ok();
}

#[actix_web::test]
async fn a_client_that_keeps_writing_during_an_answer_is_disconnected() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    let mut socket = TcpStream::connect(app.app.address()).await.unwrap();
    let stream = format!(
        "GET /api/otp/sessions/{}/events HTTP/1.1\r\nhost: x\r\n\r\n",
        session.id
    );
    socket.write_all(stream.as_bytes()).await.unwrap();
    socket.read_u8().await.unwrap();
    // More than the server reads ahead: it would busy-loop until the stream ends, which
    // takes ten minutes.
    let more = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100_000);
    let (mut reader, mut writer) = socket.split();
    let mut rest = Vec::new();
    let (writes, reads) = (writer.write_all(&more), reader.read_to_end(&mut rest));
    let both = futures_util::future::join(writes, reads);
    let closed = tokio::time::timeout(Duration::from_secs(20), both).await;
    // Closed, with or without a reset.
    closed.unwrap().1.ok();
}

#[actix_web::test]
async fn a_slow_request_head_times_out() {
    let app = TestApp::start().await;
    let mut socket = TcpStream::connect(app.app.address()).await.unwrap();
    socket.write_all(b"GET /healthz HTT").await.unwrap();
    let started = Instant::now();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.ok();
    let took = started.elapsed().as_secs_f64();
    assert!((4.0..7.0).contains(&took), "{took}");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "));
    let get = app
        .call(app.request(reqwest::Method::GET, "/healthz"))
        .await;
    get.ok();
}
