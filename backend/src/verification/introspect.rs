//! Is this a proof of ours, and is it still worth something?

use std::{sync::Arc, time::Duration};

use countersign_core::transitions::{ConsumeOnce, IsConsumed};
use countersign_platform::clock::Clock;
use countersign_shared::proof::Claims;
use countersign_store::StoreHandle;

use super::{Refusal, RowKeys, store_deadline};
use crate::proof::Proofs;

/// A consumed proof is remembered that much longer than it holds: the clocks of
/// instances may be apart.
const REMEMBERED: Duration = Duration::from_mins(1);

/// Token introspection (RFC 7662).
pub struct Introspection {
    /// Knows our own proofs.
    pub proofs: Arc<Proofs>,
    /// Remembers which are consumed.
    pub store: StoreHandle,
    /// Names them there.
    pub keys: RowKeys,
    /// What proofs are dated by.
    pub clock: Arc<dyn Clock>,
}

impl Introspection {
    /// What the token says, if it is a proof of ours that holds and was not consumed.
    /// `consume` uses it up, once over all instances.
    pub async fn introspect(&self, token: &str, consume: bool) -> Result<Option<Claims>, Refusal> {
        let Some(claims) = self.proofs.read(token, self.clock.now()) else {
            return Ok(None);
        };
        let key = self.keys.single_use("proof", &claims.jti);
        let was_consumed = if consume {
            let kept_for = self.proofs.lifetime() + REMEMBERED;
            let step = ConsumeOnce { key, kept_for };
            !self.store.run(step, store_deadline()).await?
        } else {
            self.store
                .read(IsConsumed { key }, store_deadline())
                .await?
        };
        Ok((!was_consumed).then_some(claims))
    }
}
