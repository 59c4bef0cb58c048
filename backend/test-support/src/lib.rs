//! What several test programs of the backend need: a Plivo that misbehaves, Plivo's own
//! answers, and the program while it runs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod hostile;
pub mod plivo;
mod running;

use reqwest::Client;
use serde_json::Value;

pub use running::Running;

/// An operator's key, as `SECRET_KEY` has it.
pub const SECRET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A client that goes straight to where it is sent.
pub fn http() -> Client {
    // Where the test's own process has none yet.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    Client::builder().no_proxy().build().unwrap()
}

/// The lines of a log in JSON.
pub fn lines(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Those of one event.
pub fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}
