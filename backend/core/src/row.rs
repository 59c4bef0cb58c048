//! The encoding of rows.
//!
//! A row's value is one version byte followed by the row as JSON. A release reads its own
//! version and the previous one, and writes what the previous one can read; unknown
//! members are ignored. A newer version is [`Unreadable`]: that caller gets 503, nobody
//! else.

use std::{fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

/// The name of a row. Anything private in it is already a keyed hash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// A name such as `number/9f86…`: the kind of row, then what identifies it.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A row that cannot be read: damaged, or written by a newer release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row of kind {kind} version {version} cannot be read")]
pub struct Unreadable {
    /// The kind of row.
    pub kind: &'static str,
    /// The version byte; 0 if the value is empty.
    pub version: u8,
}

/// A kind of row.
pub trait Row: Serialize + DeserializeOwned {
    /// Its name in logs, and the first part of its keys.
    const KIND: &'static str;
    /// The version that is written. The previous one can be read, too.
    const VERSION: u8 = 1;

    /// Encodes the row for the store.
    fn encode(&self) -> Vec<u8> {
        let mut value = vec![Self::VERSION];
        serde_json::to_writer(&mut value, self).expect("a row is JSON");
        value
    }

    /// Decodes a stored row.
    fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        let (&version, json) = value.split_first().unwrap_or((&0, &[]));
        let readable = Self::VERSION.saturating_sub(1).max(1)..=Self::VERSION;
        let row = readable
            .contains(&version)
            .then(|| serde_json::from_slice(json).ok());
        row.flatten().ok_or(Unreadable {
            kind: Self::KIND,
            version,
        })
    }
}
