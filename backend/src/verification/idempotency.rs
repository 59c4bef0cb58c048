//! Idempotent requests (the IETF draft on the Idempotency-Key header): storing the answer
//! and replaying it.

use std::time::Duration;

use countersign_core::{
    Answer, EndUserKeys, IdempotencyClaim, Repetition, Sealed, SessionOver, Settlement,
    transitions::FindAnswer,
};
use countersign_shared::SessionId;
use serde::{Deserialize, Serialize};

use super::{Refusal, Verification, Verified, refusal, store_deadline};

/// How long a check's answer can be replayed: long enough for a retry, too short for the
/// code to be used again.
pub(super) const CHECK_ANSWER_TTL: Duration = Duration::from_mins(1);

/// A request under an idempotency key.
#[derive(Clone)]
pub struct IdempotentRequest {
    /// Scope of the key: the same key in another scope is another request.
    pub scope: String,
    /// The key.
    pub key: String,
    /// The request, which must be the same under the same key.
    pub body: String,
}

impl IdempotentRequest {
    /// The key that seals the answer.
    pub(super) fn opener(&self) -> String {
        format!("{}\n{}\n{}", self.scope, self.key, self.body)
    }
}

/// An answer, for sealing.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeptAnswer {
    /// Verified.
    Verified(Verified),
    /// Refused, and the reservation stays counted.
    Refused(Refusal),
}

impl Verification {
    /// The stored answer of a failure.
    pub(super) fn kept_refusal(
        &self,
        request: Option<&IdempotentRequest>,
        refusal: Refusal,
    ) -> Answer {
        let request = request.expect("only a claim has its answer kept");
        Answer::Sealed(self.seal_kept(request, &KeptAnswer::Refused(refusal)))
    }

    pub(super) fn seal_kept(&self, request: &IdempotentRequest, answer: &KeptAnswer) -> Sealed {
        let text = serde_json::to_string(answer).expect("plain values are JSON");
        self.keys.seal_answer(request, &text)
    }

    fn open_kept(&self, request: &IdempotentRequest, sealed: &Sealed) -> Option<KeptAnswer> {
        serde_json::from_str(&self.keys.open_answer(request, sealed)?).ok()
    }

    /// A request's claim of its key, with the limit that counts mismatches.
    pub(super) fn claim(
        &self,
        end_user: &EndUserKeys,
        request: Option<&IdempotentRequest>,
        subject: Option<SessionId>,
        kept_for: Duration,
    ) -> Option<IdempotencyClaim> {
        let request = request?;
        let mismatch = self.limits.of_check(end_user);
        let claim = self.keys.claim(request, subject, kept_for, mismatch);
        Some(claim)
    }

    /// Whether a request that is not admitted was answered before: replaying needs no
    /// Plivo.
    pub(super) async fn find_answer(
        &self,
        claim: Option<IdempotencyClaim>,
    ) -> Result<Option<Repetition>, Refusal> {
        let Some(claim) = claim else { return Ok(None) };
        let step = FindAnswer {
            claim,
            rules: self.rules.clone(),
        };
        let found = self.store.read(step, store_deadline()).await?;
        found.transpose().map_err(|wait| self.must_wait(&wait))
    }

    /// The replayed answer of a send or resend, if it is a refusal.
    pub(super) fn repeated_refusal(
        &self,
        request: &IdempotentRequest,
        repetition: &Repetition,
    ) -> Refusal {
        match repetition {
            Repetition::UnderWay => Refusal::RequestUnderWay,
            // The process crashed or the store failed: the outcome is unknown.
            Repetition::Lost { .. } => Refusal::UpstreamTimeout,
            Repetition::Reused => Refusal::IdempotencyKeyReused,
            Repetition::Answered { answer, .. } => match answer {
                Answer::Sealed(sealed) => match self.open_kept(request, sealed) {
                    Some(KeptAnswer::Refused(refusal)) => refusal,
                    _ => Refusal::IdempotencyKeyReused,
                },
                Answer::Settled(settlement) => {
                    refusal::of_settlement(*settlement).unwrap_or(Refusal::UpstreamTimeout)
                }
                Answer::Sent(_) => Refusal::IdempotencyKeyReused,
            },
        }
    }

    /// The replayed answer of a check.
    pub(super) fn repeated_check(
        &self,
        request: Option<&IdempotentRequest>,
        repetition: &Repetition,
    ) -> Result<Verified, Refusal> {
        let request = request.expect("a request that is repeated has a key");
        if let Repetition::Answered { answer, .. } = repetition {
            match answer {
                Answer::Sealed(sealed) => {
                    if let Some(KeptAnswer::Verified(verified)) = self.open_kept(request, sealed) {
                        return Ok(verified);
                    }
                }
                // Verified, but its proof is lost and cannot be replayed.
                Answer::Settled(Settlement::Verified) => {
                    return Err(Refusal::Over(SessionOver::AlreadyVerified));
                }
                _ => {}
            }
        }
        Err(self.repeated_refusal(request, repetition))
    }
}
