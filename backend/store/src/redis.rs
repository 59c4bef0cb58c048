//! A store in Redis or Valkey, shared by several instances.
//!
//! A commit is one compare-and-set script, and all instances use the server's clock. All
//! keys share one hash slot, so a cluster gives failover, not throughput.

mod address;
mod connection;
mod fitness;
mod link;
mod links;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_core::{Key, Millis, StoredRow, Write};
use redis::{ErrorKind, RedisError, Script, ServerErrorKind, Value, from_redis_value};

pub use self::address::{Address, InvalidAddress};
use self::{
    fitness::{Fitness, Unfit},
    link::{Call, CallError},
    links::Links,
};
use crate::{
    Hash, StoreKeys,
    move_store::Portable,
    store::{Commit, CommitOutcome, Snapshot, Stamp, Store, Unavailable},
};

/// Prefix of every key: the hash tag puts all of them into one slot.
const PREFIX: &str = "{countersign}:";
/// Maximum `PX` of a row. What counts is the expiry inside the row.
const MAX_LIFETIME: Duration = Duration::from_hours(10 * 366 * 24);

/// Why the store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Connecting or logging in failed.
    #[error("STORE_URL: cannot use the Redis at {address}: {source}")]
    Unreachable {
        /// Its address.
        address: Address,
        /// The connection's error.
        source: RedisError,
    },
    /// A replica, or a read-only server.
    #[error("STORE_URL: the Redis at {address} takes no writes; name the primary")]
    ReadOnly {
        /// Its address.
        address: Address,
    },
    /// It may evict keys when its memory is full.
    #[error(
        "STORE_URL: the Redis at {address} drops keys when its memory is full, and limits with them; set maxmemory-policy noeviction"
    )]
    MayEvict {
        /// Its address.
        address: Address,
    },
    /// The keyed hashes in it were made with another key.
    #[error(
        "SECRET_KEY: what the Redis at {address} holds was made with another key; restore that key, or use another database"
    )]
    OtherKey {
        /// Its address.
        address: Address,
    },
}

/// A store in Redis.
pub struct RedisStore {
    links: Arc<Links>,
    commit: Script,
    load: Script,
    scan: Script,
}

impl RedisStore {
    /// Connects, and checks that the server is fit, now and for as long as the store lives.
    pub async fn open(address: &Address, keys: &StoreKeys) -> Result<Self, OpenError> {
        let refused = |error| refused(address.clone(), error);
        let fitness = Arc::new(Fitness::new(&keys.key_check()));
        let links = Links::new(address, &fitness).map_err(CallError::NotRun);
        let links = Arc::new(links.map_err(refused)?);
        if !links.open().await.map_err(refused)?.is_durable {
            log::warn!(
                event = "store.volatile";
                "the Redis at {address} keeps no append-only file: sessions and limits end with it"
            );
        }
        tokio::spawn(Links::keep_checking(Arc::downgrade(&links)));
        Ok(Self {
            links,
            commit: Script::new(include_str!("redis/commit.lua")),
            load: Script::new(include_str!("redis/load.lua")),
            scan: Script::new(include_str!("redis/scan.lua")),
        })
    }

    /// Calls a read-only script.
    async fn read(
        &self,
        script: &Script,
        keys: Vec<String>,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Value, Unavailable> {
        let call = Call {
            script,
            keys,
            arguments,
            is_replicated: false,
            is_read: true,
        };
        self.links.read(&call).await.map_err(|_| Unavailable)
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn load(&self, keys: &[Key]) -> Result<Snapshot, Unavailable> {
        let (names, what) = if keys.is_empty() {
            // In a cluster the key selects the node.
            (vec![Fitness::key()], "time")
        } else {
            (keys.iter().map(name).collect(), "rows")
        };
        let answer = self.read(&self.load, names, vec![what.into()]).await?;
        let (_, now, rows): (String, u64, Vec<Option<Vec<u8>>>) =
            from_redis_value(answer).map_err(|_| Unavailable)?;
        Ok(snapshot(now, keys, rows))
    }

    async fn commit(&self, commit: Commit) -> CommitOutcome {
        if commit.is_refused() {
            return CommitOutcome::Rejected;
        }
        let keys: Vec<Key> = commit.compare.keys().cloned().collect();
        let call = Call {
            script: &self.commit,
            keys: keys.iter().map(name).collect(),
            arguments: arguments(&commit),
            is_replicated: commit.guards_single_use,
            is_read: false,
        };
        match self.links.commit(&call).await {
            Ok(reply) => {
                let outcome = outcome(reply.value, &keys);
                // A conflict wrote nothing that a replica could confirm.
                if reply.is_confirmed && outcome == CommitOutcome::Done {
                    self.links.confirmed();
                }
                outcome
            }
            Err(CallError::NotRun(_)) => CommitOutcome::NotRun,
            Err(_) => CommitOutcome::Unreachable,
        }
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        self.links.check().await.map_err(|_| Unavailable)
    }
}

#[async_trait]
impl Portable for RedisStore {
    async fn keys(&self) -> Result<Vec<Key>, Unavailable> {
        let (mut cursor, mut keys) = ("0".to_owned(), Vec::new());
        loop {
            let arguments = vec![cursor.into_bytes(), format!("{PREFIX}*").into()];
            let answer = self
                .read(&self.scan, vec![Fitness::key()], arguments)
                .await?;
            let names: Vec<String>;
            (cursor, names) = from_redis_value(answer).map_err(|_| Unavailable)?;
            let names = names.iter().filter(|name| **name != Fitness::key());
            keys.extend(names.filter_map(|name| name.strip_prefix(PREFIX).map(Key::new)));
            if cursor == "0" {
                // A scan may return a key twice.
                keys.sort_unstable();
                keys.dedup();
                return Ok(keys);
            }
        }
    }
}

fn name(key: &Key) -> String {
    format!("{PREFIX}{}", key.as_str())
}

/// Arguments of the commit script: the deadline, then for each row its stamp, its new value
/// and its lifetime.
fn arguments(commit: &Commit) -> Vec<Vec<u8>> {
    let mut stamps = commit.stamps();
    let mut arguments = vec![commit.deadline.0.to_string().into_bytes()];
    for (key, stamp) in &commit.compare {
        arguments.push(stamp.map(Vec::from).unwrap_or_default());
        let (value, lifetime) = match commit.write.get(key) {
            None => (Vec::new(), String::new()),
            Some(Write::Delete) => (Vec::new(), "delete".to_owned()),
            Some(Write::Put(row)) => {
                let stamp = stamps.next().expect("there is a stamp for each write");
                let lifetime = commit.now.until(row.expires_at).min(MAX_LIFETIME);
                (encode(stamp, row), lifetime.as_millis().max(1).to_string())
            }
        };
        arguments.push(value);
        arguments.push(lifetime.into_bytes());
    }
    arguments
}

fn outcome(answer: Value, keys: &[Key]) -> CommitOutcome {
    type Conflict = (String, u64, Vec<Option<Vec<u8>>>);
    match &answer {
        Value::Array(parts) if parts.len() == 1 => match from_redis_value(answer) {
            Ok((word,)) if String::eq(&word, "done") => CommitOutcome::Done,
            _ => CommitOutcome::NotRun,
        },
        _ => match from_redis_value::<Conflict>(answer) {
            Ok((_, now, rows)) => CommitOutcome::Conflict(snapshot(now, keys, rows)),
            Err(_) => CommitOutcome::Unreachable,
        },
    }
}

fn snapshot(now: u64, keys: &[Key], rows: Vec<Option<Vec<u8>>>) -> Snapshot {
    let mut snapshot = Snapshot::new(Millis(now));
    for (key, value) in keys.iter().zip(rows) {
        snapshot.insert(key.clone(), value.map(|value| decode(&value)));
    }
    snapshot
}

/// `stamp ‖ expires_at ‖ row`: the script compares the first eight bytes only.
fn encode(stamp: Stamp, row: &StoredRow) -> Vec<u8> {
    [&stamp[..], &row.expires_at.0.to_be_bytes(), &row.value].concat()
}

fn decode(value: &[u8]) -> (Stamp, StoredRow) {
    let whole = value
        .split_first_chunk()
        .and_then(|(stamp, rest)| Some((stamp, rest.split_first_chunk()?)));
    // A foreign value becomes an unreadable row for the caller who needs it.
    let (stamp, (expires_at, row)) = whole.unwrap_or((&[0; 8], (&[u8::MAX; 8], &[])));
    let row = StoredRow {
        value: row.to_vec(),
        expires_at: Millis(u64::from_be_bytes(*expires_at)),
    };
    (*stamp, row)
}

fn refused(address: Address, error: CallError) -> OpenError {
    match error {
        CallError::Unfit(Unfit::MayEvict) => OpenError::MayEvict { address },
        CallError::Unfit(Unfit::OtherKey) => OpenError::OtherKey { address },
        CallError::NotRun(source) | CallError::MayHaveRun(source) => match source.kind() {
            ErrorKind::Server(ServerErrorKind::ReadOnly) => OpenError::ReadOnly { address },
            _ => OpenError::Unreachable { address, source },
        },
        CallError::NotReplicated => unreachable!("a check waits for no replica"),
    }
}
