//! The conversion breaker: if too few of the codes sent are entered, sends stop, or
//! would.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::app::{Answer, Session, TestApp};

const ENFORCE: [(&str, &str); 4] = [
    ("CONVERSION_MIN_SENDS", "30"),
    ("CONVERSION_BREAKER", "enforce"),
    ("TRUSTED_PROXIES", "127.0.0.1"),
    ("METRICS_ADDR", "127.0.0.1:0"),
];

/// Fictitious numbers of one range, none of which has a special meaning in the simulator.
fn number(area: u32, index: u32) -> String {
    assert!(index < 88);
    format!("+1{area}55501{index:02}")
}

/// Sends from an address of its own.
async fn send_from(app: &TestApp, address: u32, recipient: &str) -> Answer {
    let request = app
        .request(Method::POST, "/api/otp/send")
        .header("x-forwarded-for", format!("203.0.113.{address}"))
        .json(&json!({"recipient": recipient}));
    app.call(request).await
}

/// Forty addresses request codes for forty numbers of one range, and enter none.
async fn pump(app: &TestApp) {
    let sends = (1..=40).map(async |index| send_from(app, index, &number(415, index)).await.ok());
    join_all(sends).await;
}

/// Users of another range enter their codes. Returns the session of one who has not yet.
async fn honest(app: &TestApp, area: u32, count: u32) -> Session {
    for index in 1..=count {
        let session = app.sent(&number(area, index)).await;
        app.verify(&session, &session.otp).await.ok();
    }
    app.sent(&number(area, 87)).await
}

fn metric(text: &str, name: &str, rule: &str, mode: &str) -> Option<u64> {
    let start = format!("countersign_{name}_total{{rule=\"{rule}\",mode=\"{mode}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    line.map(|value| value.parse().unwrap())
}

#[actix_web::test]
async fn pumping_one_range_stops_that_range_only() {
    let app = TestApp::start_with(&ENFORCE).await;
    let waiting = honest(&app, 212, 30).await;
    pump(&app).await;
    // The sends are recent: none counts as failed yet.
    send_from(&app, 41, &number(415, 41)).await.ok();
    app.advance(Duration::from_mins(3));
    let calls = app.simulator().calls().create;
    for index in 42..=50 {
        let answer = send_from(&app, index, &number(415, index)).await;
        let problem = answer.problem(429, "rate_limited");
        assert_eq!(problem["retry_after"], 1800);
        assert_eq!(problem["limit"], "service_protection");
        for word in ["conversion", "prefix", "range", "country"] {
            assert!(!answer.text.contains(word), "{}", answer.text);
        }
    }
    assert_eq!(app.simulator().calls().create, calls);
    // In another range of that country codes are entered, and checks still work.
    app.verify(&waiting, &waiting.otp).await.ok();
    send_from(&app, 51, &number(212, 51)).await.ok();
    let text = app.metrics().await;
    let of = |name, rule| metric(&text, name, rule, "enforce");
    assert_eq!(
        of("conversion_breaker_tripped", "conversion_range"),
        Some(1)
    );
    assert_eq!(of("conversion_stopped", "conversion_range"), Some(9));
    assert_eq!(of("conversion_breaker_tripped", "conversion_country"), None);
    assert!(text.contains("countersign_refusals_total{rule=\"conversion_range\"} 9"));
    // Whole minutes, which hide the exact second at which it tripped.
    app.advance(Duration::from_secs(90));
    let answer = send_from(&app, 52, &number(415, 52)).await;
    assert_eq!(answer.problem(429, "rate_limited")["retry_after"], 1740);
    app.advance(Duration::from_secs(1710));
    send_from(&app, 53, &number(415, 53)).await.ok();
}

#[actix_web::test]
async fn pumping_one_country_stops_its_sends_but_not_checks_or_other_countries() {
    let app = TestApp::start_with(&ENFORCE).await;
    // Ten sends to each of four ranges: too few to trip for one range.
    let numbers: Vec<String> = [212, 312, 415, 617]
        .into_iter()
        .flat_map(|area| (1..=10).map(move |index| number(area, index)))
        .collect();
    for (address, recipient) in (1..).zip(&numbers) {
        send_from(&app, address, recipient).await.ok();
    }
    let live = app.sent(&number(713, 1)).await;
    app.advance(Duration::from_mins(3));
    send_from(&app, 60, &number(713, 2))
        .await
        .problem(429, "rate_limited");
    // A resend counts as a send.
    app.resend(&live).await.problem(429, "rate_limited");
    let answer = app.session(&live).await.ok();
    assert_eq!(answer["resend_in"], 1800);
    send_from(&app, 61, "+447700900123").await.ok();
    app.verify(&live, &live.otp).await.ok();
    let text = app.metrics().await;
    let of = |name, rule| metric(&text, name, rule, "enforce");
    assert_eq!(
        of("conversion_breaker_tripped", "conversion_country"),
        Some(1)
    );
    assert_eq!(of("conversion_stopped", "conversion_country"), Some(2));
    assert_eq!(of("conversion_breaker_tripped", "conversion_range"), None);
}

#[actix_web::test]
async fn monitor_mode_only_reports_pumping_and_off_counts_nothing() {
    for mode in ["", "monitor", "off"] {
        let settings = [&ENFORCE[..], &[("CONVERSION_BREAKER", mode)]].concat();
        let app = TestApp::start_with(&settings).await;
        pump(&app).await;
        app.advance(Duration::from_mins(3));
        for index in 41..=50 {
            send_from(&app, index, &number(415, index)).await.ok();
        }
        assert_eq!(app.simulator().calls().create, 50);
        let text = app.metrics().await;
        let counts = (mode != "off").then_some((1, 10));
        for rule in ["conversion_country", "conversion_range"] {
            let slumps = metric(&text, "conversion_breaker_tripped", rule, "monitor");
            let stopped = metric(&text, "conversion_stopped", rule, "monitor");
            assert_eq!(slumps.zip(stopped), counts, "{mode} {rule}");
        }
        assert!(!text.contains("countersign_refusals_total{rule=\"conversion"));
    }
}

#[actix_web::test]
async fn real_users_are_not_stopped_however_many_they_are() {
    let app = TestApp::start_with(&ENFORCE).await;
    for hour in [0, 20, 40] {
        for index in 1..=20 {
            let session = app.sent(&number(415, hour + index)).await;
            // Three of four never enter their code.
            if index % 4 == 0 {
                app.verify(&session, &session.otp).await.ok();
            }
            app.advance(Duration::from_secs(45));
        }
    }
    let text = app.metrics().await;
    assert!(!text.contains("countersign_conversion_breaker_tripped_total{"));
}

#[actix_web::test]
async fn sends_that_plivo_refuses_do_not_count_as_conversion_failures() {
    let settings = [
        ("CONVERSION_BREAKER", "enforce"),
        ("LIMIT_SENDS_PER_NUMBER", "off"),
        ("RESEND_WAITS", "1s"),
    ];
    let app = TestApp::start_with(&settings).await;
    for _ in 0..40 {
        // Plivo reports insufficient credit.
        app.send("+14155550190")
            .await
            .problem(502, "upstream_error");
        app.advance(Duration::from_secs(5));
    }
    app.advance(Duration::from_mins(5));
    app.send(&number(415, 1)).await.ok();
}
