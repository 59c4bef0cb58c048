//! The API description as served, its page, and the documents.

use std::{collections::BTreeSet, fs, path::Path};

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
    assert_eq!(seen, 8);
}

/// The values of an attribute, wherever it stands.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let rest = html.split(attribute).skip(1);
    rest.map(|rest| rest.split_once('"').unwrap().0).collect()
}

#[actix_web::test]
async fn the_page_is_self_contained_and_has_nothing_inline() {
    let app = TestApp::start().await;
    let page = app.get("/api/docs").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    assert!(!policy.contains("unsafe"), "{policy}");
    for inline in ["<style", "style=", "<script>", "onclick", "//"] {
        assert!(!page.text.contains(inline), "{inline}");
    }
    let links = [values(&page.text, "href=\""), values(&page.text, "src=\"")].concat();
    assert!(links.len() > 5, "{links:?}");
    for link in links {
        let file = app.get(&format!("/api/{link}")).await;
        assert_eq!(file.status, 200, "{link}");
        assert_eq!(file.header("cache-control"), "no-cache", "{link}");
        let content_type = match link.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "application/json",
        };
        assert_eq!(file.header("content-type"), content_type, "{link}");
        let loads = file.text.split("url(").skip(1);
        for load in loads.filter(|_| content_type.starts_with("text/css")) {
            let load = load.trim_start_matches(['"', '\'']);
            assert!(load.starts_with("data:"), "{link}: {load:.60}");
        }
        let kept = app
            .request(Method::GET, &format!("/api/{link}"))
            .header("if-none-match", file.header("etag"));
        assert_eq!(app.call(kept).await.status, 304, "{link}");
        let packed = app
            .request(Method::HEAD, &format!("/api/{link}"))
            .header("accept-encoding", "gzip");
        let packed = app.call(packed).await;
        assert_eq!(packed.header("content-encoding"), "gzip", "{link}");
        let length: usize = packed.header("content-length").parse().unwrap();
        assert!(length < file.text.len(), "{link}");
    }
    for path in [
        "/api/docs/",
        "/api/docs/page.html",
        "/api/docs/..%2froutes.rs",
    ] {
        app.get(path).await.problem(404, "not_found");
    }
}

/// The Markdown files below a folder of the repository, by their paths in it.
fn documents(folder: &str) -> Vec<String> {
    let top = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let entries = fs::read_dir(top.join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let documents = names.filter(|name| Path::new(name).extension().is_some_and(|it| it == "md"));
    documents.map(|name| format!("{folder}/{name}")).collect()
}

/// The targets of a document's links, without their fragments. Blocks of code have none.
fn links(markdown: &str) -> Vec<&str> {
    let text = markdown.split("```").step_by(2);
    let links = text.flat_map(|text| text.split("](").skip(1));
    let links = links.map(|link| link.split_once(')').unwrap().0);
    let links = links.filter(|link| !link.starts_with(['#']) && !link.starts_with("https:"));
    links.map(|link| link.split('#').next().unwrap()).collect()
}

#[actix_web::test]
async fn every_document_is_served_and_its_links_lead_to_others() {
    let app = TestApp::start().await;
    let below = ["docs", "docs/integrate", "docs/adr"]
        .map(documents)
        .concat();
    assert!(below.len() > 40, "{below:?}");
    let mut paths: Vec<String> = below.iter().map(|path| format!("/api/{path}")).collect();
    paths.push("/api/docs/README.md".to_owned());
    let mut known = BTreeSet::new();
    for path in &paths {
        let document = app.get(path).await;
        assert_eq!(document.status, 200, "{path}");
        assert_eq!(
            document.header("content-type"),
            "text/markdown; charset=utf-8",
            "{path}"
        );
        assert_eq!(document.header("cache-control"), "no-cache", "{path}");
        assert!(document.text.starts_with("# "), "{path}");
        known.extend(links(&document.text).into_iter().map(str::to_owned));
    }
    assert!(known.len() > 40, "{known:?}");
    for link in &known {
        assert_eq!(app.get(link).await.status, 200, "{link}");
    }
    let api = app.get("/api/docs/api.md").await;
    let again = app
        .request(Method::GET, "/api/docs/api.md")
        .header("if-none-match", api.header("etag"));
    assert_eq!(app.call(again).await.status, 304);
    let packed = app
        .request(Method::HEAD, "/api/docs/api.md")
        .header("accept-encoding", "br");
    assert_eq!(app.call(packed).await.header("content-encoding"), "br");
    for path in [
        "/api/docs/adr",
        "/api/docs/adr/",
        "/api/docs/docs/api.md",
        "/api/docs/.env",
    ] {
        app.get(path).await.problem(404, "not_found");
    }
}

#[actix_web::test]
async fn llms_txt_lists_every_document_but_the_decisions() {
    let app = TestApp::start().await;
    let list = app.get("/llms.txt").await;
    assert_eq!(list.status, 200);
    assert_eq!(list.header("content-type"), "text/plain; charset=utf-8");
    assert!(list.text.starts_with("# Countersign\n\n> "));
    assert_eq!(app.get("/api/docs/llms.txt").await.text, list.text);
    let listed: BTreeSet<_> = links(&list.text).into_iter().collect();
    for path in ["docs", "docs/integrate"].map(documents).concat() {
        assert!(
            listed.contains(&*format!("/api/{path}")),
            "{path} in docs/llms.txt"
        );
    }
    assert!(listed.contains("/api/docs/README.md"));
    for link in listed {
        assert_eq!(app.get(link).await.status, 200, "{link}");
    }
}

#[actix_web::test]
async fn a_live_service_documents_no_pretend_phone() {
    let live = TestApp::start_live("http://127.0.0.1:9", &[]).await;
    let document = live.get("/api/openapi.json").await.ok();
    assert!(document["paths"]["/api/otp/send"].is_object());
    assert!(document["paths"]["/sandbox/messages"].is_null());
}
