//! Commands beside the running service: `--stop` and `--start` sends, `--free` a number.

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use countersign_core::{
    Stop, Transition,
    transitions::{FreeNumber, SetStop},
};
use countersign_shared::PhoneNumber;
use countersign_store::{NoObserver, StoreError, StoreHandle};

use super::{StartError, open_store, wiring};
use crate::config::Config;

/// Timeout of the store.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum OperatorError {
    #[error("--free: give a phone number with its country code, such as +14155550123")]
    Number,
    #[error("--stop and --start: say all, country US or channel voice")]
    Stop,
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("STORE_URL: the store does not answer: {0}")]
    Store(#[from] StoreError),
}

/// Begins or ends a stop, and returns the current ones.
pub(super) async fn stop(
    config: &Config,
    words: &[&str],
    is_stopped: bool,
) -> Result<String, OperatorError> {
    let stop = Stop::parse(words).ok_or(OperatorError::Stop)?;
    let change = Some((stop.clone(), is_stopped));
    let stops = run(config, SetStop { change }).await?;
    let what = stop.to_string();
    if is_stopped {
        log::warn!(event = "sends.stopped", what = what.as_str(); "the operator stops sends");
    } else {
        log::warn!(event = "sends.started", what = what.as_str(); "the operator starts sends");
    }
    Ok(told(&stops))
}

/// The current stops.
pub(super) async fn stops(config: &Config) -> Result<String, OperatorError> {
    Ok(told(&run(config, SetStop { change: None }).await?))
}

fn told(stops: &[Stop]) -> String {
    if stops.is_empty() {
        return "nothing is stopped".to_owned();
    }
    let mut text = String::from("stopped:");
    for stop in stops {
        write!(text, "\n  {stop}").expect("a String takes all text");
    }
    text
}

/// Resets a number's waits and counts, or erases what is known of it.
pub(super) async fn free(
    config: &Config,
    number: &str,
    forget: bool,
) -> Result<String, OperatorError> {
    let number = PhoneNumber::parse(number).map_err(|_| OperatorError::Number)?;
    let keys = wiring::row_keys(config).map_err(StartError::from)?;
    let step = FreeNumber {
        number: keys.number(&number),
        forget,
        rules: Arc::new(config.rules.clone()),
    };
    let was_known = run(config, step).await?;
    let tag = keys.number_tag(&number);
    log::warn!(
        event = "number.freed", number = tag.as_str(), forgotten = forget, was_known = was_known;
        "the operator frees a number"
    );
    let what = if forget { "forgotten" } else { "free" };
    Ok(if was_known {
        format!("number {tag} is {what}")
    } else {
        format!("number {tag}: nothing was known of it")
    })
}

async fn run<T: Transition>(config: &Config, step: T) -> Result<T::Outcome, OperatorError> {
    let store = open_store(config, None).await?;
    let store = StoreHandle::start(store, Arc::new(NoObserver));
    Ok(store.run(step, Instant::now() + TIMEOUT).await?)
}
