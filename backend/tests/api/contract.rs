//! The API description as served, and its page.

use reqwest::Method;
use serde_json::Value;

use crate::app::TestApp;

#[actix_web::test]
async fn the_document_is_served_compressed_and_cacheable() {
    let app = TestApp::start().await;
    let plain = app.get("/api/openapi.json").await;
    assert_eq!(plain.ok()["openapi"], "3.1.0");
    assert_eq!(plain.header("content-type"), "application/json");
    assert_eq!(plain.header("cache-control"), "no-cache");
    let request = app
        .request(Method::GET, "/api/openapi.json")
        .header("if-none-match", plain.header("etag"));
    assert_eq!(app.call(request).await.status, 304);
    let request = app
        .request(Method::HEAD, "/api/openapi.json")
        .header("accept-encoding", "br");
    let compressed = app.call(request).await;
    assert_eq!(compressed.header("content-encoding"), "br");
    let length = |text: &str| text.parse::<usize>().unwrap();
    assert!(length(compressed.header("content-length")) * 5 < plain.text.len());
}

#[actix_web::test]
async fn documented_calls_without_a_parameter_answer_as_documented() {
    let app = TestApp::start().await;
    let document = app.get("/api/openapi.json").await.ok();
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let success = &item["get"]["responses"]["200"];
        if path.contains('{') || !success.is_object() {
            continue;
        }
        let answer = app.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        let named = success["content"].as_object().unwrap().keys().next();
        assert_eq!(named.unwrap(), answer.header("content-type"), "{path}");
        for (name, header) in success["headers"].as_object().unwrap() {
            let required = header["required"] == Value::Bool(true);
            assert!(
                !required || !answer.header(name).is_empty(),
                "{path} {name}"
            );
        }
        seen += 1;
    }
    assert_eq!(seen, 7);
}

#[actix_web::test]
async fn the_page_is_self_contained_and_has_nothing_inline() {
    let app = TestApp::start().await;
    let page = app.get("/api/docs").await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';"));
    for inline in ["<style", "style=", "<script>", "onclick", "//"] {
        assert!(!page.text.contains(inline), "{inline}");
    }
    for (name, content_type) in [
        ("page.js", "text/javascript; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        assert!(page.text.contains(&format!("docs/{name}")), "{name}");
        let file = app.get(&format!("/api/docs/{name}")).await;
        assert_eq!(file.status, 200, "{name}");
        assert_eq!(file.header("content-type"), content_type);
        assert!(!file.text.contains("innerHTML"), "{name}");
    }
    for path in [
        "/api/docs/",
        "/api/docs/page.html",
        "/api/docs/..%2froutes.rs",
    ] {
        app.get(path).await.problem(404, "not_found");
    }
}

#[actix_web::test]
async fn a_live_service_documents_no_pretend_phone() {
    let live = TestApp::start_live("http://127.0.0.1:9", &[]).await;
    let document = live.get("/api/openapi.json").await.ok();
    assert!(document["paths"]["/api/otp/send"].is_object());
    assert!(document["paths"]["/sandbox/messages"].is_null());
}
