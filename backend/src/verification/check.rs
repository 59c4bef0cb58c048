//! One try at the code.

use countersign_shared::{OneTimeCode, PhoneNumber, SessionId};

use super::{Refusal, THROTTLED_WAIT, Verification, limits::prefix, log_upstream, recipient};
use crate::{
    client_ip::Caller,
    metrics::UpstreamCall,
    plivo::{PlivoError, RejectionHint, Validation},
    proof::Proof,
    store::{CheckReservation, Place, SessionOver, Settlement},
};

/// A number that is verified.
pub struct Verified {
    /// Which.
    pub recipient: PhoneNumber,
    /// What an application's server is shown.
    pub proof: Proof,
}

impl Verification {
    /// In sandbox a number that was verified owes no wait. Where the store fails it owes
    /// one: the number is verified all the same.
    async fn forgive_wait(&self, recipient: &PhoneNumber) {
        if self.rules.verified_owes_no_wait {
            self.store.forget_resend_wait(recipient).await.ok();
        }
    }

    /// Checks `otp` against the session's code. Success comes once.
    pub async fn check(
        &self,
        caller: &Caller,
        id: SessionId,
        otp: &OneTimeCode,
    ) -> Result<Verified, Refusal> {
        let expected = self.rules.otp_length;
        if otp.length() != usize::from(expected) {
            return Err(Refusal::OtpLength { expected });
        }
        self.has_room(UpstreamCall::Validate)?;
        let terms = self.check_terms(caller);
        let (hold, session) = match self.store.reserve_check(id, terms).await? {
            CheckReservation::Reserved { hold, session } => (hold, session),
            CheckReservation::Wait(wait) => return Err(self.must_wait(&wait)),
            CheckReservation::Over(over) => return Err(over.into()),
        };
        let validation = match self.plivo.validate(&session.upstream_id, otp).await {
            Ok(validation) => validation,
            Err(error) => {
                log_upstream("validate", error);
                return Err(match error {
                    _ if error.never_left() => {
                        self.store.release_check(id, hold).await?;
                        error.into()
                    }
                    // The check is used all the same: whether Plivo counted it is
                    // not known.
                    PlivoError::Throttled { retry_after } => Refusal::Unsettled {
                        retry_after: retry_after.unwrap_or(THROTTLED_WAIT),
                    },
                    _ => error.into(),
                });
            }
        };
        let accepted = validation == Validation::Accepted;
        let country = recipient::country_code(&session.recipient);
        let place = Place {
            country: country.to_string(),
            prefix: prefix(session.recipient.as_str()).to_owned(),
        };
        let settled = self.store.settle_check(id, accepted, hold, &place).await;
        match settled.map_err(Refusal::unsettled)? {
            Settlement::Verified => {
                self.metrics.verified(country, session.last_channel());
                self.forgive_wait(&session.recipient).await;
                log::info!(
                    event = "otp.verified",
                    recipient = session.recipient.masked().as_str();
                    "number verified"
                );
                Ok(Verified {
                    proof: self.proofs.sign(&session, self.clock.now()),
                    recipient: session.recipient,
                })
            }
            Settlement::Incorrect { checks_left } => {
                log::info!(event = "otp.incorrect", checks_left = checks_left; "code not accepted");
                Err(match validation {
                    Validation::Rejected(RejectionHint::CodeDead) => {
                        Refusal::Over(SessionOver::Expired)
                    }
                    _ => Refusal::OtpIncorrect { checks_left },
                })
            }
            Settlement::Over(over) => Err(over.into()),
        }
    }
}
