//! Delivery status: reported by Plivo, polled from Plivo, and watched by clients.

mod callbacks;
mod streams;

use std::time::Duration;

use futures_util::future::join_all;
use plivo_simulator::signature;
use reqwest::Method;
use serde_json::Value;

use crate::app::{Answer, Session, TestApp, TestStore, manual_clock, start_app};
use streams::{Watcher, watch};

const PUBLIC_URL: &str = "https://verify.example.com";
const TOKEN: &str = "test_auth_token";

/// The service in live mode against the simulator; the test makes the callbacks.
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

    /// The callback URL that Plivo was given, and Plivo's id of the session.
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

    /// A callback as Plivo makes it, with a V2 signature.
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
async fn a_callback_may_reach_any_instance() {
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
async fn without_a_public_url_plivo_is_polled_at_intervals_while_a_client_watches() {
    let app = TestApp::start().await;
    // A number whose message is delivered slowly.
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
    // Ten watchers cause one poll in three seconds.
    assert_eq!(app.simulator().calls().retrieve, 1);
    app.advance(Duration::from_mins(1));
    for watcher in &mut watchers {
        let (_, seen) = watcher.next().await.unwrap();
        assert_eq!(seen["attempts"][0]["status"], "delivered");
    }
    assert_eq!(app.simulator().calls().retrieve, 2);
}
