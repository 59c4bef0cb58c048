//! Every malformed request is answered with a problem, is not echoed and costs nothing.

use std::sync::atomic::Ordering;

use reqwest::Method;
use serde_json::json;

use crate::app::{Answer, TestApp, TestStore};

const SEND: &str = "/api/otp/send";
const VERIFY: &str = "/api/otp/verify";
/// A marker that is in every hostile body and must be in no answer.
const MARK: &str = "zebra";

async fn post(app: &TestApp, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = app
        .request(Method::POST, path)
        .header("content-type", "application/json")
        .body(body);
    app.call(request).await
}

#[actix_web::test]
async fn malformed_bodies() {
    let app = TestApp::start().await;
    let deep = format!("{}{}", r#"{"recipient":"#, "[".repeat(2000));
    let cases: &[(&str, &[u8], &str)] = &[
        ("nothing", b"", ""),
        ("not JSON", b"zebra", ""),
        ("half of it", br#"{"recipient":"zebra"#, ""),
        ("an array", br#"["zebra"]"#, ""),
        (
            "an array in an array's clothes",
            br#"  ["+14155550123",null,null]"#,
            "",
        ),
        ("a text", br#""zebra""#, ""),
        ("null", b"null", ""),
        ("no field", b"{}", "recipient"),
        (
            "an unknown field",
            br#"{"recipient":"+14155550123","zebra":1}"#,
            "",
        ),
        (
            "a field twice",
            br#"{"recipient":"+14155550123","recipient":"zebra"}"#,
            "",
        ),
        (
            "a number for a text",
            br#"{"recipient":14155550123}"#,
            "recipient",
        ),
        (
            "an object for a text",
            br#"{"recipient":{"zebra":1}}"#,
            "recipient",
        ),
        ("null for a text", br#"{"recipient":null}"#, "recipient"),
        (
            "an unknown channel",
            br#"{"recipient":"+14155550123","channel":"zebra"}"#,
            "channel",
        ),
        (
            "a locale that is no tag",
            br#"{"recipient":"+14155550123","locale":"zebra zebra"}"#,
            "locale",
        ),
        (
            "a number for a locale",
            br#"{"recipient":"+14155550123","locale":7}"#,
            "locale",
        ),
        (
            "another name for what is missing",
            br#"{"zebra":"+14155550123"}"#,
            "recipient",
        ),
        (
            "an unknown field of another call",
            br#"{"recipient":"+14155550123","otp":"zebra"}"#,
            "otp",
        ),
        (
            "a parameter of Plivo's",
            br#"{"recipient":"+14155550123","url":"https://zebra.example/"}"#,
            "url",
        ),
        (
            "more after it",
            br#"{"recipient":"+14155550123"} zebra"#,
            "",
        ),
        ("two of them", br#"{"recipient":"+14155550123"}{}"#, ""),
        ("not UTF-8", b"{\"recipient\":\"\xff\xfe\"}", ""),
        ("UTF-16", b"\xff\xfe{\x00}\x00", ""),
        (
            "a byte order mark",
            b"\xef\xbb\xbf{\"recipient\":\"+14155550123\"}",
            "",
        ),
        ("deep", deep.as_bytes(), "recipient"),
    ];
    for (name, body, field) in cases {
        let answer = post(&app, SEND, body.to_vec()).await;
        let problem = answer.problem(400, "invalid_request");
        assert_eq!(
            problem["field"].as_str().unwrap_or_default(),
            *field,
            "{name}"
        );
        assert!(!answer.text.contains(MARK), "{name}: {}", answer.text);
    }
    for (body, field) in [
        (json!({"otp": "123456"}), "session_uuid"),
        (
            json!({"session_uuid": "8e712097-8090-4644-81e7-8f4265d8354e"}),
            "otp",
        ),
        (
            json!({"session_uuid": MARK, "otp": "123456"}),
            "session_uuid",
        ),
        (
            json!({"session_uuid": "8e712097-8090-4644-81e7-8f4265d8354e", "otp": MARK}),
            "otp",
        ),
        (
            json!({"session_uuid": "8e712097-8090-4644-81e7-8f4265d8354e", "otp": 123_456}),
            "otp",
        ),
    ] {
        let answer = app.post(VERIFY, &body).await;
        assert_eq!(answer.problem(400, "invalid_request")["field"], field);
        assert!(!answer.text.contains(MARK));
    }
    assert_eq!(app.simulator().received().len(), 0);
}

#[actix_web::test]
async fn other_media_types() {
    let app = TestApp::start().await;
    let body = r#"{"recipient":"+14155550123"}"#;
    for content_type in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/json-patch+json",
    ] {
        let request = app
            .request(Method::POST, SEND)
            .header("content-type", content_type)
            .body(body);
        app.call(request)
            .await
            .problem(415, "unsupported_media_type");
    }
    let request = app
        .request(Method::POST, SEND)
        .header("content-type", "application/json")
        .header("content-encoding", "gzip")
        .body(body);
    app.call(request)
        .await
        .problem(415, "unsupported_media_type");
    let request = app
        .request(Method::POST, SEND)
        .header("content-type", "application/json; charset=utf-8")
        .body(body);
    app.call(request).await.ok();
}

#[actix_web::test]
async fn oversize_bodies_declared_or_in_chunks() {
    let app = TestApp::start().await;
    let large = format!(r#"{{"recipient":"{}"}}"#, "1".repeat(5000));
    post(&app, SEND, large)
        .await
        .problem(413, "request_too_large");
    let chunks = (0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 100]));
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    post(&app, SEND, stream)
        .await
        .problem(413, "request_too_large");
}

#[actix_web::test]
async fn other_paths_and_methods() {
    let app = TestApp::start().await;
    for path in [
        "/api",
        "/api/",
        "/api/otp",
        "/api/otp/zebra",
        "/api/otp/send/",
        "/zebra",
        "/api/otp/sessions/",
        "/.env",
        "/..%2f..%2fetc/passwd",
    ] {
        let answer = app.get(path).await;
        answer.problem(404, "not_found");
        assert!(!answer.text.contains(MARK));
    }
    for (path, allow) in [
        (SEND, "POST"),
        ("/api/otp/resend", "POST"),
        (VERIFY, "POST"),
        ("/api/config", "GET, HEAD"),
        ("/healthz", "GET, HEAD"),
        ("/readyz", "GET, HEAD"),
    ] {
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let answer = app.call(app.request(method, path)).await;
            answer.problem(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), allow);
        }
    }
    app.get(SEND).await.problem(405, "method_not_allowed");
    app.post("/api/config", &json!({}))
        .await
        .problem(405, "method_not_allowed");
}

#[actix_web::test]
async fn head_is_get_without_the_body() {
    let app = TestApp::start().await;
    for path in ["/healthz", "/readyz", "/api/config", "/sandbox/messages"] {
        let answer = app.call(app.request(Method::HEAD, path)).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{path}");
    }
    let answer = app.call(app.request(Method::HEAD, SEND)).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
}

#[actix_web::test]
async fn a_panic_fails_only_its_own_request() {
    // Over Redis, the handler itself reads the clock.
    let app = TestApp::start_in(TestStore::new_redis(), &[]).await;
    let session = app.sent("+14155550123").await;
    app.clock.panics.store(true, Ordering::SeqCst);
    app.session(&session).await.problem(500, "internal_error");
    app.clock.panics.store(false, Ordering::SeqCst);
    app.verify(&session, &session.otp).await.ok();
}

#[actix_web::test]
async fn an_incomplete_body_times_out() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let app = TestApp::start().await;
    let mut socket = tokio::net::TcpStream::connect(app.app.address())
        .await
        .unwrap();
    let head = "POST /api/otp/send HTTP/1.1\r\nhost: x\r\n\
                content-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    // The timeout is ten seconds. The server closes the connection, or this read would
    // not end.
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains(r#""code":"request_timeout""#), "{answer}");
}
