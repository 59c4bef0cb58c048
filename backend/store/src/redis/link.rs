//! The connection to the server, re-established after a failure.
//!
//! A commit that may have run is never sent again. One that certainly did not run, because
//! the server refused it before its first write, is sent once more over a new connection,
//! which learns the current state of the cluster.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{ErrorKind, RedisError, RedisResult, Script, ServerErrorKind, Value};
use tokio::sync::Mutex;

use super::{
    Address,
    connection::{Connection, Server},
    fitness::{Fitness, Fits, Unfit},
};

/// How long a commit that guards single use waits for a replica.
const REPLICA_TIMEOUT: Duration = Duration::from_millis(200);
/// The error of a primary with fewer replicas than its `min-replicas-to-write`.
const NO_REPLICAS: &str = "NOREPLICAS";

/// A script with its keys and arguments.
pub(super) struct Call<'a> {
    pub(super) script: &'a Script,
    pub(super) keys: Vec<String>,
    pub(super) arguments: Vec<Vec<u8>>,
    /// Whether a replica must confirm it, if the server has replicas.
    pub(super) is_replicated: bool,
    /// Whether it only reads, and so may run twice.
    pub(super) is_read: bool,
}

/// The answer to a script.
pub(super) struct Reply {
    pub(super) value: Value,
    /// Whether a replica has everything that was written.
    pub(super) is_confirmed: bool,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("{0}")]
    NotRun(RedisError),
    #[error("{0}")]
    Unfit(#[from] Unfit),
    #[error("{0}")]
    MayHaveRun(RedisError),
    #[error("no replica confirmed a commit that must not be lost")]
    NotReplicated,
}

/// The connection in use, and its generation.
#[derive(Default)]
struct Open {
    generation: u64,
    connection: Option<Connected>,
}

#[derive(Clone)]
struct Connected {
    connection: Connection,
    has_replicas: bool,
}

pub(super) struct Link {
    server: Server,
    fitness: Arc<Fitness>,
    open: Mutex<Open>,
    /// Whether the connection was closed while idle, or must not be used any longer.
    is_closed: Arc<AtomicBool>,
    /// The same of the link that connects again whenever this one does.
    follower: Option<Arc<AtomicBool>>,
}

impl Link {
    /// Does not connect yet.
    pub(super) fn new(address: &Address, fitness: Arc<Fitness>) -> RedisResult<Self> {
        Ok(Self {
            server: Server::at(address)?,
            fitness,
            open: Mutex::default(),
            is_closed: Arc::default(),
            follower: None,
        })
    }

    /// Makes another link connect again whenever this one does: the address may lead to
    /// another server now.
    pub(super) fn followed_by(self, other: &Self) -> Self {
        Self {
            follower: Some(other.is_closed.clone()),
            ..self
        }
    }

    /// Runs a script; a second time if the first certainly did not run.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Reply, CallError> {
        match self.call_once(call).await {
            Err(CallError::NotRun(_)) => self.call_once(call).await,
            Err(CallError::MayHaveRun(error))
                if call.is_read && error.is_io_error() && !error.is_timeout() =>
            {
                self.call_once(call).await
            }
            outcome => outcome,
        }
    }

    async fn call_once(&self, call: &Call<'_>) -> Result<Reply, CallError> {
        let (generation, mut connected) = self.connection().await?;
        let outcome = connected.evaluate(call).await;
        if let Err(error) = &outcome
            && !error.lacks_replicas()
        {
            self.discard(generation).await;
        }
        outcome
    }

    /// Checks whether the server is fit, over the connection in use.
    pub(super) async fn check(&self) -> Result<Fits, CallError> {
        // A connection that was closed meanwhile is replaced.
        for is_last in [false, true] {
            let (generation, mut connected) = self.connection().await?;
            match self.fitness.of(&mut connected.connection).await {
                Ok(fits) => {
                    let mut open = self.open.lock().await;
                    if let Some(connected) = &mut open.connection {
                        connected.has_replicas = fits.has_replicas;
                    }
                    return Ok(fits);
                }
                Err(error) => {
                    self.discard(generation).await;
                    let is_unfit = matches!(error, CallError::Unfit(_));
                    if is_last || is_unfit {
                        return Err(error);
                    }
                }
            }
        }
        unreachable!("the last try returns")
    }

    /// Discards that connection, if it is still the one in use.
    async fn discard(&self, generation: u64) {
        let mut open = self.open.lock().await;
        if open.generation == generation {
            self.replace(&mut open, None);
        }
    }

    fn replace(&self, open: &mut Open, connection: Option<Connected>) {
        open.connection = connection;
        if let Some(follower) = &self.follower {
            follower.store(true, Ordering::Relaxed);
        }
    }

    async fn connection(&self) -> Result<(u64, Connected), CallError> {
        let mut open = self.open.lock().await;
        if self.is_closed.swap(false, Ordering::Relaxed) {
            self.replace(&mut open, None);
        }
        if let Some(connected) = &open.connection {
            return Ok((open.generation, connected.clone()));
        }
        let mut connection = self
            .server
            .connect(&self.is_closed)
            .await
            .map_err(CallError::NotRun)?;
        let has_replicas = match self.fitness.of(&mut connection).await {
            Ok(fits) => fits.has_replicas,
            // Reads work. Each commit is refused until there are replicas to wait for.
            Err(error) if error.lacks_replicas() => true,
            // The caller's script was not sent yet.
            Err(error) => return Err(error.before_it_ran()),
        };
        let connected = Connected {
            connection,
            has_replicas,
        };
        open.generation += 1;
        self.replace(&mut open, Some(connected.clone()));
        Ok((open.generation, connected))
    }
}

impl Connected {
    async fn evaluate(&mut self, call: &Call<'_>) -> Result<Reply, CallError> {
        let waits = call.is_replicated && self.has_replicas;
        let (value, replicas) = match self.evaluate_once(call, waits).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let load = call.script.prepare_invoke();
                let loaded = load.load_async(&mut self.connection).await;
                loaded.map_err(CallError::NotRun)?;
                self.evaluate_once(call, waits).await
            }
            outcome => outcome,
        }
        .map_err(CallError::of)?;
        match replicas {
            Some(0) => Err(CallError::NotReplicated),
            _ => Ok(Reply {
                value,
                is_confirmed: replicas.is_some(),
            }),
        }
    }

    /// One round trip: `WAIT` counts what this connection has written before it.
    async fn evaluate_once(
        &mut self,
        call: &Call<'_>,
        waits: bool,
    ) -> RedisResult<(Value, Option<u64>)> {
        let mut evaluation = redis::cmd("EVALSHA");
        evaluation
            .arg(call.script.get_hash())
            .arg(call.keys.len())
            .arg(&call.keys)
            .arg(&call.arguments);
        if !waits {
            let value = evaluation.query_async(&mut self.connection).await?;
            return Ok((value, None));
        }
        let mut pipeline = redis::pipe();
        pipeline.ignore_errors().add_command(evaluation);
        let limit = u64::try_from(REPLICA_TIMEOUT.as_millis()).unwrap_or_default();
        pipeline.cmd("WAIT").arg(1).arg(limit);
        let (value, replicas): (RedisResult<Value>, RedisResult<u64>) =
            pipeline.query_async(&mut self.connection).await?;
        // A server that does not report the number counts as unconfirmed.
        value.map(|value| (value, Some(replicas.unwrap_or_default())))
    }
}

impl CallError {
    pub(super) fn of(error: RedisError) -> Self {
        if certainly_did_not_run(&error) {
            Self::NotRun(error)
        } else {
            Self::MayHaveRun(error)
        }
    }

    /// Whether the primary refuses writes for want of replicas (`min-replicas-to-write`).
    fn lacks_replicas(&self) -> bool {
        matches!(self, Self::NotRun(error) if error.code() == Some(NO_REPLICAS))
    }

    fn before_it_ran(self) -> Self {
        match self {
            Self::MayHaveRun(error) => Self::NotRun(error),
            other => other,
        }
    }
}

/// Whether the server refused the script before its first write, because it is not, or is
/// no longer, the one to send it to, or has too few replicas.
fn certainly_did_not_run(error: &RedisError) -> bool {
    let is_refusal = matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::NoScript
        )
    );
    is_refusal || error.code() == Some(NO_REPLICAS)
}
