//! `GET /metrics`: what an operator sees, and nothing of anybody.

use crate::app::TestApp;

#[actix_web::test]
async fn the_funnel_is_counted_by_country_and_channel() {
    let app = TestApp::start_with(&[("METRICS_ADDR", "127.0.0.1:0")]).await;
    let session = app.sent("+447700900123").await;
    app.send("+447700900123").await.problem(429, "rate_limited");
    // Asked twice, counted once.
    for _ in 0..2 {
        app.advance(std::time::Duration::from_secs(5));
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
        "countersign_refusals_total{rule=\"resend_waits\"} 1",
        "countersign_store_step_duration_seconds_count{step=\"reserve_send\",outcome=\"answered\"} 2",
        "countersign_http_requests_total{route=\"/api/otp/verify\",status=\"200\"} 1",
        "countersign_http_requests_in_flight 0",
    ] {
        assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
    }
    for secret in ["7700900123", &session.otp, &session.id, "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret} is in the metrics");
    }
}

#[actix_web::test]
async fn applications_in_one_process_count_apart_and_the_api_serves_no_metrics() {
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
