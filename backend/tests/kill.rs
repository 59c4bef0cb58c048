//! `kill -9` before and after every commit of the store: nothing is released that may
//! have left, nothing works twice, and an idempotency key finds its answer.
//!
//! The test runs itself as the process that dies. It serves the API over a store
//! that kills it at the commit it was told to.

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
    config::Config,
    proof::{ProofAlgorithm, rotate},
};
use countersign_core::Key;
use countersign_platform::clock::{Clock, SystemClock};
use countersign_store::{Commit, CommitOutcome, Snapshot, Store, Unavailable};
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
    KeyedCheck,
}

impl Scene {
    const ALL: [Self; 6] = [
        Self::Send,
        Self::KeyedSend,
        Self::Resend,
        Self::WrongCheck,
        Self::RightCheck,
        Self::KeyedCheck,
    ];

    /// Whether it goes on from a code that was sent.
    fn has_session(self) -> bool {
        !matches!(self, Self::Send | Self::KeyedSend)
    }
}

/// When the process dies: at which commit, and whether that still happens.
#[derive(Clone, Copy, Debug)]
struct Death {
    commit: usize,
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

/// Takes the process with it at a commit.
struct Deadly {
    store: Arc<dyn Store>,
    armed: AtomicBool,
    commits: AtomicUsize,
    death: Death,
}

fn die() -> ! {
    let id = std::process::id().to_string();
    Command::new("kill").args(["-9", &id]).status().unwrap();
    unreachable!("it is dead");
}

#[async_trait]
impl Store for Deadly {
    async fn load(&self, keys: &[Key]) -> Result<Snapshot, Unavailable> {
        self.store.load(keys).await
    }

    async fn commit(&self, commit: Commit) -> CommitOutcome {
        let now = self.armed.load(Ordering::SeqCst)
            && self.commits.fetch_add(1, Ordering::SeqCst) + 1 == self.death.commit;
        if now && !self.death.after {
            die();
        }
        let outcome = self.store.commit(commit).await;
        if now {
            die();
        }
        outcome
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        self.store.ready().await
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
            "PROOF_ISSUER" => "https://verify.example.com",
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

    async fn post(&self, path: &str, body: Value, is_keyed: bool) -> (u16, Value) {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.http.post(url).json(&body);
        if is_keyed {
            request = request.header("idempotency-key", KEY);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn act(&self, scene: Scene, session: &str, otp: &str) -> (u16, Value) {
        let is_keyed = matches!(scene, Scene::KeyedSend | Scene::KeyedCheck);
        let (path, body) = match scene {
            Scene::Send | Scene::KeyedSend => ("/api/otp/send", json!({"recipient": NUMBER})),
            Scene::Resend => ("/api/otp/resend", json!({"session_uuid": session})),
            Scene::WrongCheck | Scene::RightCheck | Scene::KeyedCheck => {
                let body = json!({"session_uuid": session, "otp": otp});
                ("/api/otp/verify", body)
            }
        };
        self.post(path, body, is_keyed).await
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
        commits: AtomicUsize::new(0),
        death: Death {
            commit: usize::try_from(told["commit"].as_u64().unwrap()).unwrap(),
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
        "scene": place, "commit": death.commit, "after": death.after,
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
    // The first commit reserves, the second records or settles.
    let is_reserved = death.commit > 1 || death.after;
    let is_recorded = !left.killed || death.commit > 2 || (death.commit == 2 && death.after);
    match scene {
        Scene::Send | Scene::Resend => {
            let (status, _) = next.act(scene, &left.session, "").await;
            assert_eq!(status, if is_reserved { 429 } else { 200 }, "{at}");
            let creates = if scene == Scene::Send { 1 } else { 2 };
            assert!(plivo.calls().create <= creates, "{at}");
        }
        Scene::KeyedSend => {
            let (status, answer) = next.act(scene, "", "").await;
            // The answer, or that it seems to be under way still.
            let known = is_recorded || !is_reserved;
            assert_eq!(status, if known { 200 } else { 409 }, "{at} {answer}");
            let (status, _) = next.act(Scene::Send, "", "").await;
            assert_eq!(status, 429, "{at}");
            assert!(plivo.calls().create <= 1, "{at}");
        }
        Scene::WrongCheck => {
            let mut answers = usize::from(left.answered == Some(400));
            for _ in 0..7 {
                let (status, _) = next.act(scene, &left.session, &wrong(&left.otp)).await;
                answers += usize::from(status == 400);
            }
            assert!(plivo.calls().validate <= 5, "{at}");
            assert_eq!(
                answers,
                if is_reserved && left.killed { 4 } else { 5 },
                "{at}"
            );
        }
        Scene::RightCheck => {
            let mut successes = usize::from(left.answered == Some(200));
            for _ in 0..3 {
                let (status, _) = next.act(scene, &left.session, &left.otp).await;
                successes += usize::from(status == 200);
            }
            assert!(successes <= 1, "{at}");
            assert!(is_reserved || successes == 1, "{at}");
        }
        Scene::KeyedCheck => {
            let (status, first) = next.act(scene, &left.session, &left.otp).await;
            let (again, second) = next.act(scene, &left.session, &left.otp).await;
            // The same proof, or that the check seems to be under way still.
            let known = is_recorded || !is_reserved;
            assert_eq!(status, if known { 200 } else { 409 }, "{at} {first}");
            assert_eq!((status, &first["proof"]), (again, &second["proof"]), "{at}");
            assert!(plivo.calls().validate <= 1, "{at}");
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
            rotate(&path, ProofAlgorithm::default(), SystemTime::now()).unwrap();
        }
        path.display().to_string()
    }
}

/// Lets a process die in every way there is, and looks what is left each time.
async fn dies_everywhere(test: &str, home: impl Fn() -> Home) {
    let mut deaths = 0;
    for scene in Scene::ALL {
        for commit in 1.. {
            let mut alive = false;
            for after in [false, true] {
                let (home, death) = (home(), Death { commit, after });
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
    // Two commits each, and one of a wrong code, which settles without a write; before and
    // after.
    assert_eq!(deaths, 22);
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
