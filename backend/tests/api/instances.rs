//! One instance over a file, and three over Redis behind a plain round-robin: the rules
//! hold in every race.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use countersign_backend::app::App;
use futures_util::future::{join, join_all};
use plivo_simulator::{Settings, Simulator};
use reqwest::Client;
use serde_json::{Value, json};

use crate::app::{Answer, ManualClock, Session, TestStore, http, manual_clock, start_app};

pub(crate) struct Instances {
    pub(crate) apps: Vec<App>,
    next: AtomicUsize,
    http: Client,
    clock: Arc<ManualClock>,
    pub(crate) simulator: Simulator,
    pub(crate) store: TestStore,
}

impl Instances {
    /// Both ways of running, one after the other.
    pub(crate) async fn each(settings: &[(&str, &str)]) -> [Self; 2] {
        [
            Self::start(1, TestStore::file(), settings).await,
            Self::start(3, TestStore::new_redis(), settings).await,
        ]
    }

    async fn start(count: usize, store: TestStore, settings: &[(&str, &str)]) -> Self {
        let plivo = Settings {
            max_attempts: u32::MAX,
            requests_per_5s: usize::MAX,
            ..Settings::default()
        };
        let account = (plivo.auth_id.clone(), plivo.auth_token.clone());
        let simulator = Simulator::start(plivo).unwrap();
        let base_url = simulator.base_url();
        let home = store.settings();
        let mut all = vec![
            ("PLIVO_MODE", "live"),
            ("PLIVO_AUTH_ID", &account.0),
            ("PLIVO_AUTH_TOKEN", &account.1),
            ("PLIVO_BASE_URL", &base_url),
            ("ALLOWED_COUNTRIES", "*"),
            ("SPEND_CAP", "off"),
            ("LIMIT_REQUESTS_PER_ADDRESS", "off"),
            ("LIMIT_SENDS_PER_ADDRESS", "off"),
            ("LIMIT_CHECKS_PER_ADDRESS", "off"),
            ("LIMIT_NUMBERS_PER_ADDRESS", "off"),
        ];
        all.extend(home.iter().map(|(name, value)| (*name, value.as_str())));
        all.extend(settings);
        let clock = manual_clock();
        let apps = (0..count).map(|_| start_app(&all, clock.clone()));
        Self {
            apps: join_all(apps).await,
            next: AtomicUsize::new(0),
            http: http(),
            clock,
            simulator,
            store,
        }
    }

    async fn post(&self, path: &str, body: &Value, key: Option<&str>) -> Answer {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.apps.len();
        let url = format!("http://{}{path}", self.apps[turn].address());
        let mut request = self.http.post(url).json(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        Answer::read(request.send().await.unwrap()).await
    }

    pub(crate) async fn send(&self, recipient: &str) -> Answer {
        let body = json!({"recipient": recipient});
        self.post("/api/otp/send", &body, None).await
    }

    async fn resend(&self, session: &Session) -> Answer {
        let body = json!({"session_uuid": session.id});
        self.post("/api/otp/resend", &body, None).await
    }

    pub(crate) async fn verify(&self, session: &Session, otp: &str) -> Answer {
        let body = json!({"session_uuid": session.id, "otp": otp});
        self.post("/api/otp/verify", &body, None).await
    }

    pub(crate) async fn sent(&self, recipient: &str) -> Session {
        let answer = self.send(recipient).await.ok();
        let messages = self.simulator.messages();
        let newest = messages.iter().find(|it| it.recipient == recipient);
        Session {
            id: answer["session_uuid"].as_str().unwrap().to_owned(),
            otp: newest.unwrap().otp.clone(),
        }
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.simulator.advance(by);
    }
}

fn number(index: usize) -> String {
    format!("+1415555267{index}")
}

pub(crate) fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|it| it.status == status).count()
}

#[actix_web::test]
async fn fifty_right_codes_are_one_success() {
    for instances in Instances::each(&[("CHECKS_PER_SESSION", "10")]).await {
        let session = instances.sent(&number(1)).await;
        let tries = (0..50).map(|_| instances.verify(&session, &session.otp));
        let answers = join_all(tries).await;
        assert_eq!(count(&answers, 200), 1);
        // Plivo accepts a code once: for a concurrent check it is no longer valid.
        let codes = [200, 400, 404, 409, 429];
        assert!(answers.iter().all(|it| codes.contains(&it.status)));
    }
}

#[actix_web::test]
async fn two_hundred_wrong_codes_reach_upstream_five_times() {
    for instances in Instances::each(&[]).await {
        let session = instances.sent(&number(1)).await;
        let wrong = session.wrong_otp();
        let answers = join_all((0..200).map(|_| instances.verify(&session, &wrong))).await;
        assert_eq!(instances.simulator.calls().validate, 5);
        assert_eq!(count(&answers, 400), 5);
        assert_eq!(count(&answers, 429), 195);
    }
}

#[actix_web::test]
async fn fifty_sends_to_a_number_are_one_message() {
    for instances in Instances::each(&[]).await {
        let answers = join_all((0..50).map(|_| instances.send("+14155552671"))).await;
        assert_eq!(instances.simulator.calls().create, 1);
        assert_eq!((count(&answers, 200), count(&answers, 429)), (1, 49));
    }
}

#[actix_web::test]
async fn a_cap_holds_over_all_instances() {
    for instances in Instances::each(&[("LIMIT_SENDS_TOTAL", "4/1h")]).await {
        let numbers: Vec<String> = (0..10).map(number).collect();
        let answers = join_all(numbers.iter().map(|it| instances.send(it))).await;
        assert_eq!(instances.simulator.calls().create, 4);
        assert_eq!((count(&answers, 200), count(&answers, 429)), (4, 6));
    }
}

#[actix_web::test]
async fn a_cap_in_money_holds_over_all_instances() {
    let prices = tempfile::tempdir().unwrap();
    let path = prices.path().join("prices.csv");
    std::fs::write(&path, "country,channel,price\n*,sms,0.25\n*,voice,0.25\n").unwrap();
    let path = path.display().to_string();
    for instances in Instances::each(&[("PRICES_FILE", &path), ("SPEND_CAP", "1/1h")]).await {
        let numbers: Vec<String> = (0..10).map(number).collect();
        let answers = join_all(numbers.iter().map(|it| instances.send(it))).await;
        assert_eq!(instances.simulator.calls().create, 4);
        assert_eq!((count(&answers, 200), count(&answers, 429)), (4, 6));
    }
}

#[actix_web::test]
async fn a_pump_over_all_instances_is_one_pump() {
    let settings = [
        ("CONVERSION_BREAKER", "enforce"),
        ("CONVERSION_MIN_SENDS", "10"),
    ];
    for instances in Instances::each(&settings).await {
        let numbers: Vec<String> = (0..10).map(number).collect();
        let answers = join_all(numbers.iter().map(|it| instances.send(it))).await;
        assert_eq!(count(&answers, 200), 10);
        instances.advance(Duration::from_mins(3));
        let answers = join_all(numbers.iter().map(|it| instances.send(it))).await;
        assert_eq!(count(&answers, 429), 10);
        assert_eq!(instances.simulator.calls().create, 10);
    }
}

#[actix_web::test]
async fn a_key_is_one_request_wherever_it_lands() {
    for instances in Instances::each(&[]).await {
        let body = json!({"recipient": number(1)});
        let key = Some("5f0c9a52-0f6c-4d6e-9f6f-0f1b2c3d4e5f");
        let calls = (0..60).map(|_| instances.post("/api/otp/send", &body, key));
        let answers = join_all(calls).await;
        assert_eq!(instances.simulator.calls().create, 1);
        assert!(answers.iter().all(|it| [200, 409].contains(&it.status)));
        let first = instances.post("/api/otp/send", &body, key).await;
        for _ in 0..3 {
            let again = instances.post("/api/otp/send", &body, key).await;
            assert_eq!((again.status, &again.text), (200, &first.text));
        }
    }
}

#[actix_web::test]
async fn a_resend_in_the_same_moment_leaves_one_success_and_a_session_that_is_over() {
    for instances in Instances::each(&[("RESEND_WAITS", "1s")]).await {
        for round in 0..8 {
            let session = instances.sent(&number(round)).await;
            instances.advance(Duration::from_secs(1));
            let tries = (0..4).map(|_| instances.verify(&session, &session.otp));
            let resends = (0..4).map(|_| instances.resend(&session));
            let creates = instances.simulator.calls().create;
            let (verified, resent) = join(join_all(tries), join_all(resends)).await;
            assert_eq!(count(&verified, 200), 1);
            assert!(count(&resent, 200) <= 1);
            assert!(instances.simulator.calls().create - creates <= 1);
            let codes = [200, 409, 429];
            assert!(resent.iter().all(|it| codes.contains(&it.status)));
            instances
                .verify(&session, &session.otp)
                .await
                .problem(409, "session_already_verified");
            instances
                .resend(&session)
                .await
                .problem(409, "session_already_verified");
        }
    }
}

#[actix_web::test]
async fn a_session_that_ends_in_the_same_moment_succeeds_once_or_not_at_all() {
    for instances in Instances::each(&[]).await {
        for round in 0..8 {
            let session = instances.sent(&number(round)).await;
            instances.advance(Duration::from_millis(599_999));
            let tries = (0..4).map(|_| instances.verify(&session, &session.otp));
            let end = async {
                // Some rounds start late, some early.
                for _ in 0..round {
                    tokio::task::yield_now().await;
                }
                instances.clock.advance(Duration::from_millis(1));
            };
            let (answers, ()) = join(join_all(tries), end).await;
            assert!(count(&answers, 200) <= 1);
            let codes = [200, 400, 404, 409];
            assert!(answers.iter().all(|it| codes.contains(&it.status)));
            instances
                .verify(&session, &session.otp)
                .await
                .problem(404, "session_expired");
        }
    }
}
