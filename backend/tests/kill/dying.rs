//! The child process that is killed, and the parent that starts it.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use countersign_backend::app::{App, open_store};
use countersign_core::Key;
use countersign_store::{Commit, CommitOutcome, Snapshot, Store, Unavailable};
use plivo_simulator::Simulator;
use serde_json::{Value, json};

use super::{Caller, Death, Home, LATER, Later, SAYS, Scene, TOLD, settings, wrong};

/// A store that kills its process at a given commit.
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

/// The child process: it is killed, or exits if the scene has fewer commits.
pub(super) async fn live_and_die(told: &str) {
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
        report(&session);
        std::io::stdin().read_line(&mut otp).unwrap();
    }
    clock.1.store(LATER, Ordering::SeqCst);
    store.armed.store(true, Ordering::SeqCst);
    let (status, _) = caller.act(scene, &session, otp.trim()).await;
    report(&status.to_string());
}

#[expect(clippy::print_stdout, reason = "whoever started it reads that")]
fn report(word: &str) {
    println!("{SAYS}{word}");
}

/// What the parent knows of the killed process.
pub(super) struct Left {
    pub(super) session: String,
    pub(super) otp: String,
    /// The status that it answered with, if it got that far.
    pub(super) answered: Option<u16>,
    pub(super) killed: bool,
}

/// Starts the child process.
pub(super) fn start(test: &str, scene: Scene, death: Death, home: &Home, base_url: &str) -> Child {
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

/// Acts as its user until the child process has ended.
pub(super) fn watch(mut child: Child, scene: Scene, simulator: &Simulator) -> Left {
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
