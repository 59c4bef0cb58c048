//! Failures of Plivo: what the caller is told, what is released, and that the service
//! recovers.

mod in_real_time;
mod matrix;

use std::time::{Duration, Instant};

use countersign_backend::config::variables;
use countersign_test_support::hostile::{Fault, Hostile, OTP};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::app::{TestApp, until};

const JSON: &str = "content-type: application/json\r\n";

/// Starts with all limits off except those per number, and with metrics.
async fn app_at(hostile: &Hostile, settings: &[(&str, &str)]) -> TestApp {
    let mut all: Vec<(&str, &str)> = variables::VARIABLES
        .iter()
        .filter(|variable| variable.name.starts_with("LIMIT_"))
        .map(|variable| (variable.name, "off"))
        .collect();
    all.extend([
        ("LIMIT_SENDS_PER_NUMBER", "3/10m"),
        ("METRICS_ADDR", "127.0.0.1:0"),
    ]);
    all.extend(settings);
    TestApp::start_live(&hostile.base_url(), &all).await
}

fn number(index: usize) -> String {
    format!("+1415555{:04}", 100 + index)
}

#[actix_web::test]
async fn a_request_that_never_left_is_retried_briefly_and_released() {
    let mut hostile = Hostile::start(Fault::None);
    let app = app_at(&hostile, &[]).await;
    let sent = app.send(&number(0)).await.ok();
    hostile.down().await;
    app.send(&number(1))
        .await
        .problem(503, "temporarily_unavailable");
    let check = json!({"session_uuid": sent["session_uuid"], "otp": OTP});
    app.post("/api/otp/verify", &check)
        .await
        .problem(503, "temporarily_unavailable");
    // Two retries each.
    assert!(app.has("countersign_upstream_retries_total 4").await);
    hostile.up();
    app.send(&number(1)).await.ok();
    app.post("/api/otp/verify", &check).await.ok();
    assert_eq!((hostile.creates(), hostile.validates()), (2, 1));
}

#[actix_web::test]
async fn the_circuit_breaker_opens_lets_one_trial_through_and_closes() {
    let hostile = Hostile::start(Fault::answer("500 Oh", JSON, b"{}"));
    let app = app_at(&hostile, &[]).await;
    for index in 0..5 {
        app.send(&number(index))
            .await
            .problem(502, "upstream_error");
    }
    assert!(
        app.has("countersign_circuit_breaker_state{state=\"open\"} 1")
            .await
    );
    let started = Instant::now();
    let refused = app.send(&number(9)).await;
    assert!(started.elapsed() < Duration::from_millis(500));
    let problem = refused.problem(503, "temporarily_unavailable");
    assert_eq!(problem["retry_after"], 5);
    assert_eq!(hostile.creates(), 5);

    // Half open: one trial call hangs, and the others are refused at once.
    hostile.does(Fault::Silent);
    app.advance(Duration::from_secs(5));
    let (first, second) = (number(9), number(8));
    let tried = app.send(&first);
    let others = async {
        until("one is tried", || hostile.creates() == 6).await;
        let sends = join_all((0..20).map(|_| app.send(&second))).await;
        for other in sends {
            other.problem(503, "temporarily_unavailable");
        }
        assert!(
            app.has("countersign_circuit_breaker_state{state=\"half_open\"} 1")
                .await
        );
        hostile.end_connections();
    };
    let (tried, ()) = futures_util::join!(tried, others);
    tried.problem(502, "upstream_error");
    assert_eq!(hostile.creates(), 6);

    // The breaker opens again for the same time and then closes. Refused sends were not
    // counted.
    hostile.does(Fault::None);
    app.send(&second)
        .await
        .problem(503, "temporarily_unavailable");
    app.advance(Duration::from_secs(5));
    app.send(&second).await.ok();
    app.send(&number(7)).await.ok();
    assert!(
        app.has("countersign_circuit_breaker_state{state=\"closed\"} 1")
            .await
    );
    app.get("/readyz").await.ok();
}

#[actix_web::test]
async fn wrong_codes_and_refused_numbers_leave_the_breaker_closed() {
    let hostile = Hostile::start(Fault::None);
    let app = app_at(&hostile, &[("CHECKS_PER_SESSION", "10")]).await;
    let sent = app.send(&number(0)).await.ok();
    let check = json!({"session_uuid": sent["session_uuid"], "otp": "654321"});
    for _ in 0..10 {
        let answer = app.post("/api/otp/verify", &check).await;
        assert!([400, 429].contains(&answer.status), "{}", answer.text);
    }
    let refused = br#"{"error":"recipient is invalid"}"#;
    hostile.does(Fault::answer("400 No", JSON, refused));
    for index in 1..10 {
        let answer = app.send(&number(index)).await;
        answer.problem(400, "recipient_invalid");
    }
    hostile.does(Fault::None);
    app.send(&number(11)).await.ok();
    assert_eq!(hostile.validates(), 10);
}

#[actix_web::test]
async fn plivos_retry_after_pauses_all_calls() {
    let throttle = Fault::answer("429 Slower", &format!("{JSON}retry-after: 7\r\n"), b"{}");
    let hostile = Hostile::start(throttle);
    let app = app_at(&hostile, &[]).await;
    for index in 0..3 {
        let answer = app.send(&number(index)).await;
        let problem = answer.problem(503, "temporarily_unavailable");
        // The send that Plivo throttled stays counted: its number waits for longer.
        let wait = if index == 0 { 30 } else { 7 };
        assert_eq!(problem["retry_after"], wait);
    }
    assert_eq!(hostile.creates(), 1);
    hostile.does(Fault::None);
    app.advance(Duration::from_secs(7));
    // Refused sends were not counted.
    app.send(&number(1)).await.ok();
    app.send(&number(2)).await.ok();
}

#[actix_web::test]
async fn throttling_without_retry_after_pauses_for_five_seconds() {
    let hostile = Hostile::start(Fault::answer("429 Slower", JSON, b"{}"));
    let app = app_at(&hostile, &[]).await;
    for index in 0..3 {
        let answer = app.send(&number(index)).await;
        let problem = answer.problem(503, "temporarily_unavailable");
        assert_eq!(problem["retry_after"], if index == 0 { 30 } else { 5 });
    }
    assert_eq!(hostile.creates(), 1);
    hostile.does(Fault::None);
    app.advance(Duration::from_secs(5));
    app.send(&number(1)).await.ok();
}

#[actix_web::test]
async fn who_waits_as_told_after_throttling_is_admitted_under_the_same_key() {
    let hostile = Hostile::start(Fault::answer("429 Slower", JSON, b"{}"));
    let app = app_at(&hostile, &[]).await;
    let send = || async {
        let request = app
            .request(Method::POST, "/api/otp/send")
            .header("idempotency-key", "5f0c9a52-0f6c-4d6e-9f6f-0f1b2c3d4e5f")
            .json(&json!({"recipient": number(0)}));
        app.call(request).await
    };
    let problem = send().await.problem(503, "temporarily_unavailable");
    hostile.does(Fault::None);
    let early = send().await.problem(503, "temporarily_unavailable");
    assert_eq!(early["retry_after"], 5, "all calls pause");
    let wait = problem["retry_after"].as_u64().unwrap();
    app.advance(Duration::from_secs(wait));
    send().await.ok();
    assert_eq!(hostile.creates(), 2);
}

#[actix_web::test]
async fn hanging_sends_leave_room_for_checks() {
    let hostile = Hostile::start(Fault::None);
    let app = app_at(&hostile, &[("PLIVO_CALLS_AT_ONCE", "5")]).await;
    let sent = app.send(&number(0)).await.ok();
    hostile.does(Fault::Silent);
    let flood = join_all((1..5).map(|index| {
        let (app, number) = (&app, number(index));
        async move { app.send(&number).await }
    }));
    let meanwhile = async {
        until("four hang", || hostile.creates() == 5).await;
        let started = Instant::now();
        let refused = app.send(&number(9)).await;
        let problem = refused.problem(503, "temporarily_unavailable");
        assert_eq!(problem["retry_after"], 1);
        assert!(started.elapsed() < Duration::from_millis(500));
        hostile.does(Fault::None);
        let check = json!({"session_uuid": sent["session_uuid"], "otp": OTP});
        app.post("/api/otp/verify", &check).await.ok();
        assert!(
            app.has("countersign_refusals_total{rule=\"bulkhead_full\"} 1")
                .await
        );
        hostile.end_connections();
    };
    let (flood, ()) = futures_util::join!(flood, meanwhile);
    for answer in flood {
        answer.problem(502, "upstream_error");
    }
    // Released: the refused send was not counted.
    app.send(&number(9)).await.ok();
    assert_eq!(hostile.creates(), 6);
}
