//! The service under test. Its methods are the calls of the API.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use countersign_backend::{
    app::{App, open_store},
    config::Config,
    proof::{ProofAlgorithm, rotate},
};
use countersign_platform::clock::Clock;
use countersign_store::Store;
use countersign_test_support::SECRET_KEY;
use redis_test_server::RedisServer;
use reqwest::{Client, Method, Response, header::HeaderMap};
use serde_json::{Value, json};

/// A clock that stands still until a test advances it. On demand it panics, to make a
/// handler panic.
pub(crate) struct ManualClock {
    now: Mutex<SystemTime>,
    /// When it started to run by itself.
    runs_since: Mutex<Option<Instant>>,
    pub(crate) panics: AtomicBool,
}

impl ManualClock {
    pub(crate) fn advance(&self, by: Duration) {
        *self.now.lock().unwrap() += by;
    }

    /// Makes it run like a normal clock from now on.
    pub(crate) fn run(&self) {
        *self.runs_since.lock().unwrap() = Some(Instant::now());
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        // Panics in handlers only: the store has its own thread.
        let in_store = std::thread::current().name() == Some("store");
        assert!(in_store || !self.panics.load(Ordering::SeqCst), "asked to");
        let run = self.runs_since.lock().unwrap();
        let run = run.map(|since| since.elapsed()).unwrap_or_default();
        *self.now.lock().unwrap() + run
    }
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn read(response: Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The body of a successful answer.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// Checks that this is a well-formed problem, and returns it.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!(
            (self.status, problem["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.text
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["message"], problem["detail"]);
        assert_eq!(problem["type"], format!("urn:countersign:problem:{code}"));
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        let seconds = problem["retry_after"]
            .as_u64()
            .map(|seconds| seconds.to_string());
        assert_eq!(self.header("retry-after"), seconds.unwrap_or_default());
        problem
    }
}

/// The file with the keys that sign proofs.
pub(crate) const KEYS: &str = "proof-keys.json";

/// The store of the service under test, deleted when dropped.
pub(crate) enum TestStore {
    File(tempfile::TempDir),
    /// A server, and the directory of the keys that sign proofs.
    Redis(RedisServer, tempfile::TempDir),
}

impl TestStore {
    /// The default store of the tests: a file, or Redis if `TEST_STORE=redis` is set.
    pub(crate) fn usual() -> Self {
        match std::env::var("TEST_STORE").as_deref() {
            Ok("redis") => Self::new_redis(),
            Ok(other) => panic!("TEST_STORE={other}: there is redis only, beside the usual one"),
            Err(_) => Self::file(),
        }
    }

    pub(crate) fn new_redis() -> Self {
        let directory = tempfile::tempdir().unwrap();
        rotate(
            &directory.path().join(KEYS),
            ProofAlgorithm::default(),
            SystemTime::now(),
        )
        .unwrap();
        Self::Redis(RedisServer::start(), directory)
    }

    pub(crate) fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    pub(crate) fn settings(&self) -> [(&'static str, String); 4] {
        let key = SECRET_KEY;
        let url = match self {
            Self::File(directory) => {
                format!("sqlite:{}/countersign.db", directory.path().display())
            }
            Self::Redis(server, _) => server.url(),
        };
        let (Self::File(directory) | Self::Redis(_, directory)) = self;
        let keys = directory.path().join(KEYS);
        // One instance over a file needs no configured issuer.
        let issuer = match self {
            Self::File(_) => String::new(),
            Self::Redis(..) => "https://verify.example.com".to_owned(),
        };
        // Beside a file, the keys are created automatically.
        let keys = if keys.exists() {
            keys.display().to_string()
        } else {
            String::new()
        };
        [
            ("STORE_URL", url),
            ("SECRET_KEY", key.to_owned()),
            ("PROOF_SIGNING_KEYS_FILE", keys),
            ("PROOF_ISSUER", issuer),
        ]
    }

    pub(crate) fn directory(&self) -> &std::path::Path {
        match self {
            Self::File(directory) => directory.path(),
            Self::Redis(..) => panic!("a test of the file"),
        }
    }

    pub(crate) fn redis(&mut self) -> &mut RedisServer {
        match self {
            Self::File(_) => panic!("a test of Redis"),
            Self::Redis(server, _) => server,
        }
    }
}

pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) clock: Arc<ManualClock>,
    http: Client,
    pub(crate) store: TestStore,
}

/// Default settings of a test in sandbox mode.
const SANDBOX: [(&str, &str); 5] = [
    ("PLIVO_MODE", "sandbox"),
    // The limits of live mode: the sandbox's own are generous.
    ("LIMIT_SENDS_PER_NUMBER", "3/10m,5/1h,10/1d"),
    ("LIMIT_VOICE_PER_NUMBER", "2/1h,4/1d"),
    ("LIMIT_WRONG_CHECKS_PER_NUMBER", "10/1h,20/1d"),
    ("LIMIT_REQUESTS_PER_ADDRESS", "off"),
];

pub(crate) fn manual_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock {
        now: Mutex::new(SystemTime::now()),
        runs_since: Mutex::default(),
        panics: AtomicBool::new(false),
    })
}

/// The settings of a service on a free port; if one is given twice, the last value
/// counts.
pub(crate) fn config(settings: &[(&str, &str)]) -> Config {
    let config = Config::read(|name| {
        let given = settings.iter().rev().find(|(set, _)| *set == name);
        let fixed = match name {
            "LISTEN_ADDR" => Some("127.0.0.1:0"),
            "METRICS_ADDR" => Some("off"),
            _ => None,
        };
        given.map(|(_, value)| *value).or(fixed).map(str::to_owned)
    });
    config.unwrap()
}

/// Starts a service that uses this clock.
pub(crate) async fn start_app(settings: &[(&str, &str)], clock: Arc<ManualClock>) -> App {
    App::start_at(config(settings), clock).await.unwrap()
}

/// Held by a test that keeps all cores busy: two at once would starve the others until
/// their steps at the store time out.
pub(crate) async fn one_load_at_a_time() -> tokio::sync::MutexGuard<'static, ()> {
    static LOAD: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    LOAD.lock().await
}

/// Waits until the condition holds; panics if it never does.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) fn http() -> Client {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

impl TestApp {
    /// Starts in sandbox mode, with the default settings.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts in sandbox mode, with additional settings.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_in(TestStore::usual(), settings).await
    }

    /// The same with a given store.
    pub(crate) async fn start_in(store: TestStore, settings: &[(&str, &str)]) -> Self {
        Self::start_as(store, &[&SANDBOX, settings].concat()).await
    }

    /// Starts in live mode, against the test's upstream.
    pub(crate) async fn start_live(base_url: &str, settings: &[(&str, &str)]) -> Self {
        Self::start_live_in(TestStore::usual(), base_url, settings).await
    }

    pub(crate) async fn start_live_in(
        store: TestStore,
        base_url: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut all = vec![
            ("PLIVO_MODE", "live"),
            ("PLIVO_AUTH_ID", "MAXXXXXXXXXXXXXXXXXX"),
            ("PLIVO_AUTH_TOKEN", "test_auth_token"),
            ("PLIVO_BASE_URL", base_url),
            ("ALLOWED_COUNTRIES", "*"),
            ("SPEND_CAP", "off"),
            ("LIMIT_REQUESTS_PER_ADDRESS", "off"),
        ];
        all.extend(settings);
        Self::start_as(store, &all).await
    }

    pub(crate) async fn start_as(store: TestStore, settings: &[(&str, &str)]) -> Self {
        let clock = manual_clock();
        let home = store.settings();
        let home = home.each_ref().map(|(name, value)| (*name, value.as_str()));
        let app = start_app(&[&home, settings].concat(), clock.clone()).await;
        Self {
            app,
            clock,
            http: http(),
            store,
        }
    }

    /// Starts in sandbox mode, with the default store wrapped by the test.
    pub(crate) async fn start_behind(front: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Self {
        let store = TestStore::usual();
        let home = store.settings();
        let home = home.each_ref().map(|(name, value)| (*name, value.as_str()));
        let config = config(&[&home, &SANDBOX[..]].concat());
        let opened = open_store(&config, None).await.unwrap();
        Self {
            app: App::start_over(config, front(opened)).await.unwrap(),
            clock: manual_clock(),
            http: http(),
            store,
        }
    }

    /// Advances the service's clock and the simulator's.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
        if let Some(simulator) = self.app.simulator() {
            simulator.advance(by);
        }
    }

    pub(crate) fn clock_now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Runs the periodic reload of the keys now.
    pub(crate) fn reload_keys(&self) {
        self.app.reload_keys();
    }

    pub(crate) fn simulator(&self) -> &plivo_simulator::Simulator {
        self.app.simulator().expect("a test in sandbox")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.address())
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// The metrics; requires `METRICS_ADDR`.
    pub(crate) async fn metrics(&self) -> String {
        let address = self.app.metrics_address().expect("served");
        let url = format!("http://{address}/metrics");
        Answer::read(self.http.get(url).send().await.unwrap())
            .await
            .text
    }

    /// Whether the metrics contain that line.
    pub(crate) async fn has(&self, line: &str) -> bool {
        self.metrics().await.lines().any(|it| it == line)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn call(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::read(request.send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn send(&self, recipient: &str) -> Answer {
        self.post("/api/otp/send", &json!({"recipient": recipient}))
            .await
    }

    pub(crate) async fn resend(&self, session: &Session) -> Answer {
        self.post("/api/otp/resend", &json!({"session_uuid": session.id}))
            .await
    }

    pub(crate) async fn verify(&self, session: &Session, otp: &str) -> Answer {
        self.post(
            "/api/otp/verify",
            &json!({"session_uuid": session.id, "otp": otp}),
        )
        .await
    }

    pub(crate) async fn session(&self, session: &Session) -> Answer {
        self.get(&format!("/api/otp/sessions/{}", session.id)).await
    }

    /// Sends a code and reads it from the pretend phone.
    pub(crate) async fn sent(&self, recipient: &str) -> Session {
        let answer = self.send(recipient).await.ok();
        Session {
            id: answer["session_uuid"].as_str().unwrap().to_owned(),
            otp: self.newest_otp(recipient).await,
        }
    }

    pub(crate) async fn newest_otp(&self, recipient: &str) -> String {
        let path = format!("/sandbox/messages?recipient={recipient}");
        let messages = self.get(&path).await.ok();
        messages[0]["otp"].as_str().unwrap().to_owned()
    }
}

/// A session and the code that its recipient received.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) otp: String,
}

impl Session {
    /// A wrong code, which differs in the last digit.
    pub(crate) fn wrong_otp(&self) -> String {
        let last = self.otp.as_bytes()[self.otp.len() - 1] - b'0';
        format!("{}{}", &self.otp[..self.otp.len() - 1], (last + 1) % 10)
    }
}
