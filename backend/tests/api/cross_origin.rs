//! CORS: other sites' pages may not call the API, unless they are listed.

use reqwest::Method;
use serde_json::json;

use crate::app::{Answer, TestApp};

const LISTED: &str = "https://shop.example";

/// A send by a page of that origin.
async fn send_from(app: &TestApp, origin: &str, site: &str) -> Answer {
    let request = app
        .request(Method::POST, "/api/otp/send")
        .header("origin", origin)
        .header("sec-fetch-site", site)
        .json(&json!({"recipient": "+14155550123"}));
    app.call(request).await
}

async fn preflight(app: &TestApp, origin: &str) -> Answer {
    let request = app
        .request(Method::OPTIONS, "/api/otp/send")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "content-type,idempotency-key",
        );
    app.call(request).await
}

#[actix_web::test]
async fn other_origins_may_not_call_unless_listed() {
    let app = TestApp::start().await;
    send_from(&app, LISTED, "cross-site")
        .await
        .problem(403, "origin_not_allowed");
    assert_eq!(app.simulator().calls().create, 0);
    let refused = preflight(&app, LISTED).await;
    refused.problem(405, "method_not_allowed");
    // Our own page, a sibling site's, the address bar, and a client that is not a
    // browser.
    for (index, site) in ["same-origin", "same-site", "none"].iter().enumerate() {
        let request = app
            .request(Method::POST, "/api/otp/send")
            .header("sec-fetch-site", *site)
            .json(&json!({"recipient": format!("+1415555014{index}")}));
        let answer = app.call(request).await;
        answer.ok();
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

#[actix_web::test]
async fn listed_origins_may_call_and_read_the_answer_but_look_alikes_may_not() {
    let origins = format!("{LISTED}, http://localhost:3000");
    let app = TestApp::start_with(&[("ALLOWED_ORIGINS", &origins)]).await;
    let allowed = preflight(&app, LISTED).await;
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), LISTED);
    assert!(
        allowed
            .header("access-control-allow-methods")
            .contains("POST")
    );
    assert!(
        allowed
            .header("access-control-allow-headers")
            .contains("idempotency-key")
    );
    assert_eq!(allowed.header("access-control-max-age"), "3600");
    let sent = send_from(&app, LISTED, "cross-site").await;
    sent.ok();
    assert_eq!(sent.header("access-control-allow-origin"), LISTED);
    assert_eq!(sent.header("access-control-allow-credentials"), "");
    assert!(sent.header("vary").to_ascii_lowercase().contains("origin"));
    // Errors are readable too.
    let limited = send_from(&app, LISTED, "cross-site").await;
    limited.problem(429, "rate_limited");
    assert_eq!(limited.header("access-control-allow-origin"), LISTED);
    assert!(
        limited
            .header("access-control-expose-headers")
            .contains("retry-after")
    );
    let calls = app.simulator().calls().create;
    for look_alike in [
        "null",
        "http://shop.example",
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "https://shop.example:8443",
        "https://SHOP.example",
    ] {
        let refused = send_from(&app, look_alike, "cross-site").await;
        refused.problem(403, "origin_not_allowed");
        assert_eq!(refused.header("access-control-allow-origin"), "");
        let refused = preflight(&app, look_alike).await;
        refused.problem(400, "invalid_request");
        assert_eq!(refused.header("access-control-allow-origin"), "");
    }
    assert_eq!(app.simulator().calls().create, calls);
}
