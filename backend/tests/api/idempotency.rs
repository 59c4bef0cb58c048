//! One key, one effect, one answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, TestStore};

const KEY: &str = "5f0c9a52-0f6c-4d6e-9f6f-0f1b2c3d4e5f";

async fn keyed(app: &TestApp, path: &str, key: &str, body: &Value) -> Answer {
    let request = app
        .request(Method::POST, path)
        .header("idempotency-key", key)
        .json(body);
    app.call(request).await
}

#[actix_web::test]
async fn a_repeated_send_is_one_message_and_the_same_answer() {
    let app = TestApp::start().await;
    let body = json!({"recipient": "+14155550123"});
    let first = keyed(&app, "/api/otp/send", KEY, &body).await;
    first.ok();
    app.advance(Duration::from_secs(100));
    for _ in 0..3 {
        let again = keyed(&app, "/api/otp/send", KEY, &body).await;
        assert_eq!((again.status, &again.text), (200, &first.text));
        assert_eq!(again.header("content-type"), "application/json");
    }
    assert_eq!(app.simulator().calls().create, 1);
    let other = json!({"recipient": "+14155550124"});
    keyed(&app, "/api/otp/send", KEY, &other)
        .await
        .problem(422, "idempotency_key_reused");
    // As long as the session lives.
    app.advance(Duration::from_mins(10));
    let later = keyed(&app, "/api/otp/send", KEY, &body).await;
    assert_ne!(later.ok()["session_uuid"], first.json()["session_uuid"]);
}

#[actix_web::test]
async fn a_hundred_at_once_are_one_message() {
    let app = TestApp::start().await;
    let body = json!({"recipient": "+14155550123"});
    let calls = (0..100).map(|_| keyed(&app, "/api/otp/send", KEY, &body));
    let answers = join_all(calls).await;
    assert_eq!(app.simulator().calls().create, 1);
    let sent: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert!(!sent.is_empty());
    assert!(sent.iter().all(|answer| answer.text == sent[0].text));
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.problem(409, "request_under_way")["retry_after"], 1);
    }
}

#[actix_web::test]
async fn a_lost_success_can_be_fetched_again_for_a_minute_and_no_code_works_twice() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    let body = json!({"session_uuid": session.id, "otp": session.otp});
    let first = keyed(&app, "/api/otp/verify", KEY, &body).await;
    assert_eq!(first.ok()["verified"], true);
    let again = keyed(&app, "/api/otp/verify", KEY, &body).await;
    assert_eq!(again.text, first.text);
    app.verify(&session, &session.otp)
        .await
        .problem(409, "session_already_verified");
    keyed(&app, "/api/otp/verify", "another-key-of-mine", &body)
        .await
        .problem(409, "session_already_verified");
    app.advance(Duration::from_mins(1));
    keyed(&app, "/api/otp/verify", KEY, &body)
        .await
        .problem(409, "session_already_verified");
    assert_eq!(app.simulator().calls().validate, 1);
}

#[actix_web::test]
async fn a_repeated_wrong_code_uses_up_one_check() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    let body = json!({"session_uuid": session.id, "otp": session.wrong_otp()});
    let mut request_ids = Vec::new();
    for _ in 0..3 {
        let problem = keyed(&app, "/api/otp/verify", KEY, &body)
            .await
            .problem(400, "otp_incorrect");
        assert_eq!(problem["checks_left"], 4);
        request_ids.push(problem["request_id"].clone());
    }
    request_ids.dedup();
    assert_eq!(request_ids.len(), 3);
    assert_eq!(app.simulator().calls().validate, 1);
}

#[actix_web::test]
async fn what_did_nothing_may_be_asked_again_under_its_key() {
    let app = TestApp::start().await;
    app.send("+14155550123").await.ok();
    let body = json!({"recipient": "+14155550123"});
    keyed(&app, "/api/otp/send", KEY, &body)
        .await
        .problem(429, "rate_limited");
    app.advance(Duration::from_secs(30));
    keyed(&app, "/api/otp/send", KEY, &body).await.ok();
}

/// Requests that are refused before anything is counted, by what needs no state
/// and by what does.
fn refused(session: &str, gone: &str) -> [(&'static str, Value, &'static str); 9] {
    let send = |body| ("/api/otp/send", body);
    let unknown = "1110a4f8-094c-4cda-9f99-f9afb659047f";
    [
        (
            send(json!({"recipient": "+4915123456789"})),
            "country_not_allowed",
        ),
        (
            send(json!({"recipient": "+18005550199"})),
            "number_type_not_allowed",
        ),
        (
            send(json!({"recipient": "+14155550199", "channel": "whatsapp"})),
            "channel_not_available",
        ),
        (
            send(json!({"recipient": "4155550199"})),
            "recipient_invalid",
        ),
        (
            ("/api/otp/resend", json!({"session_uuid": unknown})),
            "session_not_found",
        ),
        (
            (
                "/api/otp/resend",
                json!({"session_uuid": session, "channel": "whatsapp"}),
            ),
            "channel_not_available",
        ),
        (
            (
                "/api/otp/verify",
                json!({"session_uuid": session, "otp": "12345"}),
            ),
            "invalid_request",
        ),
        (
            (
                "/api/otp/verify",
                json!({"session_uuid": unknown, "otp": "123456"}),
            ),
            "session_not_found",
        ),
        (
            (
                "/api/otp/verify",
                json!({"session_uuid": gone, "otp": "123456"}),
            ),
            "session_already_verified",
        ),
    ]
    .map(|((path, body), code)| (path, body, code))
}

/// A service with a session that is open, and one that is over.
async fn with_sessions(store: TestStore) -> (TestApp, String, String) {
    let settings = [
        ("ALLOWED_COUNTRIES", "US,GB"),
        ("ALLOWED_CHANNELS", "sms,voice"),
    ];
    let app = TestApp::start_in(store, &settings).await;
    let session = app.sent("+14155550123").await;
    let gone = app.sent("+14155550124").await;
    app.verify(&gone, &gone.otp).await.ok();
    (app, session.id, gone.id)
}

#[actix_web::test]
async fn a_refusal_for_which_nothing_was_counted_leaves_the_key_free() {
    let (app, session, gone) = with_sessions(TestStore::usual()).await;
    for (index, (path, body, code)) in refused(&session, &gone).into_iter().enumerate() {
        let key = format!("key-of-a-refused-request-{index}");
        for _ in 0..2 {
            let answer = keyed(&app, path, &key, &body).await;
            assert_eq!(answer.json()["code"], code, "{body}");
        }
        // It was taken by none of them: another request may have it.
        let other = match path {
            "/api/otp/send" => json!({"recipient": format!("+1415555013{index}")}),
            "/api/otp/resend" => json!({"session_uuid": session, "channel": "voice"}),
            _ => json!({"session_uuid": body["session_uuid"], "otp": "654321"}),
        };
        let answer = keyed(&app, path, &key, &other).await;
        assert_ne!(answer.status, 422, "{body}: {}", answer.text);
    }
    // A wrong code was counted: it is one check however often it is repeated.
    let body = json!({"session_uuid": session, "otp": "000000"});
    let left = keyed(&app, "/api/otp/verify", KEY, &body).await;
    let again = keyed(&app, "/api/otp/verify", KEY, &body).await;
    left.problem(400, "otp_incorrect");
    assert_eq!(left.json()["checks_left"], again.json()["checks_left"]);
}

#[actix_web::test]
async fn a_refusal_for_which_nothing_was_counted_is_not_written_down() {
    let (app, session, gone) = with_sessions(TestStore::file()).await;
    let path = app.store.directory().join("countersign.db");
    let kept = || {
        let file = rusqlite::Connection::open(&path).unwrap();
        let count = file.query_row("SELECT count(*) FROM answer", [], |row| row.get(0));
        count.map(|count: i64| count).unwrap()
    };
    let log = || {
        std::fs::metadata(path.with_extension("db-wal"))
            .unwrap()
            .len()
    };
    for (index, (path, body, code)) in refused(&session, &gone).into_iter().enumerate() {
        let before = log();
        for round in 0..10 {
            let key = format!("key-of-a-refused-request-{index}-{round}");
            let answer = keyed(&app, path, &key, &body).await;
            assert_eq!(answer.json()["code"], code, "{body}");
        }
        assert_eq!(kept(), 0, "{body}");
        // Not even for a moment, where no session is there that may have an answer.
        if code != "session_already_verified" {
            assert_eq!(log(), before, "{body}");
        }
    }
}

#[actix_web::test]
async fn a_key_belongs_to_its_caller_and_its_call() {
    let app =
        TestApp::start_with(&[("TRUSTED_PROXIES", "127.0.0.1"), ("RESEND_WAITS", "1s")]).await;
    let body = json!({"recipient": "+14155550123"});
    let by = async |address: &str| {
        let request = app
            .request(Method::POST, "/api/otp/send")
            .header("idempotency-key", KEY)
            .header("x-forwarded-for", address)
            .json(&body);
        app.call(request).await
    };
    let mine = by("203.0.113.1").await;
    mine.ok();
    app.advance(Duration::from_secs(1));
    let another = by("203.0.113.2").await;
    assert_ne!(another.ok()["session_uuid"], mine.json()["session_uuid"]);
    assert_eq!(by("203.0.113.1").await.text, mine.text);
    app.advance(Duration::from_secs(1));
    let resend = json!({"session_uuid": mine.json()["session_uuid"]});
    keyed(&app, "/api/otp/resend", KEY, &resend).await.ok();
}

/// A service behind a proxy, which says where callers are.
async fn start_behind_proxy(settings: &[(&str, &str)]) -> TestApp {
    TestApp::start_with(&[&[("TRUSTED_PROXIES", "127.0.0.1")], settings].concat()).await
}

/// The same as `keyed`, by a caller at that address.
async fn keyed_at(app: &TestApp, address: &str, path: &str, body: &Value) -> Answer {
    let request = app
        .request(Method::POST, path)
        .header("idempotency-key", KEY)
        .header("x-forwarded-for", address)
        .json(body);
    app.call(request).await
}

#[actix_web::test]
async fn a_lost_answer_is_fetched_from_another_network() {
    let app = start_behind_proxy(&[]).await;
    let session = app.sent("+14155550123").await;
    let verify = json!({"session_uuid": session.id, "otp": session.otp});
    app.advance(Duration::from_secs(30));
    let resend = json!({"session_uuid": session.id, "channel": "voice"});
    for (path, body) in [("/api/otp/resend", &resend), ("/api/otp/verify", &verify)] {
        let first = keyed_at(&app, "203.0.113.1", path, body).await;
        first.ok();
        // From Wi-Fi to mobile data, and from IPv4 to IPv6.
        for address in ["198.51.100.7", "2001:db8:1:2::3"] {
            let again = keyed_at(&app, address, path, body).await;
            assert_eq!((again.status, &again.text), (200, &first.text), "{address}");
        }
    }
    let calls = app.simulator().calls();
    assert_eq!((calls.create, calls.validate), (2, 1));
}

#[actix_web::test]
async fn a_key_of_another_session_is_another_key() {
    let app = TestApp::start().await;
    for number in ["+14155550123", "+14155550124"] {
        let session = app.sent(number).await;
        let body = json!({"session_uuid": session.id, "otp": session.otp});
        let verified = keyed(&app, "/api/otp/verify", KEY, &body).await.ok();
        assert_eq!(verified["recipient"], number);
    }
}

#[actix_web::test]
async fn codes_cannot_be_tried_by_a_key() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    let body = |otp: &str| json!({"session_uuid": session.id, "otp": otp});
    let right = body(&session.otp);
    let first = keyed(&app, "/api/otp/verify", KEY, &right).await;
    first.ok();
    let wrong = body(&session.wrong_otp());
    for _ in 0..5 {
        // For as long as it is compared, its own request is answered.
        let again = keyed(&app, "/api/otp/verify", KEY, &right).await;
        assert_eq!(again.text, first.text);
        keyed(&app, "/api/otp/verify", KEY, &wrong)
            .await
            .problem(422, "idempotency_key_reused");
    }
    for guess in [&wrong, &right] {
        keyed(&app, "/api/otp/verify", KEY, guess)
            .await
            .problem(422, "idempotency_key_reused");
    }
    assert_eq!(app.simulator().calls().validate, 1);
}

#[actix_web::test]
async fn a_code_that_is_tried_by_a_key_counts_as_a_check_of_its_address() {
    let app = start_behind_proxy(&[("LIMIT_CHECKS_PER_ADDRESS", "3/10m")]).await;
    let session = app.sent("+14155550123").await;
    let right = json!({"session_uuid": session.id, "otp": session.otp});
    let wrong = json!({"session_uuid": session.id, "otp": session.wrong_otp()});
    let other = app.sent("+14155550124").await;
    let elsewhere = json!({"session_uuid": other.id, "otp": other.otp});
    let verify = async |address, body| keyed_at(&app, address, "/api/otp/verify", body).await;
    let (owner, guesser) = ("203.0.113.1", "203.0.113.2");
    let first = verify(owner, &right).await;
    first.ok();
    for _ in 0..3 {
        verify(guesser, &wrong)
            .await
            .problem(422, "idempotency_key_reused");
    }
    let problem = verify(guesser, &wrong).await.problem(429, "rate_limited");
    assert_eq!(problem["retry_after"], 600);
    // Here and where codes are checked; it was refused, and so uses up no check.
    verify(guesser, &elsewhere)
        .await
        .problem(429, "rate_limited");
    // What is repeated as it was is no check: more than three of them are answered.
    for _ in 0..4 {
        assert_eq!(verify(owner, &right).await.text, first.text);
    }
    verify(owner, &elsewhere).await.ok();
}

#[actix_web::test]
async fn malformed_keys_are_refused() {
    let app = TestApp::start().await;
    let body = json!({"recipient": "+14155550123"});
    for key in ["", "short", "with a space inside it", &"k".repeat(256)] {
        let problem = keyed(&app, "/api/otp/send", key, &body)
            .await
            .problem(400, "invalid_request");
        assert_eq!(problem["field"], "Idempotency-Key");
    }
    let request = app
        .request(Method::POST, "/api/otp/send")
        .header("idempotency-key", KEY)
        .header("idempotency-key", "another-key-of-mine")
        .json(&body);
    app.call(request).await.problem(400, "invalid_request");
    assert_eq!(app.simulator().calls().create, 0);
    // As the draft writes it.
    keyed(&app, "/api/otp/send", &format!("\"{KEY}\""), &body)
        .await
        .ok();
}

/// A Plivo that takes one create and throttles every validate; it answers when it
/// is let.
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
                    ("202 Accepted", include_str!("../plivo/create_202.json"))
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
async fn a_send_whose_end_was_lost_is_not_done_again_under_its_key() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_live_in(TestStore::file(), &upstream.base_url, &[]).await;
    let body = json!({"recipient": "+14155552671"});
    // Steps have deadlines.
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
    // Whether a code is out nobody knows any more; that is what it says.
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
