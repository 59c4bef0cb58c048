//! What one step works with.

use rusqlite::Transaction;

use super::{Context, cache::Cache};
use crate::store::millis::Millis;

/// One step at one moment.
pub(super) struct Step<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) cache: &'a mut Cache,
    pub(super) context: &'a Context,
    pub(super) now: Millis,
}
