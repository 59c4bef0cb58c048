//! Why the service does not start.

use std::{net::SocketAddr, path::PathBuf};

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
    /// Others can write a file with a key in it.
    #[error("{variable}: others can write {path}, and so choose what is in it; chmod 600 it")]
    WritableKeyFile {
        /// The variable that names it.
        variable: String,
        /// The file.
        path: PathBuf,
    },
    /// A file of the operator's cannot be read.
    #[error("{variable}: {problem}")]
    File {
        /// The variable that names it.
        variable: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Another sandbox works over the same store, with codes of its own.
    #[error(
        "STORE_URL: another sandbox works over this store, and each knows only its own codes; \
         run one simulator, and both services with PLIVO_MODE=live and PLIVO_BASE_URL at its address"
    )]
    OtherSandbox,
    /// The simulator could not be started.
    #[error("the simulator cannot start: {0}")]
    Simulator(std::io::Error),
}
