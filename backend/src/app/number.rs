//! `--number +1…`: prints what is known of a number, for support. Read-only, and sends
//! nothing, so it can run beside the service.

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use countersign_core::{
    Millis,
    transitions::{NumberView, ViewNumber},
};
use countersign_shared::PhoneNumber;
use countersign_store::{NoObserver, StoreError, StoreHandle};

use super::{StartError, open_store, wiring};
use crate::config::Config;

/// Timeout of the store.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why it failed.
#[derive(Debug, thiserror::Error)]
pub enum NumberError {
    /// The argument is not a phone number.
    #[error("--number: give a phone number with its country code, such as +14155550123")]
    Invalid,
    /// The store cannot be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The store does not answer.
    #[error("STORE_URL: the store does not answer: {0}")]
    Store(#[from] StoreError),
}

/// Describes the number's state, one fact per line.
pub async fn report(config: &Config, number: &str) -> Result<String, NumberError> {
    let number = PhoneNumber::parse(number).map_err(|_| NumberError::Invalid)?;
    let keys = wiring::row_keys(config).map_err(StartError::from)?;
    let store = open_store(config, None).await?;
    let store = StoreHandle::start(store, Arc::new(NoObserver));
    let view = ViewNumber {
        number: keys.number(&number),
        limits: config.limits.clone(),
        rules: Arc::new(config.rules.clone()),
    };
    let view = store.read(view, Instant::now() + TIMEOUT).await?;
    Ok(lines(&keys.number_tag(&number), &view))
}

fn lines(tag: &str, view: &NumberView) -> String {
    let mut text = format!("number {tag} (in the log: \"number\":\"{tag}\")\n");
    let mut line = |words: String| writeln!(text, "{words}").expect("a String takes all text");
    if view.sends.is_empty() {
        line("no code was asked for within the life of a session".to_owned());
    }
    for send in &view.sends {
        line(format!(
            "asked for by {} at {}",
            send.channel.as_str(),
            time(send.at)
        ));
    }
    for (session, attempts) in &view.sessions {
        line(format!(
            "session {} until {}, {} checks left",
            word(&session.status),
            time(session.expires_at),
            session.checks_left
        ));
        for (delivery, attempt) in session.deliveries.iter().zip(attempts) {
            line(format!(
                "  {} of {}: {}",
                delivery.channel.as_str(),
                time(delivery.requested_at),
                word(&attempt.status)
            ));
        }
    }
    line(format!("resend_backoff: {}", passes(view, view.resend_at)));
    for limit in &view.limits {
        let quotas = limit.check.quotas.iter().zip(&limit.used);
        let used: Vec<String> = quotas
            .map(|(quota, used)| {
                let per = humantime::format_duration(quota.per);
                format!("{used} of {} in {per}", quota.count)
            })
            .collect();
        line(format!(
            "{}: {}; {}",
            limit.check.limit.as_str(),
            used.join(", "),
            passes(view, limit.free_at)
        ));
    }
    text.truncate(text.trim_end().len());
    text
}

fn passes(view: &NumberView, at: Millis) -> String {
    if at <= view.seen_at {
        "the next one passes now".to_owned()
    } else {
        format!("the next one passes at {}", time(at))
    }
}

/// Rounded up, so that the wait is over at that second.
fn time(at: Millis) -> String {
    let at: SystemTime = Millis(at.0.div_ceil(1000) * 1000).into();
    humantime::format_rfc3339_seconds(at).to_string()
}

/// The channel's name in the API.
fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
