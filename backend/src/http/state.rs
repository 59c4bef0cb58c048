//! Shared state of the handlers.

use std::sync::Arc;

use countersign_store::StoreHandle;

use crate::{
    proof::Proofs,
    verification::{ApplicationRegistry, Introspection, Verification},
};

/// Shared state of the handlers: one per application, made before its workers.
pub struct AppState {
    /// The applications.
    pub applications: ApplicationRegistry,
    /// True in sandbox.
    pub is_sandbox: bool,
    /// Public URL, without a slash at its end.
    pub public_url: String,
    /// Sends and checks codes.
    pub verification: Verification,
    /// Introspects proofs.
    pub introspection: Introspection,
    /// Publishes the public keys of proofs.
    pub proofs: Arc<Proofs>,
    /// The store, for readiness.
    pub store: StoreHandle,
}
