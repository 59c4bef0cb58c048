//! Idempotency keys while Plivo or the store fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use countersign_test_support::{
    hostile::{Fault, Hostile, OTP},
    plivo,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{KEY, keyed};
use crate::app::{Answer, TestApp, TestStore, until};

/// A stand-in for Plivo that accepts one create and throttles every validate; it answers
/// when told to.
struct Upstream {
    base_url: String,
    asked: Arc<AtomicUsize>,
    arrived: Arc<tokio::sync::Notify>,
    answer: Arc<tokio::sync::Notify>,
}

impl Upstream {
    async fn start() -> Self {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            base_url: format!("http://{}", listener.local_addr().unwrap()),
            asked: Arc::default(),
            arrived: Arc::default(),
            answer: Arc::default(),
        };
        let (asked, arrived, answer) = (
            upstream.asked.clone(),
            upstream.arrived.clone(),
            upstream.answer.clone(),
        );
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let count = socket.read(&mut request).await.unwrap();
                asked.fetch_add(1, Ordering::SeqCst);
                arrived.notify_one();
                answer.notified().await;
                let text = String::from_utf8_lossy(&request[..count]);
                let (status, body) = if text.contains("Verify/Session/ ") {
                    ("202 Accepted", plivo::CREATE_202)
                } else {
                    ("429 Too Many Requests", "{}")
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let answer = [head.as_bytes(), body.as_bytes()].concat();
                socket.write_all(&answer).await.unwrap();
            }
        });
        upstream
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[actix_web::test]
async fn a_send_whose_outcome_was_lost_is_not_repeated_under_its_key() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_live_in(TestStore::file(), &upstream.base_url, &[]).await;
    let body = json!({"recipient": "+14155552671"});
    // Steps have deadlines, so the clock must run.
    app.clock.run();
    let path = app.store.directory().join("countersign.db");
    let other = rusqlite::Connection::open(path).unwrap();
    let hold_up = async {
        upstream.arrived.notified().await;
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        upstream.answer.notify_one();
    };
    let sent = keyed(&app, "/api/otp/send", KEY, &body);
    let (sent, ()) = futures_util::join!(sent, hold_up);
    sent.problem(503, "temporarily_unavailable");
    other.execute_batch("ROLLBACK").unwrap();
    keyed(&app, "/api/otp/send", KEY, &body)
        .await
        .problem(409, "request_under_way");
    // It is no longer known whether a code was sent, and the answer says so.
    app.advance(Duration::from_secs(31));
    for _ in 0..2 {
        keyed(&app, "/api/otp/send", KEY, &body)
            .await
            .problem(504, "upstream_timeout");
    }
    assert_eq!(upstream.asked(), 1);
}

#[actix_web::test]
async fn a_check_that_plivo_throttled_is_one_check_under_its_key() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_live(&upstream.base_url, &[]).await;
    upstream.answer.notify_one();
    let sent = app.send("+14155552671").await.ok();
    let body = json!({"session_uuid": sent["session_uuid"], "otp": "123456"});
    upstream.answer.notify_one();
    let first = keyed(&app, "/api/otp/verify", KEY, &body).await;
    first.problem(503, "temporarily_unavailable");
    let again = keyed(&app, "/api/otp/verify", KEY, &body).await;
    again.problem(503, "temporarily_unavailable");
    assert_eq!(upstream.asked(), 2);
    let session = format!(
        "/api/otp/sessions/{}",
        sent["session_uuid"].as_str().unwrap()
    );
    upstream.answer.notify_one();
    assert_eq!(app.get(&session).await.ok()["checks_left"], 4);
}

/// A send, a resend and checks of sessions, each under its own key, and the answers to
/// them.
struct Answered(Vec<(&'static str, String, Value, Answer)>);

impl Answered {
    async fn ask(app: &TestApp) -> Self {
        let mut answered = Self(Vec::new());
        let number = json!({"recipient": "+14155550123"});
        let sent = answered.call(app, "/api/otp/send", number).await;
        let wrong = json!({"session_uuid": sent["session_uuid"], "otp": "654321"});
        answered.call(app, "/api/otp/verify", wrong).await;
        app.advance(Duration::from_secs(30));
        let resend = json!({"session_uuid": sent["session_uuid"]});
        answered.call(app, "/api/otp/resend", resend).await;
        let right = json!({"session_uuid": sent["session_uuid"], "otp": OTP});
        let verified = answered.call(app, "/api/otp/verify", right).await;
        assert_eq!(verified["verified"], true);
        answered
    }

    async fn call(&mut self, app: &TestApp, path: &'static str, body: Value) -> Value {
        let key = format!("key-of-an-answered-request-{}", self.0.len());
        let answer = keyed(app, path, &key, &body).await;
        let told = answer.json();
        self.0.push((path, key, body, answer));
        told
    }

    /// Each is answered as before; a new request is not, nor is another body under a
    /// known key.
    async fn are_answered_again(&self, app: &TestApp) {
        for (index, (path, key, body, first)) in self.0.iter().enumerate() {
            let again = keyed(app, path, key, body).await;
            let comparable = |answer: &Answer| {
                let mut told = answer.json();
                told.as_object_mut().unwrap().remove("request_id");
                (answer.status, told)
            };
            assert_eq!(comparable(&again), comparable(first), "{path}");
            let new = format!("key-of-a-request-that-is-new-{index}");
            for _ in 0..2 {
                keyed(app, path, &new, body)
                    .await
                    .problem(503, "temporarily_unavailable");
            }
            let mut other = body.clone();
            let (field, value) = match *path {
                "/api/otp/send" => ("recipient", "+14155550129"),
                "/api/otp/resend" => ("channel", "voice"),
                _ => ("otp", "111111"),
            };
            other[field] = json!(value);
            keyed(app, path, key, &other)
                .await
                .problem(422, "idempotency_key_reused");
        }
        // Without a key there is no answer to find.
        app.send("+14155550123")
            .await
            .problem(503, "temporarily_unavailable");
    }
}

#[actix_web::test]
async fn stored_answers_are_returned_while_the_circuit_breaker_is_open() {
    let hostile = Hostile::start(Fault::None);
    let app = TestApp::start_live(&hostile.base_url(), &[]).await;
    let answered = Answered::ask(&app).await;
    let throttle = "content-type: application/json\r\nretry-after: 50\r\n";
    hostile.does(Fault::answer("429 Slower", throttle, b"{}"));
    app.send("+14155550128")
        .await
        .problem(503, "temporarily_unavailable");
    let calls = (hostile.creates(), hostile.validates());
    answered.are_answered_again(&app).await;
    assert_eq!((hostile.creates(), hostile.validates()), calls);
}

#[actix_web::test]
async fn stored_answers_are_returned_while_the_bulkhead_is_full() {
    let hostile = Hostile::start(Fault::None);
    let settings = [
        ("PLIVO_CALLS_AT_ONCE", "5"),
        ("LIMIT_SENDS_PER_ADDRESS", "off"),
        ("LIMIT_NUMBERS_PER_ADDRESS", "off"),
        ("LIMIT_SENDS_PER_RANGE", "off"),
    ];
    let app = TestApp::start_live(&hostile.base_url(), &settings).await;
    let answered = Answered::ask(&app).await;
    let pending = app.send("+14155550127").await.ok();
    let calls = hostile.creates() + hostile.validates();
    hostile.does(Fault::Silent);
    let send = async |index: usize| app.send(&format!("+1415555013{index}")).await;
    let check = json!({"session_uuid": pending["session_uuid"], "otp": OTP});
    let hang = async {
        let sends = join_all((0..4).map(send));
        let check = app.post("/api/otp/verify", &check);
        futures_util::future::join(sends, check).await;
    };
    let meanwhile = async {
        let reached = || hostile.creates() + hostile.validates() - calls;
        until("all five hang", || reached() == 5).await;
        answered.are_answered_again(&app).await;
        assert_eq!(reached(), 5);
        hostile.end_connections();
    };
    futures_util::join!(hang, meanwhile);
}
