//! The hosted page for a number that an application's server knows.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{Answer, TestApp},
    applications::{ApplicationsFile, SEND, ask},
};

const NUMBER: &str = "+14155550123";
const PRESS: &str = "/api/otp/page";
const BACK: &str = "https://shop.example/account/phone";

/// Two applications with return addresses, and a stand-in for the built page.
async fn start(settings: &[(&str, &str)]) -> (TestApp, ApplicationsFile, tempfile::TempDir) {
    let dist = tempfile::tempdir().unwrap();
    let html = "<!doctype html><html><head><title>x</title></head><body>\
                <div id=\"app\">built</div></body></html>";
    std::fs::write(dist.path().join("index.html"), html).unwrap();
    let ways = "return_urls = [\"https://shop.example/account/\"]\n\
                embed_origins = [\"https://shop.example\"]";
    let file = ApplicationsFile::of(&[("bank", ""), ("shop", ways)]);
    let all = [
        &[
            ("APPLICATIONS_FILE", file.path()),
            ("PAGE_DIR", dist.path().to_str().unwrap()),
            ("PUBLIC_URL", "https://verify.example.com"),
        ],
        settings,
    ];
    let app = TestApp::start_with(&all.concat()).await;
    (app, file, dist)
}

fn asked(more: &Value) -> Value {
    let mut body = json!({
        "recipient": NUMBER, "page": true, "return_to": BACK, "state": "a&b",
        "nonce": "n0nce", "purpose": "reset",
    });
    let fields = body.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    fields.retain(|_, value| !value.is_null());
    body
}

/// Creates a page, and returns its id.
async fn begun(app: &TestApp, more: &Value) -> String {
    let answer = ask(app, "shop", SEND, &asked(more)).await.ok();
    let url = answer["page_url"].as_str().unwrap();
    let name = url.strip_prefix("https://verify.example.com/?page=");
    assert_eq!(answer["expires_in"], 600);
    name.unwrap().to_owned()
}

async fn press(app: &TestApp, name: &str) -> Answer {
    app.post(PRESS, &json!({"page": name})).await
}

#[actix_web::test]
async fn nothing_is_sent_until_the_user_presses_the_button_and_then_once() {
    let (app, _file, _dist) = start(&[]).await;
    let name = begun(&app, &json!({})).await;
    let shown = app.get(&format!("/?page={name}")).await;
    assert_eq!(shown.status, 200);
    for part in [
        "data-recipient=\"+•••••••••23\"".to_owned(),
        format!("data-page=\"{name}\""),
        format!("data-return-to=\"{BACK}\""),
        "data-state=\"a&amp;b\"".to_owned(),
        "data-application=\"shop\"".to_owned(),
        "data-start=\"confirm-number\"".to_owned(),
    ] {
        assert!(shown.text.contains(&part), "{part} in {}", shown.text);
    }
    assert!(!shown.text.contains("4155550123"));
    assert_eq!(app.simulator().calls().create, 0);

    let sent = press(&app, &name).await.ok();
    assert_eq!(sent["recipient"], "+•••••••••23");
    assert_eq!(app.simulator().calls().create, 1);
    app.advance(Duration::from_mins(1));
    press(&app, &name).await.problem(404, "session_expired");
    // Reloading the page still works.
    assert_eq!(app.get(&format!("/?page={name}")).await.status, 200);

    // The user continues without a key, and the proof is for the application.
    let otp = app.newest_otp(NUMBER).await;
    let body = json!({"session_uuid": sent["session_uuid"], "otp": otp});
    let proof = app.post("/api/otp/verify", &body).await.ok()["proof"].clone();
    let request = app.request(Method::POST, "/api/proofs/introspect");
    let request = request.bearer_auth(crate::applications::secret("shop"));
    let form = [("token", proof.as_str().unwrap())];
    let claims = app.call(request.form(&form)).await.ok();
    assert_eq!(
        (
            &claims["phone_number"],
            &claims["nonce"],
            &claims["purpose"]
        ),
        (&json!(NUMBER), &json!("n0nce"), &json!("reset"))
    );
}

#[actix_web::test]
async fn pressed_many_times_at_once_it_sends_one_code() {
    let (app, _file, _dist) = start(&[]).await;
    let name = begun(&app, &json!({})).await;
    let presses = futures_util::future::join_all((0..20).map(|_| press(&app, &name))).await;
    let sent = presses.iter().filter(|answer| answer.status == 200);
    assert_eq!((sent.count(), app.simulator().calls().create), (1, 1));
}

#[actix_web::test]
async fn a_page_expires_after_ten_minutes_and_cannot_be_altered() {
    let (app, _file, _dist) = start(&[]).await;
    let name = begun(&app, &json!({})).await;
    app.advance(Duration::from_mins(10));
    press(&app, &name).await.problem(404, "session_expired");
    let none = "51630b05-1f2b-4c1a-835b-968f259175d1";
    press(&app, none).await.problem(404, "session_not_found");
    let wrong = press(&app, "x").await.problem(400, "invalid_request");
    assert_eq!(wrong["field"], "page");
    for query in [
        format!("page={none}"),
        "page=x".to_owned(),
        format!("page={name}&return_to=https%3A%2F%2Fevil.example%2F"),
        format!("page={name}&nonce=other"),
        format!("page={name}&state=other"),
        format!("page={name}&application=bank"),
        format!("page={name}&page={name}"),
    ] {
        assert_eq!(app.get(&format!("/?{query}")).await.status, 400, "{query}");
    }
    assert_eq!(app.simulator().calls().create, 0);
}

#[actix_web::test]
async fn only_a_server_can_create_a_page_and_it_leads_back_to_its_own_application() {
    let (app, _file, _dist) = start(&[]).await;
    app.post(SEND, &asked(&json!({"application": "shop"})))
        .await
        .problem(401, "unauthorized");
    for (more, field) in [
        (json!({"return_to": null}), "return_to"),
        (json!({"return_to": "https://evil.example/"}), "return_to"),
        (json!({"return_to": "https://shop.example/"}), "return_to"),
        (json!({"embed": "https://shop.example"}), "embed"),
        (
            json!({"return_to": null, "embed": "https://evil.example"}),
            "embed",
        ),
        (json!({"page": "yes"}), "page"),
    ] {
        let refused = ask(&app, "shop", SEND, &asked(&more)).await;
        assert_eq!(
            refused.problem(400, "invalid_request")["field"],
            field,
            "{more}"
        );
    }
    let refused = ask(&app, "bank", SEND, &asked(&json!({}))).await;
    assert_eq!(
        refused.problem(400, "invalid_request")["field"],
        "return_to"
    );
    let refused = ask(
        &app,
        "shop",
        SEND,
        &asked(&json!({"recipient": "+1 900 555 0123"})),
    )
    .await;
    refused.problem(400, "number_type_not_allowed");
    let framed = json!({"return_to": null, "embed": "https://shop.example"});
    let name = begun(&app, &framed).await;
    let shown = app.get(&format!("/?page={name}")).await;
    let policy = shown.header("content-security-policy");
    assert!(
        policy.ends_with("frame-ancestors https://shop.example"),
        "{policy}"
    );
}

#[actix_web::test]
async fn the_user_is_counted_by_their_own_address_and_id() {
    let (app, _file, _dist) = start(&[
        ("LIMIT_SENDS_PER_ADDRESS", "1/1h"),
        ("LIMIT_SENDS_PER_USER", "1/1h"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ])
    .await;
    let user = |id: &str, last: u8| json!({"recipient": format!("+1415555012{last}"), "end_user": {"id": id}});
    let press_from = async |name: &str, address: &str| {
        let request = app
            .request(Method::POST, PRESS)
            .header("x-forwarded-for", address);
        app.call(request.json(&json!({"page": name}))).await
    };
    let first = begun(&app, &user("ada", 1)).await;
    press_from(&first, "203.0.113.7").await.ok();
    let second = begun(&app, &user("ada", 2)).await;
    let full = press_from(&second, "203.0.113.8").await;
    assert_eq!(full.problem(429, "rate_limited")["limit"], "sends_per_user");
    let third = begun(&app, &user("grace", 3)).await;
    let full = press_from(&third, "203.0.113.7").await;
    assert_eq!(
        full.problem(429, "rate_limited")["limit"],
        "sends_per_address"
    );
    // A refused request has not used up the page.
    press_from(&third, "203.0.113.9").await.ok();
}

#[actix_web::test]
async fn the_embed_script_is_small_and_can_be_loaded_by_other_origins() {
    let (app, _file, _dist) = start(&[]).await;
    for (path, content_type) in [
        ("/embed/v1.js", "text/javascript; charset=utf-8"),
        ("/embed/v1.d.ts", "text/plain; charset=utf-8"),
    ] {
        let request = app
            .request(Method::GET, path)
            .header("accept-encoding", "br");
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(answer.status(), 200);
        assert_eq!(header("content-type"), content_type);
        assert_eq!(header("content-encoding"), "br");
        assert_eq!(header("access-control-allow-origin"), "*");
        assert_eq!(header("cross-origin-resource-policy"), "cross-origin");
        assert_eq!(header("cache-control"), "public, max-age=600");
        let size = answer.bytes().await.unwrap().len();
        assert!(size <= 3 * 1024, "{path}: {size}");
    }
    let other = app.get("/api/config").await;
    assert_eq!(other.header("cross-origin-resource-policy"), "same-origin");
}

#[actix_web::test]
async fn an_application_is_framed_by_its_own_origins_only() {
    let dist = tempfile::tempdir().unwrap();
    let html = "<!doctype html><html><head><title>x</title></head><body></body></html>";
    std::fs::write(dist.path().join("index.html"), html).unwrap();
    let file = ApplicationsFile::of(&[
        ("shop", "embed_origins = [\"https://shop.example\"]"),
        ("bank", "embed_origins = [\"https://bank.example\"]"),
        ("desk", ""),
    ]);
    let settings = [
        ("APPLICATIONS_FILE", file.path()),
        ("PAGE_DIR", dist.path().to_str().unwrap()),
    ];
    let app = TestApp::start_with(&settings).await;
    let framed = async |query: &str| {
        let answer = app.get(&format!("/?{query}")).await;
        let policy = answer.header("content-security-policy").to_owned();
        let (_, ancestors) = policy.split_once("frame-ancestors ").unwrap();
        (answer.status, ancestors.to_owned())
    };
    let shop = "embed=https%3A%2F%2Fshop.example";
    let own = (200, "https://shop.example".to_owned());
    assert_eq!(framed(&format!("application=shop&{shop}")).await, own);
    // A request that names no application selects the one that lists the origin.
    assert_eq!(framed(shop).await, own);
    let bank = "embed=https%3A%2F%2Fbank.example";
    let of_bank = (200, "https://bank.example".to_owned());
    assert_eq!(framed(bank).await, of_bank);
    for refused in [
        format!("application=bank&{shop}"),
        format!("application=none&{shop}"),
        "application=desk".to_owned(),
    ] {
        assert_eq!(
            framed(&refused).await,
            (400, "'none'".to_owned()),
            "{refused}"
        );
    }
    let page = app.get(&format!("/?application=bank&{bank}")).await;
    assert!(page.text.contains("data-application=\"bank\""));
    assert!(
        page.text.contains("<title>x · bank</title>"),
        "{}",
        page.text
    );
}
