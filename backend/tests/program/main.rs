//! The program as an operator meets it: how it starts, refuses to, logs and
//! ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use reqwest::Client;
use serde_json::Value;

mod api_keys;
mod crashes;
mod ending;
#[expect(dead_code, reason = "the tests of the API use the rest")]
#[path = "../api/hostile.rs"]
mod hostile;
mod log_and_metrics;
mod operators;
mod proof_keys;
mod settings;
mod sockets;

/// The program in an empty directory, with nothing in its environment.
struct Program {
    directory: PathBuf,
}

impl Program {
    fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("countersign-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Self { directory }
    }

    fn command(&self, settings: &[(&str, &str)]) -> Command {
        self.prepared(Command::new(env!("CARGO_BIN_EXE_countersign")), settings)
    }

    fn prepared(&self, mut command: Command, settings: &[(&str, &str)]) -> Command {
        command
            .env_clear()
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("METRICS_ADDR", "off")
            .env("SHUTDOWN_GRACE", "0s")
            .envs(settings.iter().copied())
            .current_dir(&self.directory);
        command
    }

    /// The same, ended with another status where it starts after all.
    fn not_for_long(&self, settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new("/usr/bin/timeout");
        command.args(["20", env!("CARGO_BIN_EXE_countersign")]);
        self.prepared(command, settings)
    }

    fn refuses(&self, settings: &[(&str, &str)]) -> String {
        let Output {
            status,
            stderr,
            stdout,
        } = self.not_for_long(settings).output().unwrap();
        assert_eq!(status.code(), Some(1));
        assert!(stdout.is_empty());
        let text = String::from_utf8(stderr).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

/// The running program, and the lines of its log.
struct Running {
    child: Child,
    /// Read all the while: a full pipe would hold the program up.
    log: std::thread::JoinHandle<Vec<String>>,
    address: String,
}

impl Running {
    fn start(program: &Program, settings: &[(&str, &str)]) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        Self::start_by(program, command, settings)
    }

    fn start_by(program: &Program, command: Command, settings: &[(&str, &str)]) -> Self {
        Self::started(program, command, settings).0
    }

    /// The same, and what was logged until it had started.
    fn start_logged(program: &Program, settings: &[(&str, &str)]) -> (Self, Vec<Value>) {
        let command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        Self::started(program, command, settings)
    }

    fn started(
        program: &Program,
        command: Command,
        settings: &[(&str, &str)],
    ) -> (Self, Vec<Value>) {
        let mut command = program.prepared(command, settings);
        command.env("LOG_FORMAT", "json");
        if settings.iter().all(|(name, _)| *name != "PLIVO_MODE") {
            command.env("PLIVO_MODE", "sandbox");
        }
        // Of nothing here may it hold the test runner's own output open.
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut before = Vec::new();
        let address = lines.find_map(|line| {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let started = line["event"] == "server.started";
            let address = started.then(|| line["address"].as_str().unwrap().to_owned());
            before.push(line);
            address
        });
        let running = Self {
            child,
            log: std::thread::spawn(|| lines.map_while(Result::ok).collect()),
            address: address.unwrap(),
        };
        (running, before)
    }

    /// Tells it to end as a service manager does.
    fn tell_to_end(&self) {
        self.signal("-TERM");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let kill = Command::new("kill").args([signal, &id]).status();
        assert!(kill.unwrap().success());
    }

    /// Ends it, and answers how it ended and what it logged since it started.
    fn terminate(self) -> (Option<i32>, String) {
        self.tell_to_end();
        self.ended()
    }

    /// Waits for its end; the answer is as above.
    fn ended(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        let log = std::mem::replace(&mut self.log, std::thread::spawn(Vec::new));
        (code, log.join().unwrap().join("\n"))
    }
}

fn http() -> Client {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    Client::builder().no_proxy().build().unwrap()
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where a test has failed; else it is gone already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The program against a Plivo of the test's own, with every limit off.
fn hostile_settings(base_url: &str) -> Vec<(&str, &str)> {
    let mut settings: Vec<(&str, &str)> = countersign_backend::config::variables::VARIABLES
        .iter()
        .filter(|variable| variable.name.starts_with("LIMIT_"))
        .map(|variable| (variable.name, "off"))
        .collect();
    settings.extend([
        ("PLIVO_MODE", "live"),
        ("PLIVO_AUTH_ID", "MAXXXXXXXXXXXXXXXXXX"),
        ("PLIVO_AUTH_TOKEN", "test_auth_token"),
        ("PLIVO_BASE_URL", base_url),
        ("ALLOWED_COUNTRIES", "*"),
    ]);
    settings
}
