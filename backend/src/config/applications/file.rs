//! Format of the applications file.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

/// The file, deserialized.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) application: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) audience: Option<String>,
    #[serde(default)]
    pub(super) key_hashes: Vec<String>,
    #[serde(default)]
    pub(super) origins: Vec<String>,
    #[serde(default)]
    pub(super) return_urls: Vec<String>,
    #[serde(default)]
    pub(super) embed_origins: Vec<String>,
    pub(super) channels: Option<Vec<String>>,
    pub(super) countries: Option<Vec<String>>,
    pub(super) plivo_app: Option<String>,
    #[serde(default)]
    pub(super) plivo_apps: BTreeMap<String, String>,
    #[serde(default = "yes")]
    pub(super) end_user_addresses: bool,
    pub(super) limit_sends: Option<String>,
    pub(super) spend_cap: Option<String>,
    pub(super) theme: Option<PathBuf>,
    pub(super) logo: Option<PathBuf>,
}

const fn yes() -> bool {
    true
}

/// The file's error in one line, without values: one might be a key in place of its hash.
pub(super) fn described(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    let message = error.message();
    let names_a_field = ["unknown field", "missing field"]
        .iter()
        .any(|begin| message.starts_with(begin));
    if names_a_field {
        format!(
            "line {line}: {}",
            message.lines().next().unwrap_or_default()
        )
    } else {
        format!("line {line} is not as docs/applications.md has it")
    }
}
