//! The way to the server: one connection for all steps of a thread, made anew once
//! it has failed. A step that went over another thread's would wake it twice.
//!
//! A script that may have run is never sent again. What certainly did not run,
//! because the server said so before it looked at it, is sent once more over a
//! new connection, which knows the cluster as it is now. And each script is told
//! until when anybody waits for it, so that a server that was held up does not do
//! afterwards what was answered long ago.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::ThreadId,
    time::{Duration, Instant},
};

use redis::{
    AsyncConnectionConfig, Client, ErrorKind, ProtocolVersion, PushInfo, PushKind, RedisError,
    RedisResult, Script, ScriptInvocation, ServerErrorKind,
    aio::{AsyncPushSender, MultiplexedConnection, SendError},
    cluster::{ClusterClient, ClusterClientBuilder, ClusterConfig},
    cluster_async::ClusterConnection,
};
use tokio::sync::Mutex;

use super::{
    Address,
    call::{Call, PREFIX},
};
use crate::store::{StoreResult, StoreUnreachable};

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How long one script may take.
const RESPONSE: Duration = Duration::from_millis(1500);
/// How long a caller waits for a step, all in all.
const DEADLINE: Duration = Duration::from_secs(2);
/// Steps that may wait for being written to the connection.
const BACKLOG: usize = 1024;
/// What a script answers when nobody waits for it any more.
const TOO_LATE: &str = "\"too_late\"";

enum Server {
    Single(Box<Client>),
    Cluster(Box<ClusterClient>),
}

#[derive(Clone)]
enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    async fn invoke(&mut self, script: &ScriptInvocation<'_>) -> RedisResult<String> {
        match self {
            Self::Single(connection) => script.invoke_async(connection).await,
            Self::Cluster(connection) => script.invoke_async(connection).await,
        }
    }
}

/// The connection that a thread uses, and which one that is.
#[derive(Default)]
struct Open {
    generation: u64,
    connection: Option<(Connection, ServerTime)>,
}

/// One thread's way.
#[derive(Default)]
struct Line {
    open: Mutex<Open>,
    /// The connection was closed while nobody used it.
    closed: Arc<AtomicBool>,
}

impl Line {
    /// Uses that connection no more, if it is still the one in use.
    async fn discard(&self, generation: u64) {
        let mut open = self.open.lock().await;
        if open.generation == generation {
            open.connection = None;
        }
    }
}

/// What the server's clock said, and when.
#[derive(Clone, Copy)]
struct ServerTime {
    milliseconds: u64,
    at: Instant,
}

impl ServerTime {
    /// What it says at that moment, if nobody sets it.
    fn then(&self, moment: Instant) -> u64 {
        let passed = moment.saturating_duration_since(self.at).as_millis();
        self.milliseconds + u64::try_from(passed).unwrap_or_default()
    }
}

pub(super) struct Link {
    server: Server,
    clock: Script,
    lines: std::sync::Mutex<HashMap<ThreadId, Arc<Line>>>,
    failing: AtomicBool,
}

impl Link {
    /// Connects to nobody yet.
    pub(super) fn new(address: &Address) -> RedisResult<Self> {
        let server = if address.cluster {
            let client = ClusterClientBuilder::new(address.nodes.clone())
                .use_protocol(ProtocolVersion::RESP3)
                // Its own repetitions do not ask whether a script may have run.
                .retries(0)
                .connection_timeout(CONNECT)
                .response_timeout(RESPONSE)
                .build()?;
            Server::Cluster(Box::new(client))
        } else {
            Server::Single(Box::new(Client::open(address.nodes[0].clone())?))
        };
        Ok(Self {
            server,
            clock: Script::new(include_str!("clock.lua")),
            lines: std::sync::Mutex::default(),
            failing: AtomicBool::new(false),
        })
    }

    /// Runs a script. It has happened when this answers; it may have happened
    /// when this fails.
    pub(super) async fn run(&self, script: &Script, call: Call<'_>) -> StoreResult<String> {
        match self.try_run(script, call).await {
            Ok(answer) => {
                if self.failing.swap(false, Ordering::Relaxed) {
                    log::info!(event = "store.recovered"; "the store works again");
                }
                Ok(answer)
            }
            Err(error) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    log::error!(event = "store.failed"; "the store failed: {error}");
                }
                Err(StoreUnreachable)
            }
        }
    }

    /// The same, for whoever wants to know why it fails.
    pub(super) async fn try_run(&self, script: &Script, call: Call<'_>) -> RedisResult<String> {
        let until = Instant::now() + DEADLINE;
        tokio::time::timeout_at(until.into(), self.run_once_or_again(script, call, until))
            .await
            .unwrap_or_else(|_| Err(timed_out()))
    }

    async fn run_once_or_again(
        &self,
        script: &Script,
        call: Call<'_>,
        until: Instant,
    ) -> RedisResult<String> {
        let (keys, given) = call.into_parts();
        match self.run_once(script, &keys, &given, until).await {
            Err(error) if certainly_did_not_run(&error) => {
                self.run_once(script, &keys, &given, until).await
            }
            outcome => outcome,
        }
    }

    async fn run_once(
        &self,
        script: &Script,
        keys: &[String],
        given: &[u8],
        until: Instant,
    ) -> RedisResult<String> {
        let line = self.line();
        let (generation, mut connection, time) = self.connection(&line).await?;
        let mut invocation = script.arg(given);
        // The answer is waited for no longer than that.
        let until = until.min(Instant::now() + RESPONSE);
        invocation.arg(time.then(until)).key(keys);
        let outcome = match connection.invoke(&invocation).await {
            // Also when the server's clock was set: the next connection knows.
            Ok(answer) if answer == TOO_LATE => Err(timed_out()),
            outcome => outcome,
        };
        if let Err(error) = &outcome
            && (error.kind() == ErrorKind::Io || certainly_did_not_run(error))
        {
            line.discard(generation).await;
        }
        outcome
    }

    /// This thread's.
    fn line(&self) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let thread = std::thread::current().id();
        lines.entry(thread).or_default().clone()
    }

    async fn connection(&self, line: &Line) -> RedisResult<(u64, Connection, ServerTime)> {
        let mut open = line.open.lock().await;
        if line.closed.swap(false, Ordering::Relaxed) {
            open.connection = None;
        }
        if let Some((connection, time)) = &open.connection {
            return Ok((open.generation, connection.clone(), *time));
        }
        let mut connection = self.connect(&line.closed).await?;
        let milliseconds = connection
            .invoke(&self.clock.key(format!("{PREFIX}:key")))
            .await?
            .parse()
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::InvalidData))?;
        let time = ServerTime {
            milliseconds,
            at: Instant::now(),
        };
        open.generation += 1;
        open.connection = Some((connection.clone(), time));
        Ok((open.generation, connection, time))
    }

    async fn connect(&self, closed: &Arc<AtomicBool>) -> RedisResult<Connection> {
        match &self.server {
            Server::Single(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT))
                    .set_response_timeout(Some(RESPONSE))
                    .set_pipeline_buffer_size(BACKLOG)
                    .set_push_sender(Notice(closed.clone()));
                let connection = client.get_multiplexed_async_connection_with_config(&config);
                connection.await.map(Connection::Single)
            }
            Server::Cluster(client) => {
                let config = ClusterConfig::new().set_push_sender(Notice(closed.clone()));
                let connection = client.get_async_connection_with_config(config);
                let connection = tokio::time::timeout(CONNECT, connection);
                let connection = connection.await.map_err(|_| timed_out())?;
                connection.map(Connection::Cluster)
            }
        }
    }
}

fn timed_out() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

/// Notes that a connection was closed.
struct Notice(Arc<AtomicBool>);

impl AsyncPushSender for Notice {
    fn send(&self, push: PushInfo) -> Result<(), SendError> {
        if push.kind == PushKind::Disconnection {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The server refused before it looked at the script: it is not, or no longer,
/// the one to ask.
fn certainly_did_not_run(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::BusyLoading
        )
    )
}
