//! What an integrator runs into who follows the documents alone.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::app::{Answer, TestApp};

const SEND: &str = "/api/otp/send";

#[actix_web::test]
async fn errors_for_plivos_parameters_say_where_to_set_them() {
    let app = TestApp::start().await;
    for (field, place) in [
        ("method", "PUBLIC_URL"),
        ("url", "PUBLIC_URL"),
        ("app_uuid", "PLIVO_APP_UUID"),
        ("app_hash", "PLIVO_APP_HASH"),
        ("brand_name", "BRAND_NAME"),
        ("code_length", "OTP_LENGTH"),
        ("dtmf", "console"),
        ("fraud_check", "console"),
    ] {
        let body = json!({"recipient": "+14155550123", field: "x"});
        let problem = app.post(SEND, &body).await.problem(400, "invalid_request");
        assert_eq!(problem["field"], field);
        let message = problem["message"].as_str().unwrap();
        assert!(message.contains(place), "{message}");
    }
    assert_eq!(app.simulator().calls().create, 0);
}

#[actix_web::test]
async fn any_well_formed_locale_is_accepted() {
    let app = TestApp::start_with(&[("DEFAULT_LOCALE", "fr")]).await;
    for (index, (locale, sent)) in [
        ("zh-Hant-TW", "zh_TW"),
        ("es-419", "es"),
        ("en-us", "en_US"),
        ("nn-NO", "nb_NO"),
        ("tlh", "fr"),
    ]
    .into_iter()
    .enumerate()
    {
        let recipient = format!("+1415555014{index}");
        let body = json!({"recipient": recipient, "locale": locale});
        app.post(SEND, &body).await.ok();
        let received = app.simulator().received();
        let create: serde_json::Value =
            serde_json::from_str(&received.last().unwrap().body).unwrap();
        assert_eq!(create["locale"], sent, "{locale}");
    }
}

#[actix_web::test]
async fn the_message_states_the_wait_in_words_without_a_field_name() {
    let app = TestApp::start_with(&[("RESEND_WAITS", "56m")]).await;
    app.send("+14155550123").await.ok();
    let refused = app.send("+14155550123").await;
    let problem = refused.problem(429, "rate_limited");
    assert_eq!(
        problem["message"],
        "Too many requests. Try again in 56 minutes."
    );
}

/// The answer to a request head without a body, up to the end of the connection.
async fn answer_to(app: &TestApp, path: &str, headers: &str) -> String {
    let mut socket = tokio::net::TcpStream::connect(app.app.address())
        .await
        .unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = socket.read_to_string(&mut answer);
    // Before the timeout of a body; the connection must be closed.
    tokio::time::timeout(std::time::Duration::from_secs(8), read)
        .await
        .expect("an end")
        .unwrap();
    answer
}

#[actix_web::test]
async fn a_body_declared_too_large_is_refused_at_once() {
    let app = TestApp::start_with(&[("PUBLIC_URL", "https://verify.example.com")]).await;
    let json = "content-type: application/json\r\n";
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    for (path, kind) in [
        (SEND, json),
        ("/api/otp/resend", json),
        ("/api/otp/verify", json),
        ("/api/proofs/introspect", form),
        ("/api/plivo/callback/x", form),
    ] {
        for length in ["4097", "1000000000", "18446744073709551615"] {
            for expect in ["", "expect: 100-continue\r\n"] {
                let headers = format!("{kind}content-length: {length}\r\n{expect}");
                let answer = answer_to(&app, path, &headers).await;
                let answer = answer.trim_start_matches("HTTP/1.1 100 Continue\r\n\r\n");
                assert!(
                    answer.starts_with("HTTP/1.1 413 "),
                    "{path} {length}: {answer}"
                );
                assert!(answer.contains("request_too_large"), "{answer}");
            }
        }
    }
}

async fn preflight(app: &TestApp, names: &[&str]) -> Answer {
    let mut request = app
        .request(Method::OPTIONS, SEND)
        .header("origin", "capacitor://localhost")
        .header("access-control-request-method", "POST");
    for names in names {
        request = request.header("access-control-request-headers", *names);
    }
    app.call(request).await
}

#[actix_web::test]
async fn a_listed_page_may_send_any_header_except_credentials() {
    let settings = [("ALLOWED_ORIGINS", "capacitor://localhost,tauri://localhost")];
    let app = TestApp::start_with(&settings).await;
    let allowed = async |names: &[&str]| {
        let answer = preflight(&app, names).await;
        assert_eq!(answer.status, 200, "{names:?}");
        let origin = answer.header("access-control-allow-origin");
        assert_eq!(origin, "capacitor://localhost");
        let names = answer.header("access-control-allow-headers");
        let names = names
            .split(',')
            .map(|name| name.trim().to_ascii_lowercase());
        names.filter(|name| !name.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(
        allowed(&["content-type,traceparent, baggage,sentry-trace,x-datadog-trace-id"]).await,
        [
            "content-type",
            "traceparent",
            "baggage",
            "sentry-trace",
            "x-datadog-trace-id"
        ]
    );
    assert_eq!(
        allowed(&["authorization, Cookie,x-a", "AUTHORIZATION,x-b"]).await,
        ["x-a", "x-b"]
    );
    assert!(allowed(&["authorization"]).await.is_empty());
    assert!(allowed(&[]).await.is_empty());
    let many: Vec<String> = (0..33).map(|index| format!("x-{index}")).collect();
    assert_eq!(allowed(&[&many[..32].join(",")]).await.len(), 32);
    let long = format!("x-{}", "a".repeat(1100));
    for wrong in [
        many.join(",").as_str(),
        &long,
        "x-a, b c",
        "x-a;q=1",
        "x(a)",
    ] {
        let refused = preflight(&app, &[wrong]).await;
        refused.problem(400, "invalid_request");
        assert_eq!(refused.header("access-control-allow-headers"), "");
    }
}
