//! API keys of applications: which are accepted, what they give access to, and the file
//! that contains them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    applications::{ApplicationsFile, SEND, USER, ask, asked, key, secret, start, text, to},
};

#[actix_web::test]
async fn only_a_key_vouches_for_a_user() {
    let app = start(&[]).await;
    let stranger = app.post(SEND, &to("+14155550123", USER)).await;
    stranger.problem(401, "unauthorized");
    assert_eq!(
        stranger.header("www-authenticate"),
        "Bearer realm=\"countersign\""
    );
    assert_eq!(app.simulator().calls().create, 0);
    for (wrong, field) in [
        (
            json!({"recipient": "+14155550123", "end_user": 7}),
            "end_user",
        ),
        (
            json!({"recipient": "+14155550123", "end_user": {"address": 7}}),
            "end_user.address",
        ),
        (
            json!({"recipient": "+14155550123", "purpose": "login"}),
            "purpose",
        ),
    ] {
        let problem = ask(&app, "default", SEND, &wrong)
            .await
            .problem(400, "invalid_request");
        assert_eq!(problem["field"], field);
    }
}

#[actix_web::test]
async fn wrong_keys_are_refused_and_counted_per_address() {
    let hash = key("default").hash().to_string();
    let app = TestApp::start_with(&[
        ("API_KEY_HASHES", hash.as_str()),
        ("METRICS_ADDR", "127.0.0.1:0"),
        ("LIMIT_REQUESTS_PER_ADDRESS", "4/1h"),
        ("LIMIT_REQUESTS_PER_APPLICATION", "3/1h"),
    ])
    .await;
    let with = async |authorization: &str| {
        let request = app
            .request(Method::POST, SEND)
            .header("authorization", authorization);
        app.call(request.json(&json!({"recipient": "x"}))).await
    };
    let right = format!("Bearer {}", secret("default"));
    for wrong in [
        "Bearer none".to_owned(),
        format!("Bearer {}", secret("other")),
        format!("{right}0"),
    ] {
        let refused = with(&wrong).await;
        refused.problem(401, "unauthorized");
        assert_eq!(
            refused.header("www-authenticate"),
            "Bearer realm=\"countersign\""
        );
        assert!(!refused.text.contains("csk_"));
    }
    // The right key has its own limit, checked before the body is read.
    for _ in 0..3 {
        with(&right).await.problem(400, "recipient_invalid");
    }
    let full = with(&right).await.problem(429, "rate_limited");
    assert_eq!(full["limit"], "requests_per_application");
    with("Bearer none").await.problem(401, "unauthorized");
    let full = with("Bearer none").await.problem(429, "rate_limited");
    assert_eq!(full["limit"], "requests_per_address");
    assert!(
        app.has("countersign_keys_rejected_total{reason=\"unknown\"} 4")
            .await
    );
}

#[actix_web::test]
async fn a_key_is_accepted_as_basic_credentials_but_never_from_a_page() {
    let file = ApplicationsFile::of(&[
        ("shop", "origins = [\"https://shop.example\"]"),
        ("bank", ""),
    ]);
    let app = TestApp::start_with(&[
        ("APPLICATIONS_FILE", file.path()),
        ("METRICS_ADDR", "127.0.0.1:0"),
    ])
    .await;
    let basic = async |user: &str, key: &str| {
        let request = app.request(Method::POST, SEND).basic_auth(user, Some(key));
        app.call(request.json(&to("+14155550123", USER))).await
    };
    basic("bank", &secret("bank")).await.ok();
    let refused = basic("shop", &secret("bank")).await;
    refused.problem(401, "unauthorized");
    assert_eq!(
        refused.header("www-authenticate"),
        "Basic realm=\"countersign\""
    );
    // Credentials for a proxy in front are not an API key.
    let request = app
        .request(Method::POST, SEND)
        .basic_auth("staging", Some("letmein"));
    let answer = app
        .call(request.json(&json!({"recipient": "+14155550124"})))
        .await;
    answer.ok();
    for origin in ["https://shop.example", "null"] {
        let request = asked(&app, "shop", SEND, &to("+14155550125", USER));
        let answer = app.call(request.header("origin", origin)).await;
        answer.problem(403, "key_from_browser");
    }
    // Also of a site that may not call: it has leaked all the same.
    let request = asked(&app, "shop", SEND, &to("+14155550125", USER))
        .header("origin", "https://evil.example")
        .header("sec-fetch-site", "cross-site");
    app.call(request).await.problem(403, "key_from_browser");
    assert!(
        app.has("countersign_keys_rejected_total{reason=\"from_browser\"} 3")
            .await
    );
}

#[actix_web::test]
async fn a_session_made_with_a_key_continues_only_with_a_key_of_that_application() {
    let origins = "origins = [\"https://a.example\"]";
    let file = ApplicationsFile::of(&[("shop", origins), ("bank", origins)]);
    let app = TestApp::start_with(&[("APPLICATIONS_FILE", file.path())]).await;
    let sent = ask(&app, "shop", SEND, &to("+14155550123", USER))
        .await
        .ok();
    let otp = app.newest_otp("+14155550123").await;
    let id = sent["session_uuid"].clone();
    app.advance(Duration::from_mins(1));
    let calls = [
        ("/api/otp/resend", json!({"session_uuid": id})),
        ("/api/otp/verify", json!({"session_uuid": id, "otp": otp})),
    ];
    for (path, body) in &calls {
        app.post(path, body).await.problem(404, "session_not_found");
        ask(&app, "bank", path, body)
            .await
            .problem(404, "session_not_found");
    }
    // Anybody who has the session's id may read it.
    let path = format!("/api/otp/sessions/{}", id.as_str().unwrap());
    assert_eq!(app.get(&path).await.ok()["checks_left"], 5);
    for (path, body) in &calls {
        ask(&app, "shop", path, body).await.ok();
    }
    // A session begun by a browser may be completed by its application's server, and no
    // other.
    let begun = app.sent("+14155550124").await;
    let body = json!({"session_uuid": begun.id, "otp": begun.otp});
    ask(&app, "bank", "/api/otp/verify", &body)
        .await
        .problem(404, "session_not_found");
    ask(&app, "shop", "/api/otp/verify", &body).await.ok();
}

#[actix_web::test]
async fn idempotency_keys_belong_to_the_application() {
    let file = ApplicationsFile::of(&[("shop", ""), ("bank", "")]);
    let app =
        TestApp::start_with(&[("APPLICATIONS_FILE", file.path()), ("RESEND_WAITS", "1s")]).await;
    let keyed = async |id: &str, number: &str| {
        let request = asked(&app, id, SEND, &to(number, USER));
        let answer = app
            .call(request.header("idempotency-key", "0123456789abcdef"))
            .await;
        answer.ok()["session_uuid"].clone()
    };
    let first = keyed("shop", "+14155550123").await;
    assert_eq!(keyed("shop", "+14155550123").await, first);
    app.advance(Duration::from_secs(5));
    assert_ne!(keyed("bank", "+14155550123").await, first);
}

#[actix_web::test]
async fn callers_without_a_key_may_use_only_applications_open_to_them() {
    let file = ApplicationsFile::of(&[
        ("server", ""),
        ("shop", "origins = [\"https://shop.example\"]"),
        ("bank", "origins = [\"https://bank.example\"]"),
    ]);
    let app = TestApp::start_with(&[("APPLICATIONS_FILE", file.path())]).await;
    let from = async |origin: &str, body: Value| {
        let request = app
            .request(Method::POST, SEND)
            .header("origin", origin)
            .header("sec-fetch-site", "cross-site");
        app.call(request.json(&body)).await
    };
    let recipient = |last: u8| json!({"recipient": format!("+1415555012{last}")});
    let named = |last: u8, id: &str| {
        let mut body = recipient(last);
        body["application"] = json!(id);
        body
    };
    app.post(SEND, &recipient(0))
        .await
        .problem(401, "unauthorized");
    app.post(SEND, &named(0, "server"))
        .await
        .problem(401, "unauthorized");
    let unknown = app.post(SEND, &named(0, "none")).await;
    assert_eq!(
        unknown.problem(400, "invalid_request")["field"],
        "application"
    );
    app.post(SEND, &named(1, "shop")).await.ok();
    let answer = from("https://shop.example", recipient(2)).await;
    answer.ok();
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://shop.example"
    );
    let created = app.simulator().received().pop().unwrap().body;
    assert!(created.contains("\"brand_name\":\"shop\""), "{created}");
    from("https://shop.example", named(3, "bank"))
        .await
        .problem(403, "origin_not_allowed");
    from("https://evil.example", named(3, "shop"))
        .await
        .problem(403, "origin_not_allowed");
    let other = ask(&app, "server", SEND, &named(3, "shop")).await;
    assert_eq!(
        other.problem(400, "invalid_request")["field"],
        "application"
    );
}

#[actix_web::test]
async fn the_file_is_reloaded_all_or_nothing() {
    let file = ApplicationsFile::of(&[("shop", "")]);
    let app = TestApp::start_with(&[
        ("APPLICATIONS_FILE", file.path()),
        ("RESEND_WAITS", "1s"),
        ("LIMIT_SENDS_PER_NUMBER", "off"),
    ])
    .await;
    let sends = async |id: &str| {
        app.advance(Duration::from_secs(2));
        ask(&app, id, SEND, &to("+14155550123", USER)).await.status
    };
    assert_eq!((sends("shop").await, sends("bank").await), (200, 401));
    file.write(&text(&[("shop", ""), ("bank", "colour = \"red\"")]));
    app.app.reload_applications();
    assert_eq!((sends("shop").await, sends("bank").await), (200, 401));
    file.write(&text(&[("bank", "")]));
    app.app.reload_applications();
    assert_eq!((sends("shop").await, sends("bank").await), (401, 200));
}
