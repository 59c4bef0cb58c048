//! How a delivery goes: told by Plivo, asked of Plivo, and watched.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all};
use plivo_simulator::signature;
use proptest::{prelude::*, strategy::ValueTree};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{Answer, Session, TestApp, TestStore, manual_clock, start_app};

const PUBLIC_URL: &str = "https://verify.example.com";
const TOKEN: &str = "test_auth_token";

/// The service, live against the simulator, whose callbacks come from the test.
struct World {
    app: TestApp,
    simulator: plivo_simulator::Simulator,
}

impl World {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let plivo = plivo_simulator::Settings::new("MAXXXXXXXXXXXXXXXXXX", TOKEN);
        let simulator = plivo_simulator::Simulator::start(plivo).unwrap();
        let all = [&[("PUBLIC_URL", PUBLIC_URL)], settings].concat();
        let app = TestApp::start_live(&simulator.base_url(), &all).await;
        Self { app, simulator }
    }

    async fn sent(&self) -> Session {
        let answer = self.app.send("+14155552671").await.ok();
        Session {
            id: answer["session_uuid"].as_str().unwrap().to_owned(),
            otp: self.simulator.messages()[0].otp.clone(),
        }
    }

    /// Where Plivo was told to call back, and Plivo's name for the session.
    fn told(&self) -> (String, String) {
        let received = self.simulator.received();
        let create = received.iter().find(|it| it.path.ends_with("/Session/"));
        let body: Value = serde_json::from_str(&create.unwrap().body).unwrap();
        assert_eq!(body["method"], "POST");
        (
            body["url"].as_str().unwrap().to_owned(),
            self.simulator.session_ids()[0].clone(),
        )
    }

    fn path(&self) -> String {
        self.told().0.replace(PUBLIC_URL, "")
    }

    fn form(&self, sequence: usize, status: &str, error_code: &str) -> Vec<(String, String)> {
        [
            ("SessionUUID", self.told().1.as_str()),
            ("SessionStatus", "in-progress"),
            ("AttemptUUID", "c1ed6b11-783d-4efd-8b45-d372e02d2943"),
            ("AttemptSequence", &sequence.to_string()),
            ("Channel", "sms"),
            ("ChannelStatus", status),
            ("ChannelErrorCode", error_code),
            ("Recipient", "14155552671"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    async fn post(&self, form: &[(String, String)], headers: &[(&str, &str)]) -> Answer {
        let mut request = self.app.request(Method::POST, &self.path()).form(form);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.app.call(request).await
    }

    /// As Plivo calls, with V2.
    async fn call(&self, nonce: &str, form: &[(String, String)]) -> Answer {
        let value = signature::v2(TOKEN, &self.told().0, nonce);
        let headers = [
            ("x-plivo-signature-v2", value.as_str()),
            ("x-plivo-signature-v2-nonce", nonce),
        ];
        self.post(form, &headers).await
    }

    async fn attempt(&self, session: &Session) -> Value {
        self.app.session(session).await.ok()["attempts"][0].clone()
    }
}

#[actix_web::test]
async fn a_callback_is_a_hint_that_plivo_is_asked_about() {
    let world = World::start(&[]).await;
    let session = world.sent().await;
    assert_eq!(world.attempt(&session).await["status"], "queued");
    let asked = world.simulator.calls().retrieve;
    // In between nobody asks: Plivo tells.
    world.app.advance(Duration::from_secs(5));
    world.attempt(&session).await;
    assert_eq!(world.simulator.calls().retrieve, asked);
    let answer = world.call("1", &world.form(1, "sent", "")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(world.attempt(&session).await["status"], "sent");
    assert_eq!(world.simulator.calls().retrieve, asked + 1);
    world.call("2", &world.form(1, "delivered", "")).await;
    assert_eq!(world.attempt(&session).await["status"], "delivered");
    // It never moves back, and a repeat with its own nonce is welcome.
    for (nonce, status) in [
        ("3", "sent"),
        ("4", "queued"),
        ("5", "undelivered"),
        ("6", "delivered"),
    ] {
        assert_eq!(
            world.call(nonce, &world.form(1, status, "")).await.status,
            200
        );
        assert_eq!(world.attempt(&session).await["status"], "delivered");
    }
}

#[actix_web::test]
async fn why_it_did_not_arrive_is_told_unless_it_was_fraud() {
    for (error_code, reason) in [
        ("20", json!("unreachable")),
        ("450", json!("country_barred")),
        ("452", Value::Null),
        ("", Value::Null),
    ] {
        let world = World::start(&[]).await;
        let session = world.sent().await;
        world
            .call("1", &world.form(1, "undelivered", error_code))
            .await;
        let attempt = world.attempt(&session).await;
        assert_eq!(attempt["status"], "undelivered");
        assert_eq!(attempt["reason"], reason, "{error_code}");
    }
}

#[actix_web::test]
async fn where_the_text_failed_a_call_need_not_wait_and_counts() {
    let world = World::start(&[]).await;
    let session = world.sent().await;
    let call = json!({"session_uuid": session.id, "channel": "voice"});
    let early = world.app.post("/api/otp/resend", &call).await;
    assert_eq!(early.problem(429, "rate_limited")["retry_after"], 30);
    world.call("1", &world.form(1, "undelivered", "20")).await;
    let seen = world.app.session(&session).await.ok();
    assert_eq!(seen["next_actions"][0], "change_channel");
    // The same way waits.
    world
        .app
        .resend(&session)
        .await
        .problem(429, "rate_limited");
    let called = world.app.post("/api/otp/resend", &call).await.ok();
    assert_eq!(
        (&called["channel"], &called["resend_in"]),
        (&json!("voice"), &json!(60))
    );
    world.app.verify(&session, &session.otp).await.ok();
}

#[actix_web::test]
async fn every_form_of_signature_is_taken() {
    let world = World::start(&[]).await;
    let session = world.sent().await;
    let url = world.told().0;
    let form = world.form(1, "delivered", "");
    let v2 = signature::v2(TOKEN, &url, "1");
    let headers = [
        ("x-plivo-signature-ma-v2", v2.as_str()),
        ("x-plivo-signature-v2-nonce", "1"),
    ];
    assert_eq!(world.post(&form, &headers).await.status, 200);
    let v3 = signature::v3_post(TOKEN, &url, &form, "2");
    let headers = [
        ("x-plivo-signature-v3", v3.as_str()),
        ("x-plivo-signature-v3-nonce", "2"),
    ];
    assert_eq!(world.post(&form, &headers).await.status, 200);
    // By GET.
    let query = serde_json::to_value(&form).unwrap();
    let pairs: Vec<String> = query
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| {
            format!(
                "{}={}",
                pair[0].as_str().unwrap(),
                pair[1].as_str().unwrap()
            )
        })
        .collect();
    let url = format!("{url}?{}", pairs.join("&"));
    let v3 = signature::v3_get(TOKEN, &url, "3");
    let request = world
        .app
        .request(Method::GET, &url.replace(PUBLIC_URL, ""))
        .header("x-plivo-signature-v3", v3)
        .header("x-plivo-signature-v3-nonce", "3");
    assert_eq!(world.app.call(request).await.status, 200);
    assert_eq!(world.attempt(&session).await["status"], "delivered");
}

#[actix_web::test]
async fn a_callback_that_is_not_plivos_changes_nothing() {
    let world = World::start(&[]).await;
    let session = world.sent().await;
    let form = world.form(1, "delivered", "");
    let url = world.told().0;
    let right = signature::v2(TOKEN, &url, "1");
    for headers in [
        vec![],
        vec![("x-plivo-signature-v2", right.as_str())],
        vec![
            ("x-plivo-signature-v2", right.as_str()),
            ("x-plivo-signature-v2-nonce", "2"),
        ],
        vec![
            ("x-plivo-signature-v2", "AAAA"),
            ("x-plivo-signature-v2-nonce", "1"),
        ],
        vec![
            ("x-plivo-signature-v3", right.as_str()),
            ("x-plivo-signature-v3-nonce", "1"),
        ],
    ] {
        world
            .post(&form, &headers)
            .await
            .problem(403, "callback_refused");
    }
    let strange = signature::v2("another_token", &url, "1");
    let headers = [
        ("x-plivo-signature-v2", strange.as_str()),
        ("x-plivo-signature-v2-nonce", "1"),
    ];
    world
        .post(&form, &headers)
        .await
        .problem(403, "callback_refused");
    // Signed, and says nothing we know, or of long ago.
    for (name, value) in [
        ("Channel", "pigeon"),
        ("AttemptSequence", "0"),
        ("SessionUUID", "../x"),
        ("RequestTime", "2001-01-01 10:00:00.123456"),
    ] {
        let mut form = form.clone();
        form.retain(|(field, _)| field != name);
        form.push((name.to_owned(), value.to_owned()));
        world
            .call("3", &form)
            .await
            .problem(403, "callback_refused");
    }
    assert_eq!(world.attempt(&session).await["status"], "queued");
    // The same one a second time.
    assert_eq!(world.call("4", &form).await.status, 200);
    world
        .call("4", &form)
        .await
        .problem(403, "callback_refused");
    // Another address is no address, and without a public URL there is none.
    let other = format!("{}0", world.path());
    let request = world.app.request(Method::POST, &other).form(&form);
    world.app.call(request).await.problem(404, "not_found");
    let app = TestApp::start().await;
    let request = app.request(Method::POST, &world.path()).form(&form);
    app.call(request).await.problem(404, "not_found");
}

#[actix_web::test]
async fn callbacks_in_any_order_and_again_end_alike() {
    let world = World::start(&[]).await;
    let session = world.sent().await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let orders = Just(vec!["queued", "sent", "sent", "delivered", "delivered"]).prop_shuffle();
    for round in 0..10 {
        let order = orders.new_tree(&mut runner).unwrap().current();
        for (index, status) in order.iter().enumerate() {
            let nonce = format!("{round}-{index}");
            assert_eq!(
                world.call(&nonce, &world.form(1, status, "")).await.status,
                200
            );
        }
        assert_eq!(
            world.attempt(&session).await["status"],
            "delivered",
            "{order:?}"
        );
    }
}

/// What a watcher reads.
struct Watcher {
    body: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<Vec<u8>>>>>,
    text: String,
}

impl Watcher {
    fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = response.bytes_stream();
        Self {
            body: Box::pin(body.map(|piece| piece.map(|bytes| bytes.to_vec()))),
            text: String::new(),
        }
    }

    /// The next event: its id and its session; nothing at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(read) = read(&event) {
                    return Some(read);
                }
            }
            let piece = self.body.next().await?.unwrap();
            self.text += &String::from_utf8(piece).unwrap();
        }
    }
}

fn read(event: &str) -> Option<(String, Value)> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
    let data = field("data: ")?;
    assert_eq!(field("event: "), Some("session"));
    Some((
        field("id: ")?.to_owned(),
        serde_json::from_str(data).unwrap(),
    ))
}

async fn watch(app: &TestApp, id: &str, last: &str) -> Response {
    let request = app
        .request(Method::GET, &format!("/api/otp/sessions/{id}/events"))
        .header("last-event-id", last);
    request.send().await.unwrap()
}

#[actix_web::test]
async fn a_watcher_sees_each_change_and_the_end() {
    let world = World::start(&[]).await;
    let session = world.sent().await;
    let mut watcher = Watcher::of(watch(&world.app, &session.id, "").await);
    let (first, seen) = watcher.next().await.unwrap();
    assert_eq!(seen["attempts"][0]["status"], "queued");
    assert_eq!(seen, world.app.session(&session).await.ok());
    world.call("1", &world.form(1, "sent", "")).await;
    let (second, seen) = watcher.next().await.unwrap();
    assert_eq!(seen["attempts"][0]["status"], "sent");
    assert_ne!(first, second);
    // Whoever comes back having seen that is told what is new only.
    let mut again = Watcher::of(watch(&world.app, &session.id, &second).await);
    world.call("2", &world.form(1, "delivered", "")).await;
    for watcher in [&mut watcher, &mut again] {
        let (_, seen) = watcher.next().await.unwrap();
        assert_eq!(seen["attempts"][0]["status"], "delivered");
    }
    world.app.verify(&session, &session.otp).await.ok();
    for mut watcher in [watcher, again] {
        let (_, mut seen) = watcher.next().await.unwrap();
        if seen["checks_left"] == 4 && seen["status"] == "pending" {
            // The check was under way.
            (_, seen) = watcher.next().await.unwrap();
        }
        assert_eq!(seen["status"], "verified");
        assert!(watcher.next().await.is_none());
    }
}

#[actix_web::test]
async fn whoever_saw_the_end_is_told_not_to_come_back() {
    let world = World::start(&[]).await;
    let session = world.sent().await;
    let pending = watch(&world.app, &session.id, "").await;
    let mut stream = pending.bytes_stream();
    let start = stream.next().await.unwrap().unwrap();
    assert!(start.starts_with(b"retry: "), "{start:?}");
    drop(stream);
    world.app.verify(&session, &session.otp).await.ok();
    let mut watcher = Watcher::of(watch(&world.app, &session.id, "").await);
    let (last, seen) = watcher.next().await.unwrap();
    assert_eq!(seen["status"], "verified");
    assert!(watcher.next().await.is_none());
    let again = watch(&world.app, &session.id, &last).await;
    assert_eq!(again.status(), 204);
    // Who saw something else is told the end.
    let mut watcher = Watcher::of(watch(&world.app, &session.id, "0").await);
    assert_eq!(watcher.next().await.unwrap().0, last);
    // Exhausted is an end, too.
    let other = world.app.send("+14155552672").await.ok();
    let id = other["session_uuid"].as_str().unwrap();
    let otp = world.simulator.messages()[0].otp.clone();
    let wrong = Session {
        id: id.to_owned(),
        otp,
    }
    .wrong_otp();
    for _ in 0..5 {
        world
            .app
            .post(
                "/api/otp/verify",
                &json!({"session_uuid": id, "otp": wrong}),
            )
            .await;
    }
    let mut watcher = Watcher::of(watch(&world.app, id, "").await);
    let (last, seen) = watcher.next().await.unwrap();
    assert_eq!(seen["status"], "checks_exhausted");
    assert_eq!(watch(&world.app, id, &last).await.status(), 204);
}

#[actix_web::test]
async fn a_stream_is_of_a_session_that_there_is() {
    let app = TestApp::start().await;
    app.get("/api/otp/sessions/8e712097-8090-4644-81e7-8f4265d8354e/events")
        .await
        .problem(404, "session_not_found");
    app.get("/api/otp/sessions/x/events")
        .await
        .problem(400, "invalid_request");
}

#[actix_web::test]
async fn an_address_has_so_many_streams_and_gets_them_back() {
    let settings = [("LIMIT_CHECKS_PER_ADDRESS", "100/1h")];
    let app = TestApp::start_with(&settings).await;
    let session = app.sent("+14155550123").await;
    let open = (0..20).map(|_| watch(&app, &session.id, ""));
    let streams: Vec<Response> = join_all(open).await;
    assert!(streams.iter().all(|it| it.status() == 200));
    let refused = Answer::read(watch(&app, &session.id, "").await).await;
    refused.problem(429, "rate_limited");
    drop(streams);
    // Noticed at a heartbeat, within fifteen seconds.
    let given_back = async {
        while watch(&app, &session.id, "").await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), given_back)
        .await
        .unwrap();
}

#[actix_web::test]
async fn a_site_has_so_many_streams_whatever_its_addresses() {
    let settings = [
        ("LIMIT_CHECKS_PER_ADDRESS", "100/1h"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let app = TestApp::start_with(&settings).await;
    let mut sessions = Vec::new();
    for index in 1..=5 {
        sessions.push(app.sent(&format!("+1415555012{index}")).await.id);
    }
    let (app, sessions) = (&app, &sessions);
    let from = |address: String, session: usize| async move {
        let path = format!("/api/otp/sessions/{}/events", sessions[session % 5]);
        let request = app.request(Method::GET, &path);
        let request = request.header("x-forwarded-for", address);
        request.send().await.unwrap()
    };
    // Each from a /64 of its own, and of each session no more than may be.
    let open = (0..80).map(|it| from(format!("2001:db8:1:{it:x}::1"), it));
    let streams: Vec<Response> = join_all(open).await;
    assert!(streams.iter().all(|it| it.status() == 200));
    let refused = Answer::read(from("2001:db8:1:ffff::1".to_owned(), 0).await).await;
    refused.problem(429, "rate_limited");
    let mut others = Vec::new();
    for it in 0..4 {
        others.push(from(format!("198.51.100.{it}"), 0).await);
    }
    assert!(others.iter().all(|it| it.status() == 200));
    // Twenty watch the first session now.
    let refused = Answer::read(from("198.51.100.9".to_owned(), 0).await).await;
    refused.problem(429, "rate_limited");
    let other_session = from("198.51.100.9".to_owned(), 1).await;
    assert_eq!(other_session.status(), 200);
}

#[actix_web::test]
async fn it_does_not_matter_on_which_instance_a_callback_lands() {
    let plivo = plivo_simulator::Settings::new("MAXXXXXXXXXXXXXXXXXX", TOKEN);
    let simulator = plivo_simulator::Simulator::start(plivo).unwrap();
    let store = TestStore::new_redis();
    let home = store.settings();
    let base_url = simulator.base_url();
    let mut all = vec![
        ("PLIVO_MODE", "live"),
        ("PLIVO_AUTH_ID", "MAXXXXXXXXXXXXXXXXXX"),
        ("PLIVO_AUTH_TOKEN", TOKEN),
        ("PLIVO_BASE_URL", base_url.as_str()),
        ("ALLOWED_COUNTRIES", "*"),
        ("SPEND_CAP", "off"),
        ("PUBLIC_URL", PUBLIC_URL),
    ];
    all.extend(home.iter().map(|(name, value)| (*name, value.as_str())));
    let other = start_app(&all, manual_clock()).await;
    let app = TestApp::start_live_in(store, &base_url, &[("PUBLIC_URL", PUBLIC_URL)]).await;
    let world = World { app, simulator };
    let session = world.sent().await;
    let url = format!(
        "http://{}/api/otp/sessions/{}/events",
        other.address(),
        session.id
    );
    let response = crate::app::http().get(url).send().await.unwrap();
    let mut watcher = Watcher::of(response);
    watcher.next().await.unwrap();
    world.call("1", &world.form(1, "delivered", "")).await;
    let (_, seen) = watcher.next().await.unwrap();
    assert_eq!(seen["attempts"][0]["status"], "delivered");
}

#[actix_web::test]
async fn without_a_public_url_plivo_is_asked_gently_while_somebody_watches() {
    let app = TestApp::start().await;
    // One whose text takes its time.
    let sent = app.send("+14155550191").await.ok();
    let id = sent["session_uuid"].as_str().unwrap();
    let watchers = (0..10).map(|_| watch(&app, id, ""));
    let mut watchers: Vec<_> = join_all(watchers)
        .await
        .into_iter()
        .map(Watcher::of)
        .collect();
    for watcher in &mut watchers {
        watcher.next().await.unwrap();
    }
    // Ten watchers, one question in three seconds.
    assert_eq!(app.simulator().calls().retrieve, 1);
    app.advance(Duration::from_mins(1));
    for watcher in &mut watchers {
        let (_, seen) = watcher.next().await.unwrap();
        assert_eq!(seen["attempts"][0]["status"], "delivered");
    }
    assert_eq!(app.simulator().calls().retrieve, 2);
}
