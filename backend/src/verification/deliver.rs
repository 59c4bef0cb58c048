//! Delivery: the common part of send and resend.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use countersign_core::{
    Answer, Application, Recipient, Repetition, UpstreamOutcome,
    flow::{DeliverEnd, DeliverFlow, DeliverStep, Reserve},
    transitions::{Recorded, SendReservation},
};
use countersign_plivo::{Create, PlivoError};
use countersign_shared::{Channel, Locale, PhoneNumber, Purpose, SessionId};

use super::{
    Caller, IdempotentRequest, Refusal, Sent, Verification,
    charge_queue::Waiting,
    store_deadline,
    test_numbers::{self, Carrier},
};

/// A code to deliver.
pub(super) struct Delivery {
    /// The user's network, if known.
    pub(super) person: Option<Caller>,
    pub(super) session_id: SessionId,
    pub(super) recipient: Recipient,
    pub(super) channel: Channel,
    pub(super) locale: Locale,
    pub(super) purpose: Option<Purpose>,
    pub(super) application: Arc<Application>,
    pub(super) request: Option<IdempotentRequest>,
    pub(super) carrier: Carrier,
    /// True for the session's first code.
    pub(super) is_first: bool,
}

impl Verification {
    /// Reserves, calls Plivo, and records, in the order that [`DeliverFlow`] decides.
    pub(super) async fn deliver(
        &self,
        reserve: Reserve,
        delivery: Delivery,
    ) -> Result<Sent, Refusal> {
        let mut flow = DeliverFlow::new(&reserve);
        let (mut upstream_id, mut error) = (None::<String>, PlivoError::InvalidResponse);
        let reserved = self.store.run(reserve, store_deadline()).await;
        let reserved_at = Instant::now();
        let mut wait = Duration::ZERO;
        let mut step = flow.reserved(reserved);
        loop {
            let failed = |_| self.kept_refusal(delivery.request.as_ref(), Refusal::from(error));
            step = match step {
                DeliverStep::Call(reservation) => {
                    wait = reservation.next_in(reservation.reserved_at());
                    self.note_reserved(&delivery, &reservation);
                    let created = self.create(&delivery).await;
                    if let Err(failure) = created {
                        error = failure;
                    }
                    upstream_id = created.as_ref().ok().cloned();
                    let number = &delivery.recipient.number;
                    let upstream = created.as_ref().map(|id| self.keys.upstream(number, id));
                    let outcome = upstream.map_err(PlivoError::outcome);
                    flow.called(outcome, |_| {
                        self.kept_refusal(delivery.request.as_ref(), Refusal::from(error))
                    })
                }
                DeliverStep::Record(mut record) => {
                    let waiting = self.charges_of(&delivery, upstream_id.as_deref());
                    record.charge = waiting.as_ref().map(|waiting| self.queued(waiting));
                    let recorded = self.store.run(record, store_deadline()).await;
                    // Also where it is not known whether it is recorded: it went out.
                    if let Some(waiting) = waiting
                        && !matches!(recorded, Ok(Recorded::OtherRecipient))
                    {
                        self.await_charges(waiting);
                    }
                    flow.recorded(recorded, failed)
                }
                DeliverStep::Release(release) => {
                    flow.released(self.store.run(release, store_deadline()).await)
                }
                DeliverStep::Close(close) => {
                    flow.kept(self.store.run(close, store_deadline()).await)
                }
                DeliverStep::KeepAnswer(keep) => {
                    flow.kept(self.store.run(keep, store_deadline()).await)
                }
                DeliverStep::Finish(end) => {
                    let wait = wait.saturating_sub(reserved_at.elapsed());
                    return self.delivered(&delivery, end, error, wait);
                }
            };
        }
    }

    /// `wait` is how long the next code to the number has to wait because of this one.
    fn delivered(
        &self,
        delivery: &Delivery,
        end: DeliverEnd,
        error: PlivoError,
        wait: Duration,
    ) -> Result<Sent, Refusal> {
        match end {
            DeliverEnd::Sent { answer, .. } => {
                let number = delivery.recipient.number.clone();
                if !delivery.carrier.is_test() {
                    let application = &delivery.application.id;
                    let asked = (Some(&number), Some(delivery.channel));
                    self.note_sent(delivery.person.as_ref(), application, asked);
                }
                Ok(Sent::new(delivery.session_id, number, answer))
            }
            DeliverEnd::Wait(wait) => {
                self.note_low_conversion(&delivery.recipient, &wait.low_conversion);
                Err(self.must_wait(&wait))
            }
            DeliverEnd::Over(over) => Err(over.into()),
            DeliverEnd::Repeated(repetition) => {
                let (id, number) = (delivery.session_id, delivery.recipient.number.clone());
                self.repeated_delivery(id, number, delivery.request.as_ref(), &repetition)
            }
            DeliverEnd::Failed(UpstreamOutcome::InvalidResponse) => {
                log_upstream(delivery.call(), PlivoError::InvalidResponse);
                Err(PlivoError::InvalidResponse.into())
            }
            DeliverEnd::Failed(_) => {
                log_upstream(delivery.call(), error);
                let refusal = Refusal::from(error);
                // It stays counted.
                let is_throttled = matches!(error, PlivoError::Throttled { .. });
                Err(if is_throttled {
                    refusal.not_before(wait)
                } else {
                    refusal
                })
            }
            DeliverEnd::NotReserved => Err(Refusal::STORE_UNAVAILABLE),
            DeliverEnd::Unsettled => Err(Refusal::UNSETTLED.not_before(wait)),
        }
    }

    /// The earlier answer to this idempotent request.
    pub(super) fn repeated_delivery(
        &self,
        session_id: SessionId,
        recipient: PhoneNumber,
        request: Option<&IdempotentRequest>,
        repetition: &Repetition,
    ) -> Result<Sent, Refusal> {
        let request = request.expect("a request that is repeated has a key");
        let Repetition::Answered {
            answer: Answer::Sent(answer),
            subject,
        } = repetition
        else {
            return Err(self.repeated_refusal(request, repetition));
        };
        // For a send, the session that the first request began.
        let first = subject
            .as_ref()
            .and_then(|subject| SessionId::parse(&self.keys.open_answer(request, subject)?).ok());
        Ok(Sent::new(first.unwrap_or(session_id), recipient, *answer))
    }

    /// What is to be known of a code that Plivo took to collect its charges; nothing where
    /// they are not collected.
    fn charges_of(&self, delivery: &Delivery, upstream_id: Option<&str>) -> Option<Waiting> {
        let upstream_id = upstream_id?.to_owned();
        let is_wanted = self.collects_charges && !delivery.carrier.is_test();
        is_wanted.then(|| {
            Waiting::new(
                self.keys.session(delivery.session_id),
                delivery.application.id.clone(),
                delivery.recipient.country_code(),
                upstream_id,
                self.clock.now(),
            )
        })
    }

    fn note_reserved(&self, delivery: &Delivery, reservation: &SendReservation) {
        if delivery.carrier.is_test() {
            return;
        }
        let country = delivery.recipient.country_code();
        self.note_low_conversion(&delivery.recipient, reservation.low_conversion());
        self.note_budget_used(reservation.budget_used());
        let used = reservation.application_budget_used();
        self.note_application_budget_used(&delivery.application, used);
        self.metrics.send_requested(country, delivery.channel);
    }

    /// Calls Plivo to deliver the code. Everything but recipient, channel and language
    /// comes from the configuration.
    async fn create(&self, delivery: &Delivery) -> Result<String, PlivoError> {
        let Carrier::Plivo(admission) = &delivery.carrier else {
            self.note_test_number(&delivery.recipient.number, delivery.person.as_ref());
            return Ok(test_numbers::upstream_id(delivery.session_id));
        };
        let create = Create {
            recipient: &delivery.recipient.number,
            channel: delivery.channel,
            locale: &delivery.locale,
            brand_name: &delivery.application.name,
            app_uuid: delivery.application.plivo_app(delivery.purpose),
            otp_length: self.rules.otp_length,
            callback_url: self.callback_url(),
        };
        let created = self.plivo.create(admission, &create).await;
        self.note_expected(&delivery.recipient, delivery.channel, &created);
        if let Ok(upstream_id) = &created {
            let country = delivery.recipient.country_code();
            self.metrics.send_accepted(country, delivery.channel);
            delivery.log(upstream_id);
        }
        created
    }
}

impl Delivery {
    fn call(&self) -> &'static str {
        if self.is_first { "create" } else { "resend" }
    }

    fn log(&self, upstream_id: &str) {
        let recipient = self.recipient.number.masked();
        let (recipient, channel) = (recipient.as_str(), self.channel.as_str());
        if self.is_first {
            log::info!(
                event = "otp.sent", recipient = recipient, channel = channel,
                upstream_id = upstream_id;
                "code sent"
            );
        } else {
            log::info!(
                event = "otp.resent", recipient = recipient, channel = channel,
                upstream_id = upstream_id;
                "code sent again"
            );
        }
    }
}

/// Logs a call that Plivo did not accept, without Plivo's text.
pub(super) fn log_upstream(step: &str, error: PlivoError) {
    // Logged once, where Plivo is called.
    if matches!(error, PlivoError::Refused { status: 401 }) {
        return;
    }
    log::warn!(event = "upstream.failed", step = step; "Plivo: {error}");
}
