//! `--decisions [word…] [--csv]`: lists the stored decisions about sends, as text or CSV.
//! Read-only.

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use countersign_core::{decisions::Decision, transitions::ViewDecisions};
use countersign_store::{NoObserver, StoreError, StoreHandle};

use super::{StartError, open_store};
use crate::config::Config;

/// Timeout of the store per batch.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Rows per batch.
const ROWS_AT_ONCE: usize = 100;

/// Why it failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecisionsError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("STORE_URL: the store does not answer: {0}")]
    Store(#[from] StoreError),
}

/// The decisions that have each of `words` among their fields, oldest first.
pub(super) async fn report(config: &Config, words: &[&str]) -> Result<String, DecisionsError> {
    let is_csv = words.contains(&"--csv");
    let words: Vec<&str> = words.iter().copied().filter(|it| *it != "--csv").collect();
    let store = open_store(config, None).await?;
    let store = StoreHandle::start(store, Arc::new(NoObserver));
    let mut text = String::new();
    if is_csv {
        text += "at,outcome,application,country,channel,range,recipient,address,times\n";
    }
    let (mut start, mut rows) = (0, 1);
    while start < rows {
        let view = ViewDecisions {
            rows: start..start + ROWS_AT_ONCE,
        };
        let (decisions, there_are) = store.read(view, Instant::now() + TIMEOUT).await?;
        for decision in decisions.iter().filter(|it| has_all(it, &words)) {
            let fields = fields(decision);
            let line = if is_csv {
                fields.join(",")
            } else {
                fields.join("  ")
            };
            writeln!(text, "{line}").expect("a String takes all text");
        }
        start += ROWS_AT_ONCE;
        rows = there_are;
    }
    text.truncate(text.trim_end().len());
    if text.is_empty() {
        text += "nothing was decided, or nothing of it is kept";
    }
    Ok(text)
}

fn fields(decision: &Decision) -> [String; 9] {
    let at: SystemTime = decision.at.into();
    let range = match decision.range.as_str() {
        "" => String::new(),
        range => format!("{range}*"),
    };
    [
        humantime::format_rfc3339_seconds(at).to_string(),
        decision.outcome.clone(),
        decision.application.clone(),
        decision.country.clone(),
        decision.channel.clone(),
        range,
        decision.recipient.clone(),
        decision.address.clone(),
        decision.times.to_string(),
    ]
}

fn has_all(decision: &Decision, words: &[&str]) -> bool {
    let fields = fields(decision);
    let has = |word: &&str| fields.iter().any(|field| field.starts_with(*word));
    words.iter().all(has)
}
