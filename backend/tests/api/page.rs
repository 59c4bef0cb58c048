use std::path::PathBuf;

use crate::app::TestApp;

/// A small page in a directory, deleted when dropped.
struct Page(PathBuf);

impl Page {
    fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("countersign-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let html = "<!doctype html><title>x</title><script type=module>doSomething();</script>";
        std::fs::write(directory.join("index.html"), html).unwrap();
        std::fs::write(directory.join("app-0123456789abcdef.js"), "let plain;").unwrap();
        std::fs::write(directory.join("app-0123456789abcdef.js.br"), "brotli").unwrap();
        Self(directory)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[actix_web::test]
async fn the_page_is_served_and_its_policy_lets_its_own_script_run() {
    let page = Page::new("policy");
    let app = TestApp::start_with(&[("PAGE_DIR", page.0.to_str().unwrap())]).await;
    let answer = app.get("/").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/html"));
    assert_eq!(answer.header("cache-control"), "no-cache");
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'sha256-RFWPLDbv2BY+rCkDzsE+0fr8ylGr2R2faWMhq4lfEQc=';"));
    assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
    app.get("/nothing.js").await.problem(404, "not_found");
    let answer = app.call(app.request(reqwest::Method::POST, "/")).await;
    answer.problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "GET, HEAD");
}

#[actix_web::test]
async fn hashed_files_are_immutable_and_sent_compressed() {
    let page = Page::new("files");
    let app = TestApp::start_with(&[("PAGE_DIR", page.0.to_str().unwrap())]).await;
    let path = "/app-0123456789abcdef.js";
    let plain = app.get(path).await;
    assert_eq!(plain.text, "let plain;");
    assert_eq!(
        plain.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    let request = app
        .request(reqwest::Method::GET, path)
        .header("accept-encoding", "br");
    let compressed = app.call(request).await;
    assert_eq!(compressed.text, "brotli");
    assert_eq!(compressed.header("content-encoding"), "br");
}

#[actix_web::test]
async fn every_answer_carries_the_security_headers() {
    let app = TestApp::start().await;
    for path in ["/healthz", "/api/config", "/zebra", "/api/otp/send"] {
        let answer = app.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        assert!(
            answer
                .header("content-security-policy")
                .contains("frame-ancestors 'none'")
        );
        assert_eq!(answer.header("x-request-id").len(), 16);
    }
}

#[actix_web::test]
async fn a_callers_request_id_is_ignored() {
    let app = TestApp::start().await;
    let request = app
        .request(reqwest::Method::GET, "/healthz")
        .header("x-request-id", "zebra");
    assert_ne!(app.call(request).await.header("x-request-id"), "zebra");
}

#[actix_web::test]
async fn a_page_whose_program_failed_is_counted() {
    let app = TestApp::start_with(&[("METRICS_ADDR", "127.0.0.1:0")]).await;
    let report = || app.request(reqwest::Method::POST, "/api/page/failures");
    let answer = app.call(report()).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let elsewhere = report().header("sec-fetch-site", "cross-site");
    app.call(elsewhere).await.problem(403, "origin_not_allowed");
    let metrics = app.metrics().await;
    let counted =
        "countersign_http_requests_total{route=\"/api/page/failures\",status=\"204\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
}
