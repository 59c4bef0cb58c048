//! What Plivo tells of a delivery without being asked.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{Refusal, Verification};
use crate::{
    plivo::{
        callback::Told,
        signature::{self, Callback, Signatures},
    },
    store::StoreUnreachable,
};

/// How long a nonce is remembered. Plivo's own repetitions take seven minutes
/// (reference: status callbacks).
const REMEMBERED: Duration = Duration::from_hours(1);

/// Where Plivo calls back, and what it signs with.
pub struct Callbacks {
    /// The whole address, as Plivo is told.
    pub url: SecretString,
    /// What stands at its end.
    pub secret: SecretString,
    /// Plivo's password and ours.
    pub auth_token: SecretString,
}

/// Why a callback is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackRefusal {
    /// There is nothing at that address.
    NotHere,
    /// Not signed by Plivo, seen before, too old, or not to be understood.
    Refused(&'static str),
    /// The store is not there.
    Store(Refusal),
}

impl Verification {
    /// Where Plivo tells how a delivery goes, if the world can reach us.
    pub(super) fn callback_url(&self) -> Option<&str> {
        let callbacks = self.callbacks.as_ref();
        callbacks.map(|callbacks| callbacks.url.expose_secret())
    }

    /// Takes a callback: its parameters stand in the form, or of a GET in the
    /// query.
    pub async fn call_back(
        &self,
        secret: &str,
        query: &[(String, String)],
        form: &[(String, String)],
        signatures: Signatures<'_>,
    ) -> Result<(), CallbackRefusal> {
        use CallbackRefusal::{NotHere, Refused, Store};
        let callbacks = self.callbacks.as_ref().ok_or(NotHere)?;
        let expected = callbacks.secret.expose_secret().as_bytes();
        if !bool::from(expected.ct_eq(secret.as_bytes())) {
            return Err(NotHere);
        }
        let callback = Callback {
            url: callbacks.url.expose_secret(),
            query,
            form,
            signatures,
        };
        let nonce = signature::nonce(&callbacks.auth_token, &callback);
        let nonce = nonce.ok_or(Refused("signature"))?;
        let fields = if form.is_empty() { query } else { form };
        let told = Told::read(fields).ok_or(Refused("content"))?;
        if is_stale(told.requested_at, self.clock.now()) {
            return Err(Refused("age"));
        }
        let name = format!("callback {nonce}");
        let store = |_| Store(StoreUnreachable.into());
        if self.store.is_spent(&name).await.map_err(store)? {
            return Err(Refused("nonce"));
        }
        // Spent last: where the store fails meanwhile, Plivo comes again.
        self.hint(&told.upstream_id, told.noted, told.recipient.as_ref())
            .await
            .map_err(Store)?;
        self.store.spend(&name, REMEMBERED).await.map_err(store)?;
        Ok(())
    }
}

/// Longer ago than any session lives, and any repetition takes.
fn is_stale(requested_at: Option<SystemTime>, now: SystemTime) -> bool {
    requested_at.is_some_and(|at| at + 2 * REMEMBERED < now)
}

/// How many were refused since the start.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// One log line for a callback that was not taken, and how many there were.
pub fn log_refused(why: &str) {
    let refused = REFUSED.fetch_add(1, Ordering::Relaxed) + 1;
    log::warn!(event = "callback.refused", reason = why, refused = refused; "a callback was not taken");
}
