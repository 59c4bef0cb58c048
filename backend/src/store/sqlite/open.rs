//! The file: made, opened, or refused with one clear line.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior};
use rustix::fs::Access;

use super::anchor;
use crate::{clock::Clock, store::Vault};

/// Marks a file as ours: `csgn`.
const APPLICATION_ID: i32 = 0x6373_676e;
/// How to get from each version of the schema to the next.
const MIGRATIONS: [&str; 6] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
];
/// Pages that are kept in memory, in KiB.
const CACHE_KIB: i64 = 5632;
/// How long a step waits for another program that holds the file.
const BUSY: Duration = Duration::from_secs(1);

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
    /// A newer version's file.
    #[error("STORE_URL: {path} was written by a newer version of this program")]
    Newer {
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
        /// What the system says.
        problem: String,
    },
}

/// The connection, and the clock to go by.
pub(super) fn open(
    path: &Path,
    vault: &Vault,
    clock: Option<Arc<dyn Clock>>,
) -> Result<(Connection, Arc<dyn Clock>), OpenError> {
    create(path).map_err(|error| OpenError::Unusable {
        path: path.to_owned(),
        problem: error.to_string(),
    })?;
    prepare(path, vault, clock).map_err(|failure| match failure {
        Failure::Sqlite(error) => refused(path, &error),
        Failure::Named(error) => error,
    })
}

/// Whether a start would open the file, which is left as it is; `vault` is absent
/// where its key is not there yet either.
pub fn check(path: &Path, vault: Option<&Vault>) -> Result<(), OpenError> {
    let unusable = |problem: String| OpenError::Unusable {
        path: path.to_owned(),
        problem,
    };
    let is_there = path
        .try_exists()
        .map_err(|error| unusable(error.to_string()))?;
    // SQLite writes beside its file, too.
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
        rustix::fs::access(place, Access::WRITE_OK)
            .map_err(|error| unusable(format!("{}: {error}", place.display())))?;
    }
    match vault {
        Some(vault) if is_there => look(path, vault).map_err(|failure| match failure {
            Failure::Sqlite(error) => refused(path, &error),
            Failure::Named(error) => error,
        }),
        _ => Ok(()),
    }
}

fn look(path: &Path, vault: &Vault) -> Result<(), Failure> {
    let named = |error: fn(PathBuf) -> OpenError| Failure::Named(error(path.to_owned()));
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY)?;
    if !is_ours(&connection)? {
        return Err(named(|path| OpenError::Foreign { path }));
    }
    let version: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > MIGRATIONS.len() {
        return Err(named(|path| OpenError::Newer { path }));
    }
    if version == 0 {
        // An empty file: there is no key in it yet.
        return Ok(());
    }
    let kept = connection.query_row("SELECT key_check FROM anchor", [], |row| row.get(0));
    let kept: Option<[u8; 16]> = kept.optional()?;
    match kept {
        Some(kept) if kept != vault.key_check() => Err(named(|path| OpenError::OtherKey { path })),
        _ => Ok(()),
    }
}

/// Makes the directory and an empty file that only its owner can read.
fn create(path: &Path) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

enum Failure {
    Sqlite(rusqlite::Error),
    Named(OpenError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn prepare(
    path: &Path,
    vault: &Vault,
    clock: Option<Arc<dyn Clock>>,
) -> Result<(Connection, Arc<dyn Clock>), Failure> {
    let named = |error: fn(PathBuf) -> OpenError| Failure::Named(error(path.to_owned()));
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    let sound: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if sound != "ok" {
        return Err(named(|path| OpenError::Damaged { path }));
    }
    // Another process may be making the same file at this moment: looked at and
    // made in one step.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !is_ours(&transaction)? {
        return Err(named(|path| OpenError::Foreign { path }));
    }
    let version: usize = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(missing) = MIGRATIONS.get(version..) else {
        return Err(named(|path| OpenError::Newer { path }));
    };
    // Also without anything to migrate: a file that cannot be written shows here.
    missing
        .iter()
        .try_for_each(|migration| transaction.execute_batch(migration))?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len())?;
    let key_check = vault.key_check();
    transaction.execute(
        "INSERT INTO anchor SELECT ?1, '', 0, 0 WHERE NOT EXISTS (SELECT 1 FROM anchor)",
        [key_check],
    )?;
    let kept: [u8; 16] =
        transaction.query_row("SELECT key_check FROM anchor", [], |row| row.get(0))?;
    if kept != key_check {
        return Err(named(|path| OpenError::OtherKey { path }));
    }
    let clock = match clock {
        Some(clock) => clock,
        None => Arc::new(anchor::resume(&transaction)?),
    };
    anchor::save(&transaction, clock.as_ref())?;
    transaction.commit()?;
    // WAL: readers never wait. FULL: what was answered is on the disk, also when
    // the power fails; the writer commits in groups to make up for it. What is
    // deleted is overwritten.
    while_busy(|| connection.pragma_update(None, "journal_mode", "WAL"))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok((connection, clock))
}

/// Tries again for as long as a step waits: SQLite itself does not wait where
/// two connections change the journal at once.
fn while_busy(attempt: impl Fn() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        match attempt() {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && started.elapsed() < BUSY =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
}

/// An empty file is ours to fill; any other must bear our mark.
fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let mark: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(mark == APPLICATION_ID || (mark == 0 && tables == 0))
}

fn refused(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path },
        Some(ErrorCode::ReadOnly) => OpenError::ReadOnly { path },
        _ => OpenError::Unusable {
            path,
            problem: error.to_string(),
        },
    }
}
