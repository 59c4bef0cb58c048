//! Why the service does not start.

use std::net::SocketAddr;

use countersign_store::{key_file::KeyFileError, redis, sqlite};

use crate::{http::connections::TooFewFiles, proof::KeysError};

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("LISTEN_ADDR: cannot listen on {address}: {source}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The metrics' address is taken or not ours.
    #[error("METRICS_ADDR: cannot listen on {address}: {source}; name another one, or off")]
    Metrics {
        /// What was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system lets the process open too few files.
    #[error(transparent)]
    Files(#[from] TooFewFiles),
    /// The page that was asked for is not there.
    #[error("PAGE_DIR: {directory} has no page to serve: {source}")]
    Page {
        /// What was asked for.
        directory: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The store's file could not be opened.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// The store's server could not be used.
    #[error(transparent)]
    Redis(#[from] redis::OpenError),
    /// The store's key could not be read or made.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The keys that sign proofs could not be read.
    #[error(transparent)]
    ProofKeys(#[from] KeysError),
    /// The client of Plivo could not be set up.
    #[error("the HTTPS client cannot start: {0}")]
    Client(#[from] reqwest::Error),
    /// The simulator could not be started.
    #[error("the simulator cannot start: {0}")]
    Simulator(std::io::Error),
}
