//! Test numbers: nothing is sent, the code is from a file, and the proof is not for real
//! use.

use std::{path::PathBuf, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{Answer, Session, TestApp},
    applications::{ApplicationsFile, SEND, ask, text, to},
};

const NUMBER: &str = "+19995550100";

struct Numbers(tempfile::TempDir);

impl Numbers {
    fn new() -> Self {
        Self::of(&[("default", "246810")])
    }

    /// One number, of these applications with these codes.
    fn of(applications: &[(&str, &str)]) -> Self {
        let numbers = Self(tempfile::tempdir().unwrap());
        numbers.write(applications);
        numbers
    }

    fn write(&self, applications: &[(&str, &str)]) {
        let until = std::time::SystemTime::now() + Duration::from_hours(30 * 24);
        let until = humantime::format_rfc3339_seconds(until).to_string();
        let line = |(application, code): &(&str, &str)| {
            format!("{NUMBER},{code},{},{application}\n", &until[..10])
        };
        let lines: String = applications.iter().map(line).collect();
        let text = format!("number,code,until,application\n{lines}");
        std::fs::write(self.path(), text).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("numbers.csv")
    }
}

async fn start(numbers: &Numbers, settings: &[(&str, &str)]) -> TestApp {
    let path = numbers.path().display().to_string();
    let fixed = [
        ("TEST_NUMBERS_FILE", path.as_str()),
        ("TRUSTED_PROXIES", "127.0.0.1"),
        ("METRICS_ADDR", "127.0.0.1:0"),
    ];
    TestApp::start_with(&[&fixed, settings].concat()).await
}

async fn send_from(app: &TestApp, address: &str) -> Answer {
    let request = app
        .request(Method::POST, "/api/otp/send")
        .header("x-forwarded-for", address)
        .json(&json!({"recipient": NUMBER}));
    app.call(request).await
}

fn session(answer: &Value) -> Session {
    Session {
        id: answer["session_uuid"].as_str().unwrap().to_owned(),
        otp: "246810".to_owned(),
    }
}

#[actix_web::test]
async fn a_test_number_costs_nothing_and_its_proof_is_for_an_audience_of_its_own() {
    let numbers = Numbers::new();
    let limits = [
        ("LIMIT_SENDS_PER_NUMBER", "1/1d"),
        ("LIMIT_SENDS_PER_COUNTRY", "1/1d"),
        ("ALLOWED_COUNTRIES", "GB"),
    ];
    let app = start(&numbers, &limits).await;
    // Neither the number's limits nor the country's apply.
    for _ in 0..3 {
        let session = session(&send_from(&app, "192.0.2.1").await.ok());
        let wrong = app.verify(&session, &session.wrong_otp()).await;
        assert_eq!(wrong.problem(400, "otp_incorrect")["checks_left"], 4);
        let state = app.session(&session).await.ok();
        assert_eq!(state["attempts"][0]["status"], "delivered");
        let verified = app.verify(&session, &session.otp).await.ok();
        app.verify(&session, &session.otp)
            .await
            .problem(409, "session_already_verified");
        // A server that checks only the audience refuses it.
        let proof = verified["proof"].as_str().unwrap();
        let request = app.request(Method::POST, "/api/proofs/introspect");
        let answer = app.call(request.form(&[("token", proof)])).await.ok();
        assert_eq!(answer["active"], false);
        let payload = proof.split('.').nth(1).unwrap();
        let claims =
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload);
        let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
        assert_eq!(claims["aud"], "countersign:test");
    }
    let calls = app.simulator().calls();
    assert_eq!((calls.create, calls.validate, calls.retrieve), (0, 0, 0));
    let text = app.metrics().await;
    assert!(text.contains("countersign_test_number_uses_total 3"));
    assert!(!text.contains("countersign_sessions_verified_total{"));
}

#[actix_web::test]
async fn wrong_codes_and_addresses_count() {
    let numbers = Numbers::new();
    let app = start(&numbers, &[("LIMIT_SENDS_PER_ADDRESS", "2/1h")]).await;
    let session = session(&send_from(&app, "192.0.2.1").await.ok());
    for left in (0..5).rev() {
        let wrong = app.verify(&session, "135790").await;
        assert_eq!(wrong.problem(400, "otp_incorrect")["checks_left"], left);
    }
    app.verify(&session, &session.otp)
        .await
        .problem(429, "checks_exhausted");
    send_from(&app, "192.0.2.1").await.ok();
    send_from(&app, "192.0.2.1")
        .await
        .problem(429, "rate_limited");
    // One address too many.
    for last in 2..=8 {
        send_from(&app, &format!("192.0.2.{last}")).await.ok();
    }
    let text = app.metrics().await;
    assert!(
        text.contains("countersign_test_number_spread_total 1"),
        "{text}"
    );
}

#[actix_web::test]
async fn what_is_no_test_number_any_more_is_a_number_like_any_other() {
    let numbers = Numbers::new();
    let app = start(&numbers, &[]).await;
    let session = session(&send_from(&app, "192.0.2.1").await.ok());
    numbers.write(&[]);
    app.app.sweep().await;
    assert_ne!(app.verify(&session, &session.otp).await.status, 200);
    send_from(&app, "192.0.2.1")
        .await
        .problem(400, "recipient_invalid");
    let calls = app.simulator().calls();
    assert_eq!((calls.create, calls.validate), (0, 0));
}

#[actix_web::test]
async fn a_test_number_of_one_application_is_none_of_another() {
    let applications = [("shop", ""), ("bank", "")];
    let file = ApplicationsFile::of(&applications);
    let numbers = Numbers::of(&[("shop", "246810")]);
    let app = start(&numbers, &[("APPLICATIONS_FILE", file.path())]).await;
    let body = to(NUMBER, "192.0.2.1");
    let sent = ask(&app, "shop", SEND, &body).await.ok();
    ask(&app, "bank", SEND, &body)
        .await
        .problem(400, "recipient_invalid");
    // Each has a code of its own, and one that nobody serves changes nothing.
    numbers.write(&[("shop", "246810"), ("bank", "135790")]);
    app.app.sweep().await;
    let other = ask(&app, "bank", SEND, &body).await.ok();
    numbers.write(&[("shop", "246810"), ("club", "135790")]);
    app.app.sweep().await;
    let check = |sent: &Value, otp: &str| json!({"session_uuid": sent["session_uuid"], "otp": otp});
    let verify = "/api/otp/verify";
    for (id, sent, otp, wrong) in [
        ("shop", &sent, "246810", "135790"),
        ("bank", &other, "135790", "246810"),
    ] {
        let answer = ask(&app, id, verify, &check(sent, wrong)).await;
        answer.problem(400, "otp_incorrect");
        ask(&app, id, verify, &check(sent, otp)).await.ok();
    }
    // Once it is served, its number is in force without another change of the file.
    file.write(&text(&[("shop", ""), ("club", "")]));
    app.app.sweep().await;
    app.app.sweep().await;
    ask(&app, "club", SEND, &body).await.ok();
    assert_eq!(app.simulator().calls().create, 0);
}
