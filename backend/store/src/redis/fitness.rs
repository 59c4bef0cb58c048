//! Checks whether a server is fit for data that must not be lost.

use std::time::Duration;

use redis::{Script, aio::ConnectionLike};

use super::{Hash, PREFIX, link::CallError};
use crate::hex;

/// Lifetime of the mark that identifies our key: longer than any window.
const MARK_TTL: Duration = Duration::from_hours(31 * 24);

/// Why a server is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("it drops keys when its memory is full; set maxmemory-policy noeviction")]
    MayEvict,
    #[error("what it holds was made with another key")]
    OtherKey,
}

/// Properties of a server that is fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fits {
    /// It has an append-only file.
    pub(super) is_durable: bool,
    /// At least one replica is in sync.
    pub(super) has_replicas: bool,
}

/// The mark of our key, and the script that checks the server.
pub(super) struct Fitness {
    script: Script,
    mark: String,
}

impl Fitness {
    pub(super) fn new(key_check: &Hash) -> Self {
        Self {
            script: Script::new(include_str!("ready.lua")),
            mark: hex(key_check),
        }
    }

    /// The key of the mark.
    pub(super) fn key() -> String {
        format!("{PREFIX}key")
    }

    /// Checks the server, and writes the mark.
    pub(super) async fn of(
        &self,
        connection: &mut (impl ConnectionLike + Send),
    ) -> Result<Fits, CallError> {
        let mut call = self.script.key(Self::key());
        let kept_for = u64::try_from(MARK_TTL.as_millis()).unwrap_or(u64::MAX);
        call.arg(&self.mark).arg(kept_for);
        let answer: Vec<redis::Value> =
            call.invoke_async(connection).await.map_err(CallError::of)?;
        let answer = redis::from_redis_value(redis::Value::Array(answer));
        // If the server is marked with another key, the reply is one word.
        let (_, memory, policy, aof, replicas): (String, u64, String, String, String) =
            answer.map_err(|_| Unfit::OtherKey)?;
        if memory > 0 && policy != "noeviction" {
            return Err(Unfit::MayEvict.into());
        }
        Ok(Fits {
            // A server that does not report it is assumed to be durable.
            is_durable: aof != "0",
            has_replicas: !replicas.is_empty(),
        })
    }
}
