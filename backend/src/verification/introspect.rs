//! Is this a proof of ours, and is it still worth something?

use std::time::Duration;

use countersign_shared::proof::Claims;

use super::{Refusal, Verification};

/// A spent proof is remembered that much longer than it holds: the clocks of
/// instances may be apart.
const REMEMBERED: Duration = Duration::from_mins(1);

impl Verification {
    /// What the token says, if it is a proof of ours that holds and was not spent.
    /// `consume` spends it, once over all instances.
    pub async fn introspect(&self, token: &str, consume: bool) -> Result<Option<Claims>, Refusal> {
        let now = self.clock.now();
        let Some(claims) = self.proofs.read(token, now) else {
            return Ok(None);
        };
        let name = format!("proof {}", claims.jti);
        let spent_before = if consume {
            let kept_for = self.proofs.lifetime() + REMEMBERED;
            !self.store.spend(&name, kept_for).await?
        } else {
            self.store.is_spent(&name).await?
        };
        Ok((!spent_before).then_some(claims))
    }
}
