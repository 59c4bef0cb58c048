//! Shared by the backend's test programs: a Plivo that misbehaves, Plivo's answers, and a
//! running instance of the program.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod hostile;
pub mod plivo;
mod running;

use reqwest::Client;
use serde_json::Value;

pub use running::Running;

/// An operator's key, in the form of `SECRET_KEY`.
pub const SECRET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A client that uses no proxy.
pub fn http() -> Client {
    // If the test's own process has none yet.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    Client::builder().no_proxy().build().unwrap()
}

/// The lines of a JSON log.
pub fn lines(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The lines of one event.
pub fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}
