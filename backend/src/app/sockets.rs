//! Where it listens.

use std::net::{SocketAddr, TcpListener};

use super::StartError;
use crate::config::Config;

/// What is listened on.
pub(super) struct Sockets {
    pub(super) api: TcpListener,
    /// With the address that was asked for.
    pub(super) metrics: Option<(SocketAddr, TcpListener)>,
}

impl Sockets {
    /// First of all: a refusal of the store's is then the only line there is.
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
