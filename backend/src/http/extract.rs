//! Extractors.

pub(crate) mod body;
pub mod caller;
pub(crate) mod idempotency_key;
pub mod presented;
pub(crate) mod requester;
