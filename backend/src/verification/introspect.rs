//! Is this a proof of ours, and is it still worth something?

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

/// A consumed proof is remembered that much longer than it holds: the clocks of
/// instances may be apart.
const REMEMBERED: Duration = Duration::from_mins(1);

/// Token introspection (RFC 7662).
pub struct Introspection {
    /// Knows our own proofs.
    pub proofs: Arc<Proofs>,
    /// Whose they may be.
    pub applications: ApplicationRegistry,
    /// Whether anybody may ask while no application has a key: in sandbox.
    pub is_open_without_keys: bool,
    /// Remembers which are consumed.
    pub store: StoreHandle,
    /// Names them there.
    pub keys: RowKeys,
    /// What proofs are dated by.
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
    /// Whether somebody without a key may ask.
    pub fn is_open(&self) -> bool {
        self.is_open_without_keys && !self.applications.current().have_keys()
    }

    /// What the token says, if it is a proof of ours that holds, was not consumed, and is
    /// for that purpose and for `application`; for none, of any.
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
        // Another's proof takes the same time: nobody learns that it holds. And nobody
        // consumes it.
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
