use std::panic::{AssertUnwindSafe, catch_unwind};

use countersign_core::{Key, Rows, Unreadable};

use crate::store::StoreError;

/// A transition that waits, without its types.
pub trait Member: Send {
    /// See [`Transition::keys`](countersign_core::Transition::keys).
    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable>;

    /// Runs it, and keeps its outcome in place of that of the run before.
    fn apply(&mut self, rows: &mut Rows<'_>) -> Result<(), Unreadable>;

    /// See [`Transition::guards_single_use`](countersign_core::Transition::guards_single_use).
    fn guards_single_use(&self) -> bool;

    /// Whether its caller is gone.
    fn is_abandoned(&self) -> bool;

    /// Tells its caller: the outcome of the last run, or why there is none.
    fn answer(self: Box<Self>, result: Result<(), StoreError>);
}

/// A panic in a transition is a fault of ours, which costs its caller only.
pub(crate) fn guarded<T>(run: impl FnOnce() -> Result<T, Unreadable>) -> Result<T, StoreError> {
    let result = catch_unwind(AssertUnwindSafe(run)).map_err(|_| StoreError::Faulty)?;
    result.map_err(StoreError::Unreadable)
}
