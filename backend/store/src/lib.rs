//! Stores, and the group committer in front of them.
//!
//! A [`Store`] knows nothing of verification: it loads rows, and commits a group of writes
//! if every row that was read is unchanged (compare-and-set). A [`Committer`] in front of
//! it takes the waiting transitions, applies one after the other and commits once; if
//! another instance was first, it applies them again to the current rows. Callers use
//! [`StoreHandle`].

mod at_clock;
pub mod committer;
mod driver;
mod encryption;
mod handle;
mod health;
pub mod key_file;
mod memory;
mod move_store;
pub mod redis;
pub mod sqlite;
mod store;

pub use self::{
    at_clock::AtClock,
    committer::Committer,
    encryption::{Hash, InvalidSecretKey, StoreKeys, hex},
    handle::{Answer, NoObserver, Observer, StoreHandle, member},
    memory::MemoryStore,
    move_store::{MoveError, Portable, move_store},
    redis::RedisStore,
    sqlite::SqliteStore,
    store::{
        Commit, CommitOutcome, MAX_VALUE_BYTES, Snapshot, Stamp, Store, StoreError, Unavailable,
    },
};
