//! Checks of codes.

use countersign_core::{
    Application, CountryCode, Verdict,
    flow::{CheckEnd, CheckFlow, CheckStep},
    recipient,
    transitions::{CheckReservation, ReserveCheck},
};
use countersign_metrics::UpstreamCall;
use countersign_plivo::PlivoError;
use countersign_shared::{Channel, OneTimeCode, PhoneNumber, SessionId};

use super::{
    Contact, IdempotentRequest, Refusal, Requester, Verification, Verified,
    daily_cost::Cost,
    deliver::log_upstream,
    idempotency::{CHECK_ANSWER_TTL, KeptAnswer},
    refusal, store_deadline,
    test_numbers::{self, Carrier},
};
use crate::proof::{self, Subject};

/// A reserved check.
struct Check<'a> {
    otp: &'a OneTimeCode,
    request: Option<IdempotentRequest>,
    carrier: Carrier,
}

/// A code accepted by Plivo, before settlement.
struct Accepted {
    recipient: PhoneNumber,
    channel: Channel,
    verified: Verified,
}

impl Verification {
    /// Checks `otp` against the session's code. Succeeds once.
    pub async fn check(
        &self,
        requester: &Requester,
        id: SessionId,
        otp: &OneTimeCode,
        request: Option<IdempotentRequest>,
    ) -> Result<Verified, Refusal> {
        let expected = self.rules.otp_length;
        if otp.length() != usize::from(expected) {
            return Err(Refusal::OtpLength { expected });
        }
        let end_user = self.keys.end_user(requester);
        let view = if end_user.is_none() || self.has_test_numbers() {
            match self.view(id).await {
                Ok(view) => Some(view),
                // What was answered before is answered again all the same.
                Err(Refusal::Over(_)) => None,
                Err(refusal) => return Err(refusal),
            }
        } else {
            None
        };
        // A server need not say again for whom it calls.
        let of_session = || view.as_ref().map(|view| *view.session.end_user.clone());
        let end_user = end_user.or_else(of_session).unwrap_or_default();
        let claim = self.claim(&end_user, request.as_ref(), None, CHECK_ANSWER_TTL);
        let is_test = view.as_ref().is_some_and(|view| self.is_test(view));
        let rules = if is_test {
            &self.test_rules
        } else {
            &self.rules
        };
        let carrier = match self.carrier(is_test, UpstreamCall::Validate) {
            Ok(carrier) => carrier,
            Err(error) => {
                let found = self.find_answer(claim).await?.ok_or(error)?;
                return self.repeated_check(request.as_ref(), &found);
            }
        };
        let reserve = ReserveCheck {
            session: self.keys.session(id),
            application: requester.key().cloned(),
            wrong_per_number: self.limits.wrong_checks_per_number.clone(),
            checks: self.limits.of_check(&end_user),
            claim,
            rules: rules.clone(),
        };
        let check = Check {
            otp,
            request,
            carrier,
        };
        let mut flow = CheckFlow::new(&reserve);
        let mut step = flow.reserved(self.store.run(reserve, store_deadline()).await);
        let (mut accepted, mut error) = (None, PlivoError::InvalidResponse);
        loop {
            step = match step {
                CheckStep::Call(reservation) => {
                    let contact = self.keys.open_contact(id, &reservation.session().contact);
                    let contact = contact.ok_or(Refusal::UNSETTLED)?;
                    self.note_number(&contact.recipient);
                    let application = self.application_of(requester, reservation.session())?;
                    let answered = self.ask(&check, &reservation, &contact).await;
                    if let Err(failure) = answered {
                        log_upstream("validate", failure);
                        error = failure;
                    }
                    if answered == Ok(Verdict::Accepted) {
                        let is_test = check.carrier.is_test();
                        let of = (&*application, is_test);
                        accepted = Some(self.accepted(&reservation, &contact, of));
                    }
                    let request = check.request.as_ref();
                    let proof = request.zip(accepted.as_ref()).map(|(request, accepted)| {
                        let answer = KeptAnswer::Verified(accepted.verified.clone());
                        self.seal_kept(request, &answer)
                    });
                    let recipient = recipient::of_number(&contact.recipient);
                    let destination = self.keys.destination(&recipient);
                    let outcome = answered.map_err(|failure| failure.outcome());
                    flow.called(outcome, proof, destination, |_| {
                        self.kept_refusal(request, Refusal::of_check(error))
                    })
                }
                CheckStep::Settle(settle) => {
                    flow.settled(self.store.run(settle, store_deadline()).await)
                }
                CheckStep::Release(release) => {
                    flow.released(self.store.run(release, store_deadline()).await)
                }
                CheckStep::KeepAnswer(keep) => {
                    flow.kept(self.store.run(keep, store_deadline()).await)
                }
                CheckStep::Finish(end) => {
                    if matches!(end, CheckEnd::Wait(_) | CheckEnd::Over(_)) && view.is_none() {
                        // Nothing was reserved: whom it is about the log learns here.
                        self.view(id).await.ok();
                    }
                    return self.checked(&check, end, accepted, error);
                }
            };
        }
    }

    async fn ask(
        &self,
        check: &Check<'_>,
        reservation: &CheckReservation,
        contact: &Contact,
    ) -> Result<Verdict, PlivoError> {
        let sealed = &reservation.upstream().id;
        let upstream_id = self.keys.open_upstream(&contact.recipient, sealed);
        let upstream_id = upstream_id.ok_or(PlivoError::InvalidResponse)?;
        let Carrier::Plivo(admission) = &check.carrier else {
            let of = &reservation.session().owner.application;
            return Ok(self.check_test_code((&contact.recipient, of), check.otp));
        };
        if test_numbers::is_upstream_id(&upstream_id) {
            // The session existed: it accepts no code any more.
            return Ok(Verdict::CodeUsed);
        }
        self.plivo
            .validate(admission, &upstream_id, check.otp)
            .await
    }

    /// Signs the proof before settlement, so that it can be stored with it; it is returned
    /// only if the settlement verifies the session.
    fn accepted(
        &self,
        reservation: &CheckReservation,
        contact: &Contact,
        (application, is_test): (&Application, bool),
    ) -> Accepted {
        let channel = reservation.session().last_channel();
        let subject = Subject {
            recipient: &contact.recipient,
            channel,
            application: application.id.as_str(),
            audience: &application.audience,
            nonce: contact.nonce.as_deref(),
            purpose: contact.purpose,
        };
        let now = self.clock.now();
        let proof = if is_test {
            self.proofs.sign_test(&subject, now)
        } else {
            self.proofs.sign(&subject, now)
        };
        Accepted {
            recipient: contact.recipient.clone(),
            channel,
            verified: Verified {
                recipient: contact.recipient.as_str().to_owned(),
                proof: proof.token,
                expires_at: proof::seconds(proof.expires_at),
            },
        }
    }

    fn checked(
        &self,
        check: &Check<'_>,
        end: CheckEnd,
        accepted: Option<Accepted>,
        error: PlivoError,
    ) -> Result<Verified, Refusal> {
        let settlement = match end {
            CheckEnd::Settled(settlement) => settlement,
            CheckEnd::Wait(wait) => return Err(self.must_wait(&wait)),
            CheckEnd::Over(over) => return Err(over.into()),
            CheckEnd::Repeated(repetition) => {
                return self.repeated_check(check.request.as_ref(), &repetition);
            }
            CheckEnd::Failed(_) => return Err(Refusal::of_check(error)),
            CheckEnd::NotReserved => return Err(Refusal::STORE_UNAVAILABLE),
            CheckEnd::Unsettled => return Err(Refusal::UNSETTLED),
        };
        if let Some(refusal) = refusal::of_settlement(settlement) {
            if let Refusal::OtpIncorrect { checks_left } = refusal {
                log::info!(event = "otp.incorrect", checks_left = checks_left; "code not accepted");
            }
            return Err(refusal);
        }
        let accepted = accepted.expect("only an accepted code is settled as verified");
        let country = CountryCode::of_number(&accepted.recipient);
        if !check.carrier.is_test() {
            self.metrics.verified(country, accepted.channel);
            self.note_cost(country, Cost::Verified);
        }
        log::info!(
            event = "otp.verified",
            recipient = accepted.recipient.masked().as_str();
            "number verified"
        );
        Ok(accepted.verified)
    }
}
