//! One try at the code.

use countersign_shared::{OneTimeCode, SessionId};

use super::{Refusal, Verification, log_upstream};
use crate::{
    plivo::{PlivoError, RejectionHint, Validation},
    store::{CheckReservation, Session, SessionOver, Settlement},
};

impl Verification {
    /// Checks `otp` against the session's code. Success comes once.
    pub async fn check(&self, id: SessionId, otp: &OneTimeCode) -> Result<Session, Refusal> {
        let expected = self.rules.otp_length;
        if otp.length() != usize::from(expected) {
            return Err(Refusal::OtpLength { expected });
        }
        let upstream_id = match self.store.reserve_check(id).await? {
            CheckReservation::Reserved { upstream_id } => upstream_id,
            CheckReservation::Over(over) => return Err(over.into()),
        };
        let validation = match self.plivo.validate(&upstream_id, otp).await {
            Ok(validation) => validation,
            Err(error) => {
                log_upstream("validate", error);
                if error == PlivoError::Unreachable {
                    self.store.release_check(id).await?;
                }
                return Err(error.into());
            }
        };
        let accepted = validation == Validation::Accepted;
        match self.store.settle_check(id, accepted).await? {
            Settlement::Verified(session) => {
                log::info!(
                    event = "otp.verified",
                    recipient = session.recipient.masked().as_str();
                    "number verified"
                );
                Ok(session)
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
