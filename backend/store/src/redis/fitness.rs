//! Whether a server is fit to hold what must not be lost.

use std::time::Duration;

use redis::{Script, aio::ConnectionLike};

use super::{Hash, PREFIX, link::CallError};

/// How long the server remembers which key its names are made with: longer than
/// anything is counted over.
const MARK_TTL: Duration = Duration::from_hours(31 * 24);

/// Why a server is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("it drops keys when its memory is full; set maxmemory-policy noeviction")]
    MayEvict,
    #[error("what it holds was made with another key")]
    OtherKey,
}

/// What is to be known of a server that is fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fits {
    /// It keeps an append-only file.
    pub(super) is_durable: bool,
    /// At least one is in step with it.
    pub(super) has_replicas: bool,
}

/// The mark that a server bears, and the script that looks for it.
pub(super) struct Fitness {
    script: Script,
    mark: String,
}

impl Fitness {
    pub(super) fn new(key_check: &Hash) -> Self {
        Self {
            script: Script::new(include_str!("ready.lua")),
            mark: key_check.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// The name of the mark.
    pub(super) fn key() -> String {
        format!("{PREFIX}key")
    }

    /// Looks at the server, and writes the mark.
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
        // What another key has marked answers one word.
        let (_, memory, policy, aof, replicas): (String, u64, String, String, String) =
            answer.map_err(|_| Unfit::OtherKey)?;
        if memory > 0 && policy != "noeviction" {
            return Err(Unfit::MayEvict.into());
        }
        Ok(Fits {
            // A server that does not say is believed.
            is_durable: aof != "0",
            has_replicas: !replicas.is_empty(),
        })
    }
}
