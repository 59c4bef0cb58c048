//! `kill -9` before and after every step that the store takes: nothing is given
//! back, nothing works twice, no cap begins anew.
//!
//! The test runs itself as the process that dies. It serves the API over a store
//! that kills it at the step it was told to.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use countersign_backend::{
    app::{App, open_store},
    attempt::{Charges, Noted},
    clock::{Clock, SystemClock},
    config::Config,
    proof::rotate,
    store::{
        Charged, CheckReservation, CheckTerms, Claim, Hold, KeyedRequest, Known, NewSession, Place,
        ResendReservation, SendReservation, SendTerms, Session, SessionOver, Settlement, Store,
        StoreResult, Wait, Watched,
    },
};
use countersign_shared::{Channel, PhoneNumber, SessionId};
use plivo_simulator::{Settings, Simulator};
use redis_test_server::RedisServer;
use reqwest::Client;
use serde_json::{Value, json};

const NUMBER: &str = "+14155552671";
const KEY: &str = "5f0c9a52-0f6c-4d6e-9f6f-0f1b2c3d4e5f";
/// What the process that dies is told.
const TOLD: &str = "KILL_TEST";
/// In front of what it says: its test runner speaks too.
const SAYS: &str = "> ";

/// What is under way when the process dies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scene {
    Send,
    KeyedSend,
    Resend,
    WrongCheck,
    RightCheck,
}

impl Scene {
    const ALL: [Self; 5] = [
        Self::Send,
        Self::KeyedSend,
        Self::Resend,
        Self::WrongCheck,
        Self::RightCheck,
    ];

    /// Whether it goes on from a code that was sent.
    fn has_session(self) -> bool {
        !matches!(self, Self::Send | Self::KeyedSend)
    }

    /// Which of its steps counts what it does, from 1.
    fn reserves_at(self) -> usize {
        match self {
            Self::Send | Self::WrongCheck | Self::RightCheck => 1,
            Self::KeyedSend | Self::Resend => 2,
        }
    }
}

/// When the process dies: at which step, and whether that still happens.
#[derive(Clone, Copy, Debug)]
struct Death {
    step: usize,
    after: bool,
}

/// The machine's clock, a while later.
struct Later(SystemClock, AtomicUsize);

impl Later {
    fn by(seconds: usize) -> Arc<Self> {
        Arc::new(Self(SystemClock::default(), AtomicUsize::new(seconds)))
    }
}

impl Clock for Later {
    fn now(&self) -> SystemTime {
        let seconds = self.1.load(Ordering::SeqCst);
        self.0.now() + Duration::from_secs(seconds as u64)
    }
}

/// Long enough for a resend.
const LATER: usize = 45;

/// Takes the process with it at a step.
struct Deadly {
    store: Arc<dyn Store>,
    armed: AtomicBool,
    steps: AtomicUsize,
    death: Death,
}

impl Deadly {
    async fn step<T>(&self, step: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
        let now = self.armed.load(Ordering::SeqCst)
            && self.steps.fetch_add(1, Ordering::SeqCst) + 1 == self.death.step;
        if now && !self.death.after {
            die();
        }
        let outcome = step.await;
        if now {
            die();
        }
        outcome
    }
}

fn die() -> ! {
    let id = std::process::id().to_string();
    Command::new("kill").args(["-9", &id]).status().unwrap();
    unreachable!("it is dead");
}

#[async_trait]
impl Store for Deadly {
    async fn reserve_send(
        &self,
        recipient: &PhoneNumber,
        terms: SendTerms,
    ) -> StoreResult<SendReservation> {
        self.step(self.store.reserve_send(recipient, terms)).await
    }

    async fn record_sent(
        &self,
        new: &NewSession,
        upstream_id: String,
        hold: &Hold,
    ) -> StoreResult<Session> {
        self.step(self.store.record_sent(new, upstream_id, hold))
            .await
    }

    async fn release_send(&self, recipient: &PhoneNumber, hold: Hold) -> StoreResult<()> {
        self.step(self.store.release_send(recipient, hold)).await
    }

    async fn reserve_resend(
        &self,
        session: &Session,
        terms: SendTerms,
        at_once: bool,
    ) -> StoreResult<ResendReservation> {
        self.step(self.store.reserve_resend(session, terms, at_once))
            .await
    }

    async fn record_resent(
        &self,
        session: &Session,
        channel: Channel,
        upstream_id: String,
        hold: &Hold,
    ) -> StoreResult<Result<Session, SessionOver>> {
        self.step(
            self.store
                .record_resent(session, channel, upstream_id, hold),
        )
        .await
    }

    async fn reserve_check(
        &self,
        id: SessionId,
        terms: CheckTerms,
    ) -> StoreResult<CheckReservation> {
        self.step(self.store.reserve_check(id, terms)).await
    }

    async fn settle_check(
        &self,
        id: SessionId,
        accepted: bool,
        hold: Hold,
        place: &Place,
    ) -> StoreResult<Settlement> {
        self.step(self.store.settle_check(id, accepted, hold, place))
            .await
    }

    async fn release_check(&self, id: SessionId, hold: Hold) -> StoreResult<()> {
        self.step(self.store.release_check(id, hold)).await
    }

    async fn session(&self, id: SessionId) -> StoreResult<Result<Session, SessionOver>> {
        self.step(self.store.session(id)).await
    }

    async fn send_wait(&self, recipient: &PhoneNumber, terms: SendTerms) -> StoreResult<Duration> {
        self.step(self.store.send_wait(recipient, terms)).await
    }

    async fn used(&self, claim: Claim) -> StoreResult<Vec<u64>> {
        self.store.used(claim).await
    }

    async fn note_charges(
        &self,
        session: &Session,
        charges: Charges,
        spend: Option<Claim>,
    ) -> StoreResult<Vec<Charged>> {
        self.store.note_charges(session, charges, spend).await
    }

    async fn spend(&self, name: &str, kept_for: Duration) -> StoreResult<bool> {
        self.step(self.store.spend(name, kept_for)).await
    }

    async fn is_spent(&self, name: &str) -> StoreResult<bool> {
        self.step(self.store.is_spent(name)).await
    }

    async fn watch(&self, upstream_id: &str, pace: Duration) -> StoreResult<Watched> {
        self.store.watch(upstream_id, pace).await
    }

    async fn note_attempts(
        &self,
        upstream_id: &str,
        noted: Vec<Noted>,
        ask_again: bool,
    ) -> StoreResult<Vec<Channel>> {
        self.store
            .note_attempts(upstream_id, noted, ask_again)
            .await
    }

    async fn use_up(&self, claims: Vec<Claim>) -> StoreResult<Result<(), Wait>> {
        self.step(self.store.use_up(claims)).await
    }

    async fn begin(&self, request: &KeyedRequest) -> StoreResult<Known> {
        self.step(self.store.begin(request)).await
    }

    async fn finish(&self, request: &KeyedRequest, answer: Option<String>) -> StoreResult<()> {
        self.step(self.store.finish(request, answer)).await
    }

    async fn ready(&self) -> StoreResult<()> {
        self.store.ready().await
    }

    async fn time(&self) -> StoreResult<SystemTime> {
        self.store.time().await
    }

    async fn sweep(&self) -> StoreResult<()> {
        self.store.sweep().await
    }
}

/// The settings of both, the one that dies and the one that comes after.
fn settings(store_url: &str, base_url: &str, keys_file: &str) -> Config {
    let plivo = Settings::default();
    Config::read(|name| {
        let value = match name {
            "LISTEN_ADDR" => "127.0.0.1:0",
            "PLIVO_MODE" => "live",
            "PLIVO_AUTH_ID" => &plivo.auth_id,
            "PLIVO_AUTH_TOKEN" => &plivo.auth_token,
            "PLIVO_BASE_URL" => base_url,
            "ALLOWED_COUNTRIES" => "*",
            "STORE_URL" => store_url,
            "SECRET_KEY" => "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "PROOF_SIGNING_KEYS_FILE" => keys_file,
            "METRICS_ADDR" | "LIMIT_CHECKS_PER_ADDRESS" => "off",
            _ => return None,
        };
        Some(value.to_owned())
    })
    .unwrap()
}

/// A caller of one service.
struct Caller {
    http: Client,
    address: String,
}

impl Caller {
    fn of(app: &App) -> Self {
        Self {
            http: Client::builder().no_proxy().build().unwrap(),
            address: app.address().to_string(),
        }
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.http.post(url).json(&body);
        if body.get("keyed").is_some() {
            let body = json!({"recipient": NUMBER});
            request = request.json(&body).header("idempotency-key", KEY);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn act(&self, scene: Scene, session: &str, otp: &str) -> (u16, Value) {
        match scene {
            Scene::Send => {
                self.post("/api/otp/send", json!({"recipient": NUMBER}))
                    .await
            }
            Scene::KeyedSend => self.post("/api/otp/send", json!({"keyed": true})).await,
            Scene::Resend => {
                let body = json!({"session_uuid": session});
                self.post("/api/otp/resend", body).await
            }
            Scene::WrongCheck | Scene::RightCheck => {
                let body = json!({"session_uuid": session, "otp": otp});
                self.post("/api/otp/verify", body).await
            }
        }
    }
}

/// A code that is wrong in its last digit.
fn wrong(otp: &str) -> String {
    let last = otp.as_bytes()[otp.len() - 1] - b'0';
    format!("{}{}", &otp[..otp.len() - 1], (last + 1) % 10)
}

/// The process that dies, or, where the scene has fewer steps, ends.
async fn live_and_die(told: &str) {
    let told: Value = serde_json::from_str(told).unwrap();
    let scene = Scene::ALL[usize::try_from(told["scene"].as_u64().unwrap()).unwrap()];
    let config = settings(
        told["store_url"].as_str().unwrap(),
        told["base_url"].as_str().unwrap(),
        told["keys_file"].as_str().unwrap(),
    );
    let clock = Later::by(0);
    let store = Arc::new(Deadly {
        store: open_store(&config, Some(clock.clone())).await.unwrap(),
        armed: AtomicBool::new(false),
        steps: AtomicUsize::new(0),
        death: Death {
            step: usize::try_from(told["step"].as_u64().unwrap()).unwrap(),
            after: told["after"].as_bool().unwrap(),
        },
    });
    let app = App::start_over(config, store.clone()).await.unwrap();
    let caller = Caller::of(&app);
    let (mut session, mut otp) = (String::new(), String::new());
    if scene.has_session() {
        let (status, sent) = caller.act(Scene::Send, "", "").await;
        assert_eq!(status, 200, "{sent}");
        session.push_str(sent["session_uuid"].as_str().unwrap());
        say(&session);
        std::io::stdin().read_line(&mut otp).unwrap();
    }
    clock.1.store(LATER, Ordering::SeqCst);
    store.armed.store(true, Ordering::SeqCst);
    let (status, _) = caller.act(scene, &session, otp.trim()).await;
    say(&status.to_string());
}

#[expect(clippy::print_stdout, reason = "whoever started it reads that")]
fn say(word: &str) {
    println!("{SAYS}{word}");
}

/// What is left of the process that died.
struct Left {
    session: String,
    otp: String,
    /// What it answered, when it got that far.
    answered: Option<u16>,
    killed: bool,
}

fn start(test: &str, scene: Scene, death: Death, home: &Home, base_url: &str) -> Child {
    let place = Scene::ALL.iter().position(|other| *other == scene);
    let told = json!({
        "scene": place, "step": death.step, "after": death.after,
        "store_url": home.url(), "base_url": base_url, "keys_file": home.keys_file(),
    });
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(TOLD, told.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn watch(mut child: Child, scene: Scene, simulator: &Simulator) -> Left {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix(SAYS).map(str::to_owned));
    let (mut session, mut otp) = (String::new(), String::new());
    if scene.has_session() {
        session = said.next().unwrap();
        otp.push_str(&simulator.messages()[0].otp);
        let typed = if scene == Scene::WrongCheck {
            wrong(&otp)
        } else {
            otp.clone()
        };
        writeln!(child.stdin.take().unwrap(), "{typed}").unwrap();
    }
    let answered = said.next().map(|status| status.parse().unwrap());
    let status = child.wait().unwrap();
    let killed = status.signal() == Some(9);
    assert!(killed || status.success(), "{status}");
    Left {
        session,
        otp,
        answered,
        killed,
    }
}

/// What holds after the process has died there, to whoever comes next.
async fn holds_afterwards(
    scene: Scene,
    death: Death,
    left: &Left,
    next: &Caller,
    plivo: &Simulator,
) {
    let at = format!("{scene:?} {death:?}");
    let counted =
        death.step > scene.reserves_at() || (death.step == scene.reserves_at() && death.after);
    match scene {
        Scene::Send | Scene::Resend => {
            let (status, _) = next.act(scene, &left.session, "").await;
            assert_eq!(status, if counted { 429 } else { 200 }, "{at}");
            let creates = if scene == Scene::Send { 1 } else { 2 };
            assert!(plivo.calls().create <= creates, "{at}");
        }
        Scene::KeyedSend => {
            let (status, answer) = next.act(scene, "", "").await;
            assert!([200, 409].contains(&status), "{at} {answer}");
            let (status, _) = next.act(Scene::Send, "", "").await;
            let send = if counted || answer["session_uuid"].is_string() {
                429
            } else {
                200
            };
            assert_eq!(status, send, "{at}");
            assert!(plivo.calls().create <= 1, "{at}");
        }
        Scene::WrongCheck => {
            let mut answers = usize::from(left.answered == Some(400));
            for _ in 0..7 {
                let (status, _) = next.act(scene, &left.session, &wrong(&left.otp)).await;
                answers += usize::from(status == 400);
            }
            assert!(plivo.calls().validate <= 5, "{at}");
            assert_eq!(answers, if counted && left.killed { 4 } else { 5 }, "{at}");
        }
        Scene::RightCheck => {
            let mut successes = usize::from(left.answered == Some(200));
            for _ in 0..3 {
                let (status, _) = next.act(scene, &left.session, &left.otp).await;
                successes += usize::from(status == 200);
            }
            assert!(successes <= 1, "{at}");
            assert!(counted || successes == 1, "{at}");
        }
    }
}

/// Where state is kept, a new place for each death.
enum Home {
    File(tempfile::TempDir),
    /// And where the keys are that sign proofs.
    Redis(RedisServer, tempfile::TempDir),
}

impl Home {
    fn url(&self) -> String {
        match self {
            Self::File(directory) => {
                format!("sqlite:{}/countersign.db", directory.path().display())
            }
            Self::Redis(server, _) => server.url(),
        }
    }

    fn keys_file(&self) -> String {
        let (Self::File(directory) | Self::Redis(_, directory)) = self;
        let path = directory.path().join("proof-keys.json");
        if !path.exists() {
            rotate(&path, SystemTime::now()).unwrap();
        }
        path.display().to_string()
    }
}

/// Lets a process die in every way there is, and looks what is left each time.
async fn dies_everywhere(test: &str, home: impl Fn() -> Home) {
    let mut deaths = 0;
    for scene in Scene::ALL {
        for step in 1.. {
            let mut alive = false;
            for after in [false, true] {
                let (home, death) = (home(), Death { step, after });
                let simulator = Simulator::start(Settings::default()).unwrap();
                let child = start(test, scene, death, &home, &simulator.base_url());
                let left = watch(child, scene, &simulator);
                alive |= !left.killed;
                deaths += usize::from(left.killed);
                let config = settings(&home.url(), &simulator.base_url(), &home.keys_file());
                let app = App::start_at(config, Later::by(LATER)).await.unwrap();
                holds_afterwards(scene, death, &left, &Caller::of(&app), &simulator).await;
                app.stop().await;
            }
            if alive {
                break;
            }
        }
    }
    // Two, four, three, two and two steps, each before and after.
    assert_eq!(deaths, 26);
}

/// The process that dies, where it is told to be; else the one that looks on.
async fn as_told_or(test: &str, home: impl Fn() -> Home) {
    match std::env::var(TOLD) {
        Ok(told) => live_and_die(&told).await,
        Err(_) => dies_everywhere(test, home).await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_file() {
    let home = || Home::File(tempfile::tempdir().unwrap());
    as_told_or("over_a_file", home).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_redis() {
    let home = || Home::Redis(RedisServer::start(), tempfile::tempdir().unwrap());
    as_told_or("over_redis", home).await;
}
