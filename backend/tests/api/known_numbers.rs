//! Known numbers, verified before, still get codes while a country or a range is stopped.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::app::{Answer, TestApp};

const HOUR: Duration = Duration::from_hours(1);

fn number(index: u32) -> String {
    format!("+141555501{index:02}")
}

async fn send_from(app: &TestApp, address: u32, recipient: &str) -> Answer {
    let request = app
        .request(Method::POST, "/api/otp/send")
        .header("x-forwarded-for", format!("203.0.113.{address}"))
        .json(&json!({"recipient": recipient}));
    app.call(request).await
}

/// A service with a limit of four codes an hour for the country, and a number that was
/// verified two hours ago.
async fn with_a_known_number(settings: &[(&str, &str)]) -> TestApp {
    let settings = [
        &[
            ("LIMIT_SENDS_PER_COUNTRY", "4/1h"),
            ("TRUSTED_PROXIES", "127.0.0.1"),
        ][..],
        settings,
    ]
    .concat();
    let app = TestApp::start_with(&settings).await;
    let session = app.sent(&number(1)).await;
    app.verify(&session, &session.otp).await.ok();
    app.advance(2 * HOUR);
    app
}

async fn fill_the_country(app: &TestApp) {
    for index in 11..=14 {
        send_from(app, index, &number(index)).await.ok();
    }
    let answer = send_from(app, 15, &number(15)).await;
    assert_eq!(
        answer.problem(429, "rate_limited")["limit"],
        "sends_per_country"
    );
}

#[actix_web::test]
async fn a_known_number_passes_in_a_country_at_its_limit_and_others_do_not() {
    let app = with_a_known_number(&[]).await;
    fill_the_country(&app).await;
    let session = app.sent(&number(1)).await;
    app.verify(&session, &session.otp).await.ok();
    // The reserve for known numbers is half of the limit, and no more.
    app.advance(Duration::from_secs(31));
    app.sent(&number(1)).await;
    app.advance(Duration::from_secs(61));
    let answer = app.send(&number(1)).await;
    let problem = answer.problem(429, "rate_limited");
    // The same answer as for any refused caller.
    assert_eq!(problem["limit"], "sends_per_country");
}

#[actix_web::test]
async fn no_number_is_known_if_switched_off_or_verified_too_long_ago() {
    for (kept_for, wait) in [("off", HOUR), ("1d", 24 * HOUR)] {
        let app = with_a_known_number(&[("KNOWN_NUMBERS_FOR", kept_for)]).await;
        app.advance(wait);
        fill_the_country(&app).await;
        app.send(&number(1)).await.problem(429, "rate_limited");
    }
}

#[actix_web::test]
async fn a_known_number_passes_in_a_stopped_range_until_it_leaves_two_codes_unentered() {
    let app = with_a_known_number(&[
        ("CONVERSION_BREAKER", "enforce"),
        ("LIMIT_SENDS_PER_COUNTRY", "off"),
    ])
    .await;
    for index in 11..=40 {
        send_from(&app, index, &number(index)).await.ok();
    }
    app.advance(Duration::from_mins(3));
    send_from(&app, 41, &number(41))
        .await
        .problem(429, "rate_limited");
    app.sent(&number(1)).await;
    app.advance(Duration::from_secs(31));
    let session = app.sent(&number(1)).await;
    app.advance(Duration::from_secs(61));
    app.send(&number(1)).await.problem(429, "rate_limited");
    app.verify(&session, &session.otp).await.ok();
    app.send(&number(1)).await.ok();
}
