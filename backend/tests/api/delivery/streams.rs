//! The event stream of a session, as its clients read it.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::World;
use crate::app::{Answer, Session, TestApp};

/// A client that reads an event stream.
pub(super) struct Watcher {
    body: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<Vec<u8>>>>>,
    text: String,
}

impl Watcher {
    pub(super) fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = response.bytes_stream();
        Self {
            body: Box::pin(body.map(|piece| piece.map(|bytes| bytes.to_vec()))),
            text: String::new(),
        }
    }

    /// The next event: its id and its session; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<(String, Value)> {
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

pub(super) async fn watch(app: &TestApp, id: &str, last: &str) -> Response {
    let request = app
        .request(Method::GET, &format!("/api/otp/sessions/{id}/events"))
        .header("last-event-id", last);
    request.send().await.unwrap()
}

#[actix_web::test]
async fn a_watcher_receives_each_change_and_the_end() {
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
    // A client that reconnects after that event receives only newer ones.
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
            // The check was still in progress.
            (_, seen) = watcher.next().await.unwrap();
        }
        assert_eq!(seen["status"], "verified");
        assert!(watcher.next().await.is_none());
    }
}

#[actix_web::test]
async fn a_client_that_has_seen_the_end_is_told_not_to_reconnect() {
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
    // A client that has seen another event receives the last one.
    let mut watcher = Watcher::of(watch(&world.app, &session.id, "0").await);
    assert_eq!(watcher.next().await.unwrap().0, last);
    // An exhausted session has ended, too.
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
async fn a_stream_requires_an_existing_session() {
    let app = TestApp::start().await;
    app.get("/api/otp/sessions/8e712097-8090-4644-81e7-8f4265d8354e/events")
        .await
        .problem(404, "session_not_found");
    app.get("/api/otp/sessions/x/events")
        .await
        .problem(400, "invalid_request");
}

#[actix_web::test]
async fn streams_are_limited_per_address_and_released_when_closed() {
    let settings = [("LIMIT_CHECKS_PER_ADDRESS", "100/1h")];
    let app = TestApp::start_with(&settings).await;
    let session = app.sent("+14155550123").await;
    let open = (0..20).map(|_| watch(&app, &session.id, ""));
    let streams: Vec<Response> = join_all(open).await;
    assert!(streams.iter().all(|it| it.status() == 200));
    let refused = Answer::read(watch(&app, &session.id, "").await).await;
    refused.problem(429, "rate_limited");
    drop(streams);
    // The server notices at a heartbeat, within fifteen seconds.
    let released = async {
        while watch(&app, &session.id, "").await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), released)
        .await
        .unwrap();
}

#[actix_web::test]
async fn streams_are_limited_per_site_whatever_its_addresses() {
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
    // Each from a /64 of its own, and within the limit of streams for one session.
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
    // The first session now has twenty streams.
    let refused = Answer::read(from("198.51.100.9".to_owned(), 0).await).await;
    refused.problem(429, "rate_limited");
    let other_session = from("198.51.100.9".to_owned(), 1).await;
    assert_eq!(other_session.status(), 200);
}
