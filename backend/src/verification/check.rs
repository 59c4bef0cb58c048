//! One try at the code.

use countersign_shared::{OneTimeCode, PhoneNumber, SessionId};

use super::{
    Refusal, Refused, THROTTLED_WAIT, Verification, limits::prefix, log_upstream, recipient,
};
use crate::{
    client_ip::Caller,
    metrics::UpstreamCall,
    plivo::{PlivoError, RejectionHint, Validation},
    proof::Proof,
    store::{CheckReservation, Hold, Place, Session, SessionOver, Settlement},
};

/// A number that is verified.
pub struct Verified {
    /// Which.
    pub recipient: PhoneNumber,
    /// What an application's server is shown.
    pub proof: Proof,
}

impl Verification {
    /// Whether it has as many digits as our codes have. Another one is no try.
    pub fn fits(&self, otp: &OneTimeCode) -> Result<(), Refusal> {
        let expected = self.rules.otp_length;
        if otp.length() == usize::from(expected) {
            Ok(())
        } else {
            Err(Refusal::OtpLength { expected })
        }
    }

    /// Checks `otp` against the session's code. Success comes once.
    pub async fn check(
        &self,
        caller: &Caller,
        id: SessionId,
        otp: &OneTimeCode,
    ) -> Result<Verified, Refused> {
        self.has_room(UpstreamCall::Validate)?;
        let terms = self.check_terms(caller);
        let (hold, session) = match self.store.reserve_check(id, terms).await? {
            CheckReservation::Reserved { hold, session } => (hold, *session),
            CheckReservation::Wait(wait) => return Err(self.must_wait(&wait).into()),
            CheckReservation::Over(over) => return Err(over.into()),
        };
        let checked = self.check_reserved(session, otp, hold).await;
        checked.map_err(Refusal::counted)
    }

    /// Asks Plivo about the code, once a check is reserved for it.
    async fn check_reserved(
        &self,
        session: Session,
        otp: &OneTimeCode,
        hold: Hold,
    ) -> Result<Verified, Refusal> {
        let id = session.id;
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
