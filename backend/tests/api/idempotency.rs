//! Idempotency keys: one key, one effect, one answer.

mod guesses;
mod outages;
mod refusals;

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};

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
    // The answer is kept as long as the session lives.
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
async fn a_refused_request_may_be_repeated_under_its_key() {
    let app = TestApp::start().await;
    app.send("+14155550123").await.ok();
    let body = json!({"recipient": "+14155550123"});
    keyed(&app, "/api/otp/send", KEY, &body)
        .await
        .problem(429, "rate_limited");
    app.advance(Duration::from_secs(30));
    keyed(&app, "/api/otp/send", KEY, &body).await.ok();
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

/// A service behind a proxy that reports the callers' addresses.
async fn start_behind_proxy(settings: &[(&str, &str)]) -> TestApp {
    TestApp::start_with(&[&[("TRUSTED_PROXIES", "127.0.0.1")], settings].concat()).await
}

/// The same as `keyed`, for a caller at that address.
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
    // Quoted, as in the draft.
    keyed(&app, "/api/otp/send", &format!("\"{KEY}\""), &body)
        .await
        .ok();
}
