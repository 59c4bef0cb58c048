//! The access list, with its blocks and allowed ranges.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use countersign_test_support::hostile::{Fault, Hostile};

use crate::app::{Answer, TestApp};

/// An access list in a file, deleted when dropped.
struct List(tempfile::TempDir);

impl List {
    fn new(entries: &str) -> Self {
        let list = Self(tempfile::tempdir().unwrap());
        list.write(entries);
        list
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("access.csv")
    }

    fn write(&self, entries: &str) {
        let text = format!("access,what,until,reason\n{entries}");
        std::fs::write(self.path(), text).unwrap();
    }
}

async fn start(list: &List) -> TestApp {
    let path = list.path().display().to_string();
    let settings = [
        ("ACCESS_LIST_FILE", path.as_str()),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    TestApp::start_with(&settings).await
}

async fn send_from(app: &TestApp, address: &str, recipient: &str) -> Answer {
    let request = app
        .request(Method::POST, "/api/otp/send")
        .header("x-forwarded-for", address)
        .json(&json!({"recipient": recipient}));
    app.call(request).await
}

/// The answer of a protective stop, which does not reveal the block.
fn refused(answer: &Answer) {
    let problem = answer.problem(429, "rate_limited");
    assert_eq!(problem["limit"], "service_protection");
    assert_eq!(problem["retry_after"], 1800);
    assert!(!answer.text.contains("block"), "{}", answer.text);
}

#[actix_web::test]
async fn a_blocked_caller_gets_no_code_and_the_answer_of_any_refused_caller() {
    let list = List::new(
        "block,+14155550111,2099-01-01,chargeback\n\
         block,+1212555*,2099-01-01,pumped\n\
         block,GB,2099-01-01,not now\n\
         block,203.0.113.0/24,2099-01-01,bots\n\
         block,+14155550122,2020-01-01,long ago\n",
    );
    let app = start(&list).await;
    for (address, recipient) in [
        ("192.0.2.1", "+14155550111"),
        ("192.0.2.1", "+12125550111"),
        ("192.0.2.1", "+447700900123"),
        ("203.0.113.9", "+14155550133"),
    ] {
        refused(&send_from(&app, address, recipient).await);
    }
    assert_eq!(app.simulator().calls().create, 0);
    send_from(&app, "192.0.2.1", "+14155550122").await.ok();
    send_from(&app, "192.0.2.1", "+14155550133").await.ok();
}

#[actix_web::test]
async fn a_block_takes_effect_soon_also_on_resends_but_not_on_checks() {
    let list = List::new("");
    let app = start(&list).await;
    let session = app.sent("+14155550111").await;
    list.write("block,+14155550111,2099-01-01,reason\n");
    let (number, started) = ("+14155550111", Instant::now());
    // No sweep is requested: the list must be reloaded by the interval alone.
    let is_blocked = async || {
        let answer = send_from(&app, "192.0.2.1", number).await.json();
        answer["limit"] == "service_protection"
    };
    while !is_blocked().await {
        assert!(started.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    refused(&app.resend(&session).await);
    app.verify(&session, &session.otp).await.ok();
    // A list that cannot be parsed changes nothing.
    list.write("block,nonsense\n");
    app.app.sweep().await;
    refused(&send_from(&app, "192.0.2.1", number).await);
}

#[actix_web::test]
async fn an_allowed_range_bypasses_the_metadata_and_its_countrys_block() {
    let list = List::new("block,US,2099-01-01,reason\nallow,+1999555*,2099-01-01,new range\n");
    let app = start(&list).await;
    refused(&send_from(&app, "192.0.2.1", "+14155550111").await);
    let answer = send_from(&app, "192.0.2.1", "+19995550111").await.ok();
    assert_eq!(answer["recipient"], "+19995550111");
    list.write("");
    app.app.sweep().await;
    let answer = send_from(&app, "192.0.2.1", "+19995550112").await;
    answer.problem(400, "recipient_invalid");
}

#[actix_web::test]
async fn a_hundred_thousand_entries_do_not_slow_down_sends() {
    let entries: String = (0..100_000)
        .map(|index| format!("block,+1206{index:07},2099-01-01,r\n"))
        .collect();
    let list = List::new(&entries);
    let app = start(&list).await;
    let started = Instant::now();
    let addresses: Vec<String> = (1..=50).map(|index| format!("192.0.2.{index}")).collect();
    let sends = addresses.iter().zip(0..).map(|(address, index)| {
        let (app, recipient) = (&app, format!("+141555501{index:02}"));
        async move { send_from(app, address, &recipient).await.ok() }
    });
    join_all(sends).await;
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[actix_web::test]
async fn a_block_is_in_force_at_once_also_while_plivo_does_not_answer_about_charges() {
    let list = List::new("");
    let path = list.path().display().to_string();
    let plivo = Hostile::start(Fault::None);
    let settings = [
        ("ACCESS_LIST_FILE", path.as_str()),
        ("LIMIT_SENDS_PER_NUMBER", "1/1d"),
        ("METRICS_ADDR", "127.0.0.1:0"),
    ];
    let app = TestApp::start_live(&plivo.base_url(), &settings).await;
    for index in 0..5 {
        app.send(&format!("+1415555011{index}")).await.ok();
    }
    // The charges of all of them are due.
    plivo.does(Fault::Silent);
    app.clock.advance(Duration::from_mins(3));
    let is_asked = async || {
        let calls = "countersign_upstream_calls_in_flight{call=\"retrieve\"} 1";
        app.has(calls).await
    };
    while !is_asked().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    list.write("block,+14155550110,2099-01-01,reason\n");
    let started = Instant::now();
    // It is over its limit, so whatever refuses it, Plivo is not asked.
    let is_blocked = async || {
        let answer = app.send("+14155550110").await.json();
        answer["limit"] == "service_protection"
    };
    while !is_blocked().await {
        assert!(started.elapsed() < Duration::from_millis(2_500));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
