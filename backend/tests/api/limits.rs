use serde_json::json;

use crate::app::TestApp;

#[actix_web::test]
async fn an_address_has_one_limit_for_all_three_calls() {
    let app = TestApp::start_with(&[("LIMIT_REQUESTS_PER_ADDRESS", "3/1h")]).await;
    let body = json!({});
    for path in ["/api/otp/send", "/api/otp/resend", "/api/otp/verify"] {
        app.post(path, &body).await.problem(400, "invalid_request");
    }
    for path in ["/api/otp/send", "/api/otp/resend", "/api/otp/verify"] {
        let problem = app.post(path, &body).await.problem(429, "rate_limited");
        // A third of an hour, less what has passed since.
        let seconds = problem["retry_after"].as_u64().unwrap();
        assert!((1190..=1200).contains(&seconds), "{seconds}");
    }
    // What costs nothing is not limited.
    app.get("/healthz").await.ok();
    app.get("/api/config").await.ok();
}

#[actix_web::test]
async fn the_wait_is_never_zero() {
    let app = TestApp::start_with(&[("LIMIT_REQUESTS_PER_ADDRESS", "2/1s")]).await;
    let answers = futures_util::future::join_all((0..50).map(|_| app.send("x"))).await;
    let limited: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 429)
        .collect();
    assert!(!limited.is_empty());
    for answer in limited {
        assert_eq!(answer.problem(429, "rate_limited")["retry_after"], 1);
    }
}
