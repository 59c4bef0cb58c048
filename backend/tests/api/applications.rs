//! Applications that call from their own servers, with a key.

use std::time::Duration;

use countersign_core::{ApiKey, ApplicationId};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, TestStore};

pub(crate) const SEND: &str = "/api/otp/send";
const USER: &str = "203.0.113.7";

/// The key of that application.
pub(crate) fn key(id: &str) -> ApiKey {
    let byte = id.bytes().fold(0, u8::wrapping_add);
    let id = ApplicationId::parse(id).unwrap();
    ApiKey::from_random_bytes(&id, [byte; ApiKey::RANDOM_BYTES])
}

pub(crate) fn secret(id: &str) -> String {
    key(id).secret().expose_secret().to_owned()
}

/// A file of applications, gone with the value.
pub(crate) struct ApplicationsFile(tempfile::NamedTempFile);

impl ApplicationsFile {
    pub(crate) fn new(text: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Self(file)
    }

    /// Applications with a key each, and what else is said of it.
    pub(crate) fn of(applications: &[(&str, &str)]) -> Self {
        Self::new(&text(applications))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn write(&self, text: &str) {
        std::fs::write(self.0.path(), text).unwrap();
    }
}

fn text(applications: &[(&str, &str)]) -> String {
    let entry = |(id, more): &(&str, &str)| {
        let hash = key(id).hash();
        format!("[[application]]\nid = \"{id}\"\nkey_hashes = [\"{hash}\"]\n{more}\n")
    };
    applications.iter().map(entry).collect()
}

/// What a server asks, with the key of that application.
fn asked(app: &TestApp, id: &str, path: &str, body: &Value) -> RequestBuilder {
    app.request(Method::POST, path)
        .bearer_auth(secret(id))
        .json(body)
}

pub(crate) async fn ask(app: &TestApp, id: &str, path: &str, body: &Value) -> Answer {
    app.call(asked(app, id, path, body)).await
}

fn to(recipient: &str, address: &str) -> Value {
    json!({"recipient": recipient, "end_user": {"address": address}})
}

fn number(index: usize) -> String {
    format!("+1415555{index:04}")
}

/// One application by variables, with a key, live as far as limits care.
async fn start(settings: &[(&str, &str)]) -> TestApp {
    let hash = key("default").hash().to_string();
    let all = [&[("API_KEY_HASHES", hash.as_str())], settings].concat();
    TestApp::start_with(&all).await
}

#[actix_web::test]
async fn a_server_sends_for_many_users_and_each_is_counted_alone() {
    let app = start(&[
        ("LIMIT_SENDS_PER_ADDRESS", "2/1h"),
        ("LIMIT_CHECKS_PER_ADDRESS", "2/1h"),
        ("LIMIT_REQUESTS_PER_ADDRESS", "3/1h"),
    ])
    .await;
    let sends = (0..40).map(|index| {
        let address = format!("198.51.100.{}", index / 2);
        let body = to(&number(100 + index), &address);
        let request = asked(&app, "default", SEND, &body);
        app.call(request)
    });
    for answer in join_all(sends).await {
        answer.ok();
    }
    let third = ask(&app, "default", SEND, &to(&number(190), "198.51.100.3")).await;
    assert_eq!(
        third.problem(429, "rate_limited")["limit"],
        "sends_per_address"
    );
    // Without a key the address is the server's own, and so is its limit.
    for index in [191, 192] {
        app.send(&number(index)).await.ok();
    }
    app.send(&number(193)).await.problem(429, "rate_limited");
    app.send(&number(193)).await.problem(429, "rate_limited");
}

#[actix_web::test]
async fn resend_and_verify_count_whom_the_session_is_for_unless_they_name_another() {
    let app = start(&[
        ("LIMIT_SENDS_PER_ADDRESS", "2/1h"),
        ("LIMIT_CHECKS_PER_ADDRESS", "2/1h"),
    ])
    .await;
    let sent = ask(&app, "default", SEND, &to("+14155550123", USER))
        .await
        .ok();
    let id = sent["session_uuid"].clone();
    app.advance(Duration::from_mins(1));
    let again = json!({"session_uuid": id});
    ask(&app, "default", "/api/otp/resend", &again).await.ok();
    app.advance(Duration::from_mins(2));
    let third = ask(&app, "default", "/api/otp/resend", &again).await;
    assert_eq!(
        third.problem(429, "rate_limited")["limit"],
        "sends_per_address"
    );
    let other = json!({"session_uuid": id, "end_user": {"address": "203.0.113.8"}});
    ask(&app, "default", "/api/otp/resend", &other).await.ok();

    let wrong = json!({"session_uuid": id, "otp": "000000"});
    for _ in 0..2 {
        let answer = ask(&app, "default", "/api/otp/verify", &wrong).await;
        answer.problem(400, "otp_incorrect");
    }
    let third = ask(&app, "default", "/api/otp/verify", &wrong).await;
    assert_eq!(
        third.problem(429, "rate_limited")["limit"],
        "checks_per_address"
    );
    let otp = app.newest_otp("+14155550123").await;
    let right = json!({"session_uuid": id, "otp": otp, "end_user": {"address": "203.0.113.8"}});
    ask(&app, "default", "/api/otp/verify", &right).await.ok();
}

#[actix_web::test]
async fn a_users_own_name_has_a_limit_wherever_they_are() {
    let app = start(&[("LIMIT_SENDS_PER_USER", "2/1h")]).await;
    let body = |index: usize, id: &str| {
        let address = format!("198.51.100.{index}");
        json!({"recipient": number(100 + index), "end_user": {"address": address, "id": id}})
    };
    for index in 0..2 {
        ask(&app, "default", SEND, &body(index, "ada")).await.ok();
    }
    let third = ask(&app, "default", SEND, &body(2, "ada")).await;
    assert_eq!(
        third.problem(429, "rate_limited")["limit"],
        "sends_per_user"
    );
    ask(&app, "default", SEND, &body(2, "grace")).await.ok();
    for id in ["", &"x".repeat(256), "a\nb"] {
        let problem = ask(&app, "default", SEND, &body(3, id)).await;
        assert_eq!(
            problem.problem(400, "invalid_request")["field"],
            "end_user.id"
        );
    }
}

#[actix_web::test]
async fn a_live_server_says_where_its_user_comes_from() {
    let simulator = plivo_simulator::Simulator::start(plivo_simulator::Settings::new(
        "MAXXXXXXXXXXXXXXXXXX",
        "test_auth_token",
    ))
    .unwrap();
    let file = ApplicationsFile::of(&[("shop", ""), ("till", "end_user_addresses = false")]);
    let settings = [
        ("APPLICATIONS_FILE", file.path()),
        ("LIMIT_SENDS_WITHOUT_ADDRESS", "2/1h"),
        ("LIMIT_CHECKS_WITHOUT_ADDRESS", "1/1h"),
        ("LIMIT_SENDS_PER_PREFIX", "off"),
    ];
    let app = TestApp::start_live(&simulator.base_url(), &settings).await;
    let numbers: Vec<String> = (1..=9).map(|last| format!("+1415555267{last}")).collect();
    for end_user in [
        Value::Null,
        json!({}),
        json!({"id": "ada"}),
        json!({"address": "ada"}),
        json!({"address": "203.0.113.7:80"}),
        json!({"address": "10.0.0.1"}),
        json!({"address": "127.0.0.1"}),
        json!({"address": "::1"}),
        json!({"address": "::ffff:192.168.0.1"}),
    ] {
        let body = json!({"recipient": numbers[0], "end_user": end_user});
        let problem = ask(&app, "shop", SEND, &body)
            .await
            .problem(400, "invalid_request");
        assert_eq!(problem["field"], "end_user.address", "{end_user}");
    }
    assert_eq!(simulator.calls().create, 0);
    ask(&app, "shop", SEND, &to(&numbers[0], USER)).await.ok();
    // One that knows no addresses has limits of its own, over all its users.
    let bare = |index: usize| json!({"recipient": numbers[index]});
    let sent = ask(&app, "till", SEND, &bare(1)).await.ok();
    ask(&app, "till", SEND, &bare(2)).await.ok();
    let third = ask(&app, "till", SEND, &bare(3)).await;
    assert_eq!(
        third.problem(429, "rate_limited")["limit"],
        "sends_without_address"
    );
    ask(&app, "till", SEND, &to(&numbers[3], USER)).await.ok();
    let check = json!({"session_uuid": sent["session_uuid"], "otp": "000000"});
    ask(&app, "till", "/api/otp/verify", &check)
        .await
        .problem(400, "otp_incorrect");
    let second = ask(&app, "till", "/api/otp/verify", &check).await;
    assert_eq!(
        second.problem(429, "rate_limited")["limit"],
        "checks_without_address"
    );
}

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
async fn wrong_keys_are_refused_and_counted_by_their_address() {
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
    // A right key has its own limit, before the body is read.
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
async fn a_key_comes_by_basic_too_and_never_from_a_page() {
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
    // What a proxy in front asks browsers for is no key.
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
    assert!(
        app.has("countersign_keys_rejected_total{reason=\"from_browser\"} 2")
            .await
    );
}

#[actix_web::test]
async fn a_session_that_a_key_made_goes_on_with_a_key_of_that_application_only() {
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
    // Whoever has its name may look.
    let path = format!("/api/otp/sessions/{}", id.as_str().unwrap());
    assert_eq!(app.get(&path).await.ok()["checks_left"], 5);
    for (path, body) in &calls {
        ask(&app, "shop", path, body).await.ok();
    }
    // What a browser began, its application's server may end, and no other one.
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
async fn an_application_has_its_own_name_numbers_limits_and_application_at_plivo() {
    let file = ApplicationsFile::of(&[
        (
            "shop",
            "name = \"The Shop\"\ncountries = [\"GB\"]\nchannels = [\"voice\"]\n\
             limit_sends = \"2/1h\"\nplivo_app = \"shop-app\"\nplivo_apps = { reset = \"reset-app\" }",
        ),
        ("bank", ""),
    ]);
    let app = TestApp::start_with(&[("APPLICATIONS_FILE", file.path())]).await;
    let refused = async |body: Value, code: &str| {
        ask(&app, "shop", SEND, &body).await.problem(400, code);
    };
    refused(json!({"recipient": "+14155550123"}), "country_not_allowed").await;
    let sms = json!({"recipient": "+447700900123", "channel": "sms"});
    refused(sms, "channel_not_available").await;
    let body = |last: u8, purpose: &str| json!({"recipient": format!("+44770090012{last}"), "purpose": purpose});
    let created = || {
        let last = app.simulator().received().pop().unwrap();
        let body: Value = serde_json::from_str(&last.body).unwrap();
        (body["brand_name"].clone(), body["app_uuid"].clone())
    };
    ask(&app, "shop", SEND, &body(3, "sign_in")).await.ok();
    assert_eq!(created(), (json!("The Shop"), json!("shop-app")));
    ask(&app, "shop", SEND, &body(4, "reset")).await.ok();
    assert_eq!(created().1, "reset-app");
    let third = ask(&app, "shop", SEND, &body(5, "reset")).await;
    assert_eq!(
        third.problem(429, "rate_limited")["limit"],
        "sends_per_application"
    );
    ask(&app, "bank", SEND, &body(5, "reset")).await.ok();
    assert_eq!(created(), (json!("bank"), Value::Null));
    let config = app.get("/api/config?application=shop").await.ok();
    assert_eq!(config["brand_name"], "The Shop");
    assert_eq!(config["channels"], json!(["voice"]));
    assert_eq!(config["countries"].as_array().unwrap().len(), 1);
    let unknown = app.get("/api/config?application=none").await;
    assert_eq!(
        unknown.problem(400, "invalid_request")["field"],
        "application"
    );
}

#[actix_web::test]
async fn both_budgets_must_have_room() {
    let prices = ApplicationsFile::new("country,channel,price\n*,sms,0.10\n*,voice,0.10\n");
    let file = ApplicationsFile::of(&[("shop", "spend_cap = \"0.15/1h\""), ("bank", "")]);
    let app = TestApp::start_with(&[
        ("APPLICATIONS_FILE", file.path()),
        ("PRICES_FILE", prices.path()),
        ("SPEND_CAP", "0.25/1h"),
    ])
    .await;
    ask(&app, "shop", SEND, &to(&number(101), USER)).await.ok();
    let full = ask(&app, "shop", SEND, &to(&number(102), USER)).await;
    assert_eq!(
        full.problem(429, "rate_limited")["limit"],
        "service_protection"
    );
    ask(&app, "bank", SEND, &to(&number(103), USER)).await.ok();
    let full = ask(&app, "bank", SEND, &to(&number(104), USER)).await;
    assert_eq!(
        full.problem(429, "rate_limited")["limit"],
        "service_protection"
    );
}

#[actix_web::test]
async fn strangers_and_pages_call_for_an_application_that_is_open_to_them() {
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
async fn the_file_is_read_again_all_or_nothing() {
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

#[actix_web::test]
async fn what_is_kept_of_a_user_is_a_keyed_hash() {
    let hash = key("default").hash().to_string();
    let settings = [
        ("API_KEY_HASHES", hash.as_str()),
        ("LIMIT_SENDS_PER_USER", "9/1h"),
    ];
    let app = TestApp::start_in(TestStore::file(), &settings).await;
    let body = json!({
        "recipient": "+14155550123",
        "end_user": {"address": USER, "id": "ada@shop.example"},
    });
    ask(&app, "default", SEND, &body).await.ok();
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(app.store.directory()).unwrap() {
        kept.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    for private in [USER, "ada@shop", "csk_"] {
        let is_there = kept
            .windows(private.len())
            .any(|it| it == private.as_bytes());
        assert!(!is_there, "{private}");
    }
}
