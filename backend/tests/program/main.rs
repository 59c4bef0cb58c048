//! The program from the operator's point of view: start, refusals, logs and shutdown.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use countersign_test_support::Running;
use serde_json::Value;

mod access_list;
mod adoption;
mod api_keys;
mod by_number;
mod charges;
mod crashes;
mod decisions;
mod ending;
mod key_files;
mod log_and_metrics;
mod prices;
mod proof_keys;
mod settings;
mod sockets;
mod stops;
mod upgrade;

/// The program in an empty directory, with an empty environment.
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

    fn start(&self, settings: &[(&str, &str)]) -> Running {
        self.start_logged(settings).0
    }

    /// Starts it with a command that runs the program.
    fn start_by(&self, command: Command, settings: &[(&str, &str)]) -> Running {
        Running::start(self.in_sandbox(command, settings))
    }

    /// Also returns what was logged until it had started.
    fn start_logged(&self, settings: &[(&str, &str)]) -> (Running, Vec<Value>) {
        let command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        Running::start_logged(self.in_sandbox(command, settings))
    }

    /// Sandbox mode, unless the settings say otherwise.
    fn in_sandbox(&self, command: Command, settings: &[(&str, &str)]) -> Command {
        let mut command = self.prepared(command, settings);
        if settings.iter().all(|(name, _)| *name != "PLIVO_MODE") {
            command.env("PLIVO_MODE", "sandbox");
        }
        command
    }

    /// The same, killed by a timeout if it starts after all.
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

/// Settings for the program against the test's own Plivo, with every limit off.
fn hostile_settings(base_url: &str) -> Vec<(&'static str, &str)> {
    let mut settings: Vec<(&'static str, &str)> = countersign_backend::config::variables::VARIABLES
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
        ("SPEND_CAP", "off"),
    ]);
    settings
}
