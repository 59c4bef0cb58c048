//! Plivo's delivery callbacks.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use countersign_core::{
    CountryCode, recipient,
    transitions::{CallbackOutcome, CallbackRecipient, RecordCallback},
};
use countersign_plivo::{
    callback::DeliveryCallback,
    signature::{self, Callback, Signatures},
};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{Refusal, Verification, attempts::log_change, store_deadline};

/// Maximum age of a callback, longer than any session and than the seven minutes of
/// Plivo's repetitions (reference: status callbacks).
const MAX_AGE: Duration = Duration::from_hours(2);
/// How far ahead of ours Plivo's clock may be.
const MAX_SKEW: Duration = Duration::from_mins(5);
/// How long a nonce is stored: as long as its callback is young enough.
const NONCE_TTL: Duration = MAX_AGE.saturating_add(MAX_SKEW);

/// The callback URL and the keys that verify signatures.
pub struct Callbacks {
    /// The whole URL, as sent to Plivo.
    pub url: SecretString,
    /// The secret at its end.
    pub secret: SecretString,
    /// Credentials of the account.
    pub auth_token: SecretString,
}

/// Why a callback is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackRefusal {
    /// The secret in the path is wrong.
    NotHere,
    /// Not signed by Plivo, repeated, too old, or malformed.
    Refused(&'static str),
    /// The store is unavailable.
    Store(Refusal),
}

impl Verification {
    /// The callback URL, if there is a public one.
    pub(super) fn callback_url(&self) -> Option<&str> {
        let callbacks = self.callbacks.as_ref();
        callbacks.map(|callbacks| callbacks.url.expose_secret())
    }

    /// Handles a callback. Its parameters are in the form or, for a GET, in the query.
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
        let signed = Callback {
            url: callbacks.url.expose_secret(),
            query,
            form,
            signatures,
        };
        let nonce = signature::nonce(&callbacks.auth_token, &signed);
        let nonce = nonce.ok_or(Refused("signature"))?;
        let fields = if form.is_empty() { query } else { form };
        let callback = DeliveryCallback::read(fields).ok_or(Refused("content"))?;
        if let Some(number) = &callback.recipient {
            self.note_number(number);
        }
        if is_out_of_time(callback.requested_at, self.clock.now()) {
            return Err(Refused("age"));
        }
        let recorded = self
            .record_callback(nonce, &callback)
            .await
            .map_err(Store)?;
        match recorded {
            CallbackOutcome::Repeated => Err(Refused("nonce")),
            CallbackOutcome::OtherRecipient => Err(Refused("recipient")),
            CallbackOutcome::Recorded {
                changes,
                told,
                has_adopted,
            } => {
                let number = callback.recipient.as_ref();
                let country = number.map_or(CountryCode::of(""), CountryCode::of_number);
                let (upstream_id, error_code) = (&callback.upstream_id, &callback.error_code);
                self.note_changes(&changes, country, upstream_id, error_code);
                if changes.is_empty() && !error_code.is_empty() {
                    // Event streams were notified already, without Plivo's error code.
                    log_change(&told, upstream_id, error_code);
                }
                if has_adopted {
                    log::info!(
                        event = "otp.adopted";
                        "a send whose answer was lost is live: Plivo called back"
                    );
                }
                Ok(())
            }
        }
    }

    async fn record_callback(
        &self,
        nonce: &str,
        callback: &DeliveryCallback,
    ) -> Result<CallbackOutcome, Refusal> {
        let number = callback.recipient.as_ref();
        let upstream_id = &callback.upstream_id;
        let upstream = match number {
            Some(number) => self.keys.upstream(number, upstream_id),
            None => self.keys.unowned_upstream(upstream_id),
        };
        let step = RecordCallback {
            nonce: self.keys.single_use("callback", nonce),
            kept_for: NONCE_TTL,
            upstream,
            recipient: number.map(|number| CallbackRecipient {
                number: self.keys.number(number),
                destination: self.keys.destination(&recipient::of_number(number)),
            }),
            update: callback.update,
            rules: self.rules.clone(),
        };
        Ok(self.store.run(step, store_deadline()).await?)
    }
}

/// Whether a callback is too old, or from a future that its nonce would not outlive.
fn is_out_of_time(requested_at: Option<SystemTime>, now: SystemTime) -> bool {
    requested_at.is_some_and(|at| at + MAX_AGE < now || at > now + MAX_SKEW)
}

/// Callbacks rejected since the start.
static REJECTED: AtomicU64 = AtomicU64::new(0);

/// Logs a rejected callback, and how many there were.
pub fn log_refused(why: &str) {
    let rejected = REJECTED.fetch_add(1, Ordering::Relaxed) + 1;
    log::warn!(event = "callback.rejected", reason = why, rejected = rejected; "callback rejected");
}
