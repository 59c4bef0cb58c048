//! Introspection of proofs.

use std::{sync::Arc, time::Duration};

use countersign_core::{
    Application,
    transitions::{ConsumeOnce, IsConsumed},
};
use countersign_platform::clock::Clock;
use countersign_shared::{Purpose, proof::Claims};
use countersign_store::StoreHandle;

use super::{ApplicationRegistry, Refusal, RowKeys, store_deadline};
use crate::proof::Proofs;

/// How much longer than its lifetime a consumed proof is stored, for clock skew between
/// instances.
const REMEMBERED: Duration = Duration::from_mins(1);

/// Token introspection (RFC 7662).
pub struct Introspection {
    /// Verifies proofs.
    pub proofs: Arc<Proofs>,
    /// The applications.
    pub applications: ApplicationRegistry,
    /// Whether introspection is open while no application has a key: in sandbox.
    pub is_open_without_keys: bool,
    /// Stores which proofs are consumed.
    pub store: StoreHandle,
    /// Names their rows.
    pub keys: RowKeys,
    /// The clock that dates proofs.
    pub clock: Arc<dyn Clock>,
}

/// What is asked about a token.
pub struct Question {
    /// The token.
    pub token: String,
    /// What the proof must be for, where that matters.
    pub purpose: Option<Purpose>,
    /// Whether to use it up, once over all instances.
    pub consume: bool,
}

impl Introspection {
    /// Whether introspection needs no key.
    pub fn is_open(&self) -> bool {
        self.is_open_without_keys && !self.applications.current().have_keys()
    }

    /// The claims of a token, if it is a valid proof of ours with that purpose, for
    /// `application` (`None` for any), that was not consumed.
    pub async fn introspect(
        &self,
        application: Option<&Application>,
        question: &Question,
    ) -> Result<Option<Claims>, Refusal> {
        let Some(claims) = self.proofs.read(&question.token, self.clock.now()) else {
            return Ok(None);
        };
        let is_theirs = if let Some(application) = application {
            application.audience == claims.aud
        } else {
            let applications = self.applications.current();
            applications.iter().any(|it| it.audience == claims.aud)
        };
        let wanted = question.purpose;
        let is_wanted = wanted.is_none_or(|purpose| claims.purpose == Some(purpose));
        let is_theirs = is_theirs && is_wanted;
        // Checked last, so that another application's proof takes the same time and nobody
        // learns that it is valid.
        let kind = if is_theirs {
            "proof"
        } else {
            "proof of another"
        };
        let key = self.keys.single_use(kind, &claims.jti);
        let was_consumed = if question.consume {
            let kept_for = self.proofs.lifetime() + REMEMBERED;
            let step = ConsumeOnce { key, kept_for };
            !self.store.run(step, store_deadline()).await?
        } else {
            self.store
                .read(IsConsumed { key }, store_deadline())
                .await?
        };
        Ok((is_theirs && !was_consumed).then_some(claims))
    }
}
