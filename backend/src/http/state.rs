//! What the handlers share.

use std::sync::Arc;

use countersign_store::StoreHandle;

use crate::{
    proof::Proofs,
    verification::{ApplicationRegistry, Introspection, Verification},
};

/// What the handlers share: one for the application, made before its workers.
pub struct AppState {
    /// Whose codes they are.
    pub applications: ApplicationRegistry,
    /// Whether nothing is really sent.
    pub is_sandbox: bool,
    /// How the world reaches us, without a slash at its end.
    pub public_url: String,
    /// Sends and checks codes.
    pub verification: Verification,
    /// Looks at proofs.
    pub introspection: Introspection,
    /// Publishes the keys of proofs.
    pub proofs: Arc<Proofs>,
    /// Says whether it works.
    pub store: StoreHandle,
}
