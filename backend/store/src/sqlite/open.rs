//! Creates or opens the file, or refuses it with one clear line.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior};
use rustix::fs::Access;

use crate::StoreKeys;

/// SQLite's `application_id` of our files: `csgn`.
const APPLICATION_ID: i32 = 0x6373_676e;
/// The version of the schema. Lower ones were never released.
const SCHEMA_VERSION: u32 = 7;
const SCHEMA: &str = include_str!("schema.sql");
/// Page cache in KiB of the writing connection.
const CACHE_KIB: i64 = 4096;
/// Page cache in KiB of the reading connection, which reads few rows.
const READER_CACHE_KIB: i64 = 1024;
/// How long a step waits for another program's lock on the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not a SQLite file, or a broken one.
    #[error("STORE_URL: {path} is damaged or no SQLite file")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Another program's file.
    #[error("STORE_URL: {path} is the database of another program")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A file of a newer version.
    #[error("STORE_URL: {path} was written by a newer version of this program")]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// A file from before the first release.
    #[error(
        "STORE_URL: {path} has the layout of before the first release; move it away to begin with a new one"
    )]
    Older {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("STORE_URL: {path} cannot be written")]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The hashes in the file were made with another key.
    #[error("SECRET_KEY: {path} was made with another key; restore that key, or start a new file")]
    OtherKey {
        /// The file.
        path: PathBuf,
    },
    /// Anything else.
    #[error("STORE_URL: {path} cannot be used: {problem}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        problem: String,
    },
}

/// Opens the writing and the reading connection.
pub(super) fn open(path: &Path, keys: &StoreKeys) -> Result<(Connection, Connection), OpenError> {
    create(path).map_err(|error| unusable(path, &error))?;
    let writer = prepare(path, keys).map_err(|failure| failure.at(path))?;
    let reader = open_reader(path).map_err(|error| Failure::Sqlite(error).at(path))?;
    Ok((writer, reader))
}

/// Checks whether a start would open the file, without changing it; `keys` is absent if the
/// key does not exist yet either.
pub fn check(path: &Path, keys: Option<&StoreKeys>) -> Result<(), OpenError> {
    let is_there = path.try_exists().map_err(|error| unusable(path, &error))?;
    // SQLite also writes beside its file.
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut existing = directory.ancestors().map(|directory| {
        // The parent of a bare name is the working directory.
        let is_nameless = directory.as_os_str().is_empty();
        if is_nameless {
            Path::new(".")
        } else {
            directory
        }
    });
    let existing = existing.find(|directory| directory.exists());
    let needed = existing.into_iter().chain(is_there.then_some(path));
    for place in needed {
        rustix::fs::access(place, Access::WRITE_OK).map_err(|error| OpenError::Unusable {
            path: path.to_owned(),
            problem: format!("{}: {error}", place.display()),
        })?;
    }
    match keys {
        Some(keys) if is_there => verify(path, keys).map_err(|failure| failure.at(path)),
        _ => Ok(()),
    }
}

fn verify(path: &Path, keys: &StoreKeys) -> Result<(), Failure> {
    let connection = open_reader(path)?;
    if version(&connection)? == 0 {
        // An empty file has no key yet.
        return Ok(());
    }
    compare_keys(&connection, keys)
}

/// Creates the directory and an empty file that only its owner can read.
fn create(path: &Path) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    private_file(path).map(drop)
}

/// Opens a file that only its owner can read, and creates it if it is missing.
pub(super) fn private_file(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn unusable(path: &Path, error: &std::io::Error) -> OpenError {
    OpenError::Unusable {
        path: path.to_owned(),
        problem: error.to_string(),
    }
}

enum Failure {
    Sqlite(rusqlite::Error),
    Named(fn(PathBuf) -> OpenError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    fn at(self, path: &Path) -> OpenError {
        let path = path.to_owned();
        match self {
            Self::Named(error) => error(path),
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                    OpenError::Damaged { path }
                }
                Some(ErrorCode::ReadOnly) => OpenError::ReadOnly { path },
                _ => OpenError::Unusable {
                    path,
                    problem: error.to_string(),
                },
            },
        }
    }
}

fn prepare(path: &Path, keys: &StoreKeys) -> Result<Connection, Failure> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let sound: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if sound != "ok" {
        return Err(Failure::Named(|path| OpenError::Damaged { path }));
    }
    // Checked and created in one transaction: another program may use the file.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&transaction)? == 0 {
        transaction.execute_batch(SCHEMA)?;
    }
    // Always, so that a file that cannot be written is noticed here.
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.execute(
        "INSERT INTO store SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM store)",
        [keys.key_check()],
    )?;
    compare_keys(&transaction, keys)?;
    transaction.commit()?;
    // WAL: readers never wait. FULL: what was answered survives a power failure; group
    // commit makes up for the cost. Deleted content is overwritten. No automatic
    // checkpoint: within a commit it would make callers wait for a thousand pages.
    while_busy(|| connection.pragma_update(None, "journal_mode", "WAL"))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}

/// The version of the schema; 0 if the file is empty. Any other file must have our
/// `application_id`.
fn version(connection: &Connection) -> Result<u32, Failure> {
    let mark: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if mark == 0 && tables == 0 {
        return Ok(0);
    }
    if mark != APPLICATION_ID {
        return Err(Failure::Named(|path| OpenError::Foreign { path }));
    }
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        SCHEMA_VERSION => Ok(version),
        // Marked but never filled.
        0 if tables == 0 => Ok(0),
        ..SCHEMA_VERSION => Err(Failure::Named(|path| OpenError::Older { path })),
        _ => Err(Failure::Named(|path| OpenError::Newer { path })),
    }
}

fn compare_keys(connection: &Connection, keys: &StoreKeys) -> Result<(), Failure> {
    let kept = connection.query_row("SELECT key_check FROM store", [], |row| row.get(0));
    let kept: Option<[u8; 16]> = kept.optional()?;
    match kept {
        Some(kept) if kept != keys.key_check() => {
            Err(Failure::Named(|path| OpenError::OtherKey { path }))
        }
        _ => Ok(()),
    }
}

/// Retries for as long as a step waits: SQLite itself does not wait if two connections
/// change the journal mode at once.
fn while_busy(attempt: impl Fn() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        match attempt() {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && started.elapsed() < BUSY_TIMEOUT =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
}
