//! `GET /metrics`: what the operator sees, without personal data.

use std::time::Duration;

use countersign_backend::app::{App, open_store};

use crate::app::{TestApp, TestStore, config, http, manual_clock};

#[actix_web::test]
async fn the_funnel_is_counted_by_country_and_channel() {
    let app = TestApp::start_with(&[("METRICS_ADDR", "127.0.0.1:0")]).await;
    let session = app.sent("+447700900123").await;
    app.send("+447700900123").await.problem(429, "rate_limited");
    // Polled twice, counted once.
    for _ in 0..2 {
        app.advance(Duration::from_secs(5));
        app.session(&session).await.ok();
    }
    app.verify(&session, &session.otp).await.ok();
    let text = app.metrics().await;
    let place = "{country=\"GB\",channel=\"sms\"} 1";
    for line in [
        &format!("countersign_sends_requested_total{place}"),
        &format!("countersign_sends_accepted_total{place}"),
        &format!("countersign_sends_delivered_total{place}"),
        &format!("countersign_sessions_verified_total{place}"),
        "countersign_refusals_total{rule=\"resend_backoff\"} 1",
        "countersign_store_step_duration_seconds_count{step=\"Reserve\",outcome=\"answered\"} 2",
        "countersign_http_requests_total{route=\"/api/otp/verify\",status=\"200\"} 1",
        "countersign_http_requests_in_flight 0",
    ] {
        assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
    }
    // The digits of a measured value may happen to be those of a code.
    let series: Vec<&str> = text
        .lines()
        .map(|line| line.rsplit_once(' ').map_or(line, |(series, _)| series))
        .collect();
    for secret in ["7700900123", &session.otp, &session.id, "127.0.0.1"] {
        let told = series.iter().find(|series| series.contains(secret));
        assert_eq!(told, None, "{secret} is in the metrics");
    }
}

#[actix_web::test]
async fn services_in_one_process_count_separately_and_the_api_serves_no_metrics() {
    let settings = [("METRICS_ADDR", "127.0.0.1:0")];
    let (one, other) = (
        TestApp::start_with(&settings).await,
        TestApp::start_with(&settings).await,
    );
    one.sent("+14155550123").await;
    assert!(one.metrics().await.contains("sends_requested_total{"));
    assert!(!other.metrics().await.contains("sends_requested_total{"));
    one.get("/metrics").await.problem(404, "not_found");
    assert_eq!(TestApp::start().await.app.metrics_address(), None);
}

/// The reported lead of our clock over another one, in whole seconds.
fn skew(metrics: &str, other: &str) -> i64 {
    let name = format!("countersign_clock_skew_seconds{{other=\"{other}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    let seconds: f64 = line.expect("it is compared").parse().unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "an hour or two")]
    let whole = seconds.round() as i64;
    whole
}

#[actix_web::test]
async fn setting_the_clock_at_run_time_is_reported() {
    let app = TestApp::start_with(&[("METRICS_ADDR", "127.0.0.1:0")]).await;
    // The service, and so its proofs, keep to the clock from before.
    app.advance(Duration::from_hours(1));
    app.app.sweep().await;
    let metrics = app.metrics().await;
    // Less the real time since the start: the test's clock stands still meanwhile.
    assert!(
        (3540..=3601).contains(&skew(&metrics, "machine")),
        "{metrics}"
    );
    assert_eq!(skew(&metrics, "store"), 0);
}

#[actix_web::test]
async fn a_difference_from_the_stores_clock_is_reported() {
    let (home, theirs) = (TestStore::file(), manual_clock());
    theirs.advance(Duration::from_hours(1));
    let settings = home.settings();
    let [store, key, keys, issuer] = settings
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let metrics = ("METRICS_ADDR", "127.0.0.1:0");
    let config = config(&[store, key, keys, issuer, ("PLIVO_MODE", "sandbox"), metrics]);
    let store = open_store(&config, Some(theirs)).await.unwrap();
    let app = App::start_over(config, store).await.unwrap();
    app.sweep().await;
    let address = app.metrics_address().unwrap();
    let url = format!("http://{address}/metrics");
    let metrics = http().get(url).send().await.unwrap().text().await.unwrap();
    assert!(
        (-3600..=-3540).contains(&skew(&metrics, "store")),
        "{metrics}"
    );
    assert_eq!(skew(&metrics, "machine"), 0);
}
