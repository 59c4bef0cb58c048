//! Requests under idempotency keys.

use std::{fmt::Debug, time::Duration};

use countersign_core::{IdempotencyClaim, Repetition, Sealed, keys, transitions::Reserved};

use super::Limited;
use crate::history::claims::{Found, Keyed};

impl Limited<'_> {
    /// Some requests have one of a few keys.
    pub(super) fn keyed(&mut self, of: &str, subject: &str, kept_for: u64) -> Option<Keyed> {
        let is_keyed = self.random.percent(60);
        is_keyed.then(|| Keyed {
            key: format!("{of}{}", self.random.index(3)),
            body: ["this", "this", "this", "that"][self.random.index(4)].to_owned(),
            subject: subject.to_owned(),
            at: self.now(),
            kept_for,
        })
    }

    pub(super) fn claim(&self, keyed: &Keyed, caller: usize) -> IdempotencyClaim {
        IdempotencyClaim {
            key: keys::idempotency(&keyed.key),
            body: keyed.body.clone(),
            kept_for: Duration::from_millis(keyed.kept_for),
            subject: Some(Sealed(keyed.subject.clone().into_bytes())),
            mismatch: self.quotas.limits.of_check(&self.quotas.end_users[caller]),
        }
    }

    /// What a key says to a request, compared with what it is told. Returns whether the
    /// request is a new one.
    pub(super) fn is_new<R: Debug>(
        &mut self,
        keyed: Option<&Keyed>,
        caller: usize,
        told: &Reserved<R>,
    ) -> bool {
        let Some(keyed) = keyed else { return true };
        let now = self.now();
        let repetition = match self.claims.find(&keyed.key, &keyed.body, now) {
            Found::New => return true,
            Found::Repeated(repetition) => repetition,
            Found::Other => {
                let limits = self.quotas.of_check(caller);
                let wait = match told {
                    Reserved::Wait(wait) => Some(wait),
                    _ => None,
                };
                if self.compare_a_wait(&limits, 0, wait) && wait.is_none() {
                    self.take(&limits);
                }
                if wait.is_some() {
                    return false;
                }
                Repetition::Reused
            }
        };
        let is_right = matches!(told, Reserved::Repeated(told) if *told == repetition);
        self.require(is_right, || {
            format!("{keyed:?} is {told:?}, and not {repetition:?}")
        });
        false
    }
}
