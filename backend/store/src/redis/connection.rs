//! Connections to a server or a cluster.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, Pipeline, ProtocolVersion, PushInfo, PushKind, RedisFuture,
    RedisResult, Value,
    aio::{AsyncPushSender, ConnectionLike, MultiplexedConnection, SendError},
    cluster::{ClusterClient, ClusterClientBuilder, ClusterConfig},
    cluster_async::ClusterConnection,
};

use super::Address;

/// Timeout of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Timeout of one script.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(1500);

pub(super) enum Server {
    Single(Box<Client>),
    Cluster(Box<ClusterClient>),
}

#[derive(Clone)]
pub(super) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Server {
    /// Does not connect yet.
    pub(super) fn at(address: &Address) -> RedisResult<Self> {
        if address.is_cluster {
            let client = ClusterClientBuilder::new(address.nodes.clone())
                .use_protocol(ProtocolVersion::RESP3)
                // The library's retries would repeat scripts that may have run.
                .retries(0)
                .connection_timeout(CONNECT_TIMEOUT)
                .response_timeout(RESPONSE_TIMEOUT)
                .build()?;
            Ok(Self::Cluster(Box::new(client)))
        } else {
            let client = Client::open(address.nodes[0].clone())?;
            Ok(Self::Single(Box::new(client)))
        }
    }

    /// A new connection, which sets `is_closed` when it is closed.
    pub(super) async fn connect(&self, is_closed: &Arc<AtomicBool>) -> RedisResult<Connection> {
        let notice = Notice(is_closed.clone());
        match self {
            Self::Single(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_TIMEOUT))
                    .set_response_timeout(Some(RESPONSE_TIMEOUT))
                    .set_push_sender(notice);
                let connection = client.get_multiplexed_async_connection_with_config(&config);
                connection.await.map(Connection::Single)
            }
            Self::Cluster(client) => {
                let config = ClusterConfig::new().set_push_sender(notice);
                let connection = client.get_async_connection_with_config(config);
                let connection = tokio::time::timeout(CONNECT_TIMEOUT, connection).await;
                let connection = connection.unwrap_or_else(|_| {
                    Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into())
                });
                connection.map(Connection::Cluster)
            }
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

/// Sets a flag when a connection is closed.
struct Notice(Arc<AtomicBool>);

impl AsyncPushSender for Notice {
    fn send(&self, push: PushInfo) -> Result<(), SendError> {
        if push.kind == PushKind::Disconnection {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
