//! Applications that call from their own servers, with a key.

use std::time::Duration;

use countersign_core::{ApiKey, ApplicationId};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, TestStore};

pub(crate) const SEND: &str = "/api/otp/send";
pub(crate) const USER: &str = "203.0.113.7";

/// The key of that application.
pub(crate) fn key(id: &str) -> ApiKey {
    let byte = id.bytes().fold(0, u8::wrapping_add);
    let id = ApplicationId::parse(id).unwrap();
    ApiKey::from_random_bytes(&id, [byte; ApiKey::RANDOM_BYTES])
}

pub(crate) fn secret(id: &str) -> String {
    key(id).secret().expose_secret().to_owned()
}

/// An applications file, deleted when dropped.
pub(crate) struct ApplicationsFile(tempfile::NamedTempFile);

impl ApplicationsFile {
    pub(crate) fn new(text: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Self(file)
    }

    /// Applications with a key each, and these further settings.
    pub(crate) fn of(applications: &[(&str, &str)]) -> Self {
        Self::new(&text(applications))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    pub(crate) fn write(&self, text: &str) {
        std::fs::write(self.0.path(), text).unwrap();
    }
}

pub(crate) fn text(applications: &[(&str, &str)]) -> String {
    let entry = |(id, more): &(&str, &str)| {
        let hash = key(id).hash();
        format!("[[application]]\nid = \"{id}\"\nkey_hashes = [\"{hash}\"]\n{more}\n")
    };
    applications.iter().map(entry).collect()
}

/// A request from a server, with the key of that application.
pub(crate) fn asked(app: &TestApp, id: &str, path: &str, body: &Value) -> RequestBuilder {
    app.request(Method::POST, path)
        .bearer_auth(secret(id))
        .json(body)
}

pub(crate) async fn ask(app: &TestApp, id: &str, path: &str, body: &Value) -> Answer {
    app.call(asked(app, id, path, body)).await
}

pub(crate) fn to(recipient: &str, address: &str) -> Value {
    json!({"recipient": recipient, "end_user": {"address": address}})
}

fn number(index: usize) -> String {
    format!("+1415555{index:04}")
}

/// Starts with one application, defined by variables, with a key and live mode's limits.
pub(crate) async fn start(settings: &[(&str, &str)]) -> TestApp {
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
    // Without a key, the address and so the limit are the server's own.
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
        ("LIMIT_SENDS_PER_RANGE", "off"),
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
    // An application that passes no addresses has limits of its own, across all its
    // users.
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
async fn the_one_application_of_the_variables_may_know_no_addresses_either() {
    let simulator = plivo_simulator::Simulator::start(plivo_simulator::Settings::new(
        "MAXXXXXXXXXXXXXXXXXX",
        "test_auth_token",
    ))
    .unwrap();
    let hash = key("default").hash().to_string();
    let settings = [
        ("API_KEY_HASHES", hash.as_str()),
        ("END_USER_ADDRESSES", "optional"),
        ("LIMIT_SENDS_WITHOUT_ADDRESS", "1/1h"),
    ];
    let app = TestApp::start_live(&simulator.base_url(), &settings).await;
    let bare = |last: u8| json!({"recipient": format!("+1415555267{last}")});
    ask(&app, "default", SEND, &bare(1)).await.ok();
    let second = ask(&app, "default", SEND, &bare(2)).await;
    let problem = second.problem(429, "rate_limited");
    assert_eq!(problem["limit"], "sends_without_address");
    let known = to("+14155552673", USER);
    ask(&app, "default", SEND, &known).await.ok();
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
