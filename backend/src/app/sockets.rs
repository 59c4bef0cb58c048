//! Listening sockets.

use std::net::{SocketAddr, TcpListener};

use super::StartError;
use crate::config::Config;

/// The bound sockets.
pub(super) struct Sockets {
    pub(super) api: TcpListener,
    /// With the configured address.
    pub(super) metrics: Option<(SocketAddr, TcpListener)>,
}

impl Sockets {
    /// Checked first, so that a refusal by the store is the only line in the log.
    pub(super) fn bind(config: &Config) -> Result<Self, StartError> {
        let api = TcpListener::bind(config.listen).map_err(|source| StartError::Listen {
            address: config.listen,
            source,
        })?;
        let metrics = config.metrics.map(|address| {
            let listener = TcpListener::bind(address).map(|listener| (address, listener));
            listener.map_err(|source| StartError::Metrics { address, source })
        });
        Ok(Self {
            api,
            metrics: metrics.transpose()?,
        })
    }
}
