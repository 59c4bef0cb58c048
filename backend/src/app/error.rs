//! Why the service does not start.

use std::{net::SocketAddr, path::PathBuf};

use countersign_store::{key_file::KeyFileError, redis, sqlite};

use crate::{http::connections::TooFewFiles, proof::KeysError};

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The API's address is in use or not local.
    #[error("LISTEN_ADDR: cannot listen on {address}: {source}")]
    Listen {
        /// The configured value.
        address: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
    /// The address of the metrics is in use or not local.
    #[error("METRICS_ADDR: cannot listen on {address}: {source}; name another one, or off")]
    Metrics {
        /// The configured value.
        address: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
    /// The limit of open files is too low.
    #[error(transparent)]
    Files(#[from] TooFewFiles),
    /// The configured page directory has no page.
    #[error("PAGE_DIR: {directory} has no page to serve: {source}")]
    Page {
        /// The configured value.
        directory: String,
        /// The system's error.
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
    /// A key file is writable by others.
    #[error("{variable}: others can write {path}, and so choose what is in it; chmod 600 it")]
    WritableKeyFile {
        /// The variable that names the file.
        variable: String,
        /// The file.
        path: PathBuf,
    },
    /// A file of the operator's is invalid.
    #[error("{variable}: {problem}")]
    File {
        /// The variable that names the file.
        variable: &'static str,
        /// The problem.
        problem: String,
    },
    /// Another sandbox uses the same store, with codes of its own.
    #[error(
        "STORE_URL: another sandbox works over this store, and each knows only its own codes; \
         run one simulator, and both services with PLIVO_MODE=live and PLIVO_BASE_URL at its address"
    )]
    OtherSandbox,
    /// The simulator could not be started.
    #[error("the simulator cannot start: {0}")]
    Simulator(std::io::Error),
}
