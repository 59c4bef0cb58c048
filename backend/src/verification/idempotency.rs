//! Requests that their callers may repeat under one key (the IETF draft on the
//! Idempotency-Key header): what is kept as their answer, and how it is given again.

use std::time::Duration;

use countersign_core::{
    Answer, EndUserKeys, IdempotencyClaim, Repetition, Sealed, SessionOver, Settlement,
    transitions::FindAnswer,
};
use countersign_shared::SessionId;
use serde::{Deserialize, Serialize};

use super::{Refusal, Verification, Verified, refusal, store_deadline};

/// How long the answer of a check can be fetched again: long enough for a retry, too
/// short for the code to be of use once more.
pub(super) const CHECK_ANSWER_TTL: Duration = Duration::from_mins(1);

/// A request under an idempotency key.
#[derive(Clone)]
pub struct IdempotentRequest {
    /// Whom the key belongs to: another scope's same key is another request.
    pub scope: String,
    /// The key.
    pub key: String,
    /// The request itself: under the same key it must be the same.
    pub body: String,
}

impl IdempotentRequest {
    /// What opens the answer.
    pub(super) fn opener(&self) -> String {
        format!("{}\n{}\n{}", self.scope, self.key, self.body)
    }
}

/// An answer as it is sealed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeptAnswer {
    /// A number is verified.
    Verified(Verified),
    /// The step was not taken, and what was reserved stays counted.
    Refused(Refusal),
}

impl Verification {
    /// The answer of a failure, for a repetition of a request with a key.
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

    /// The claim of a request on its key; for whom it is counts what another body under the
    /// key uses.
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

    /// Whether a request whose step is not admitted was answered before: Plivo need not be
    /// there to say it again.
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

    /// What a repeated send or resend was answered, as far as that is a refusal.
    pub(super) fn repeated_refusal(
        &self,
        request: &IdempotentRequest,
        repetition: &Repetition,
    ) -> Refusal {
        match repetition {
            Repetition::UnderWay => Refusal::RequestUnderWay,
            // The process died or the store was gone: what it did is not known.
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

    /// What a repeated check was answered.
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
                // Verified without its proof: there is none to give again.
                Answer::Settled(Settlement::Verified) => {
                    return Err(Refusal::Over(SessionOver::AlreadyVerified));
                }
                _ => {}
            }
        }
        Err(self.repeated_refusal(request, repetition))
    }
}
