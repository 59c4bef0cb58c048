use std::panic::{AssertUnwindSafe, catch_unwind};

use countersign_core::{Key, Rows, Unreadable};

use crate::store::StoreError;

/// A waiting transition, type-erased.
pub trait Member: Send {
    /// See [`Transition::keys`](countersign_core::Transition::keys).
    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable>;

    /// Runs it, and replaces the outcome of the previous run.
    fn apply(&mut self, rows: &mut Rows<'_>) -> Result<(), Unreadable>;

    /// Whether its caller is gone.
    fn is_abandoned(&self) -> bool;

    /// Answers its caller with the outcome of the last run, or with the error.
    fn answer(self: Box<Self>, result: Result<(), StoreError>);
}

/// Catches a panic in a transition: a bug, which must affect its own caller only.
pub(crate) fn guarded<T>(run: impl FnOnce() -> Result<T, Unreadable>) -> Result<T, StoreError> {
    let result = catch_unwind(AssertUnwindSafe(run)).map_err(|_| StoreError::Faulty)?;
    result.map_err(StoreError::Unreadable)
}
