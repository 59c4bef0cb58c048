//! Callbacks: the attempts that they report, and the sends that they adopt.

use std::time::Duration;

use countersign_core::{
    Answer, AttemptUpdate, UpstreamAttempt, keys,
    transitions::{CallbackOutcome, CallbackRecipient, RecordCallback},
};
use countersign_shared::session::{AttemptReason, AttemptStatus};

use super::{Deliveries, LIFETIME, Reserved, name, steps::destination};
use crate::{
    border,
    history::accounts::{Delivery, State},
};

/// How long a nonce is remembered.
const NONCE_FOR: u64 = 3_600_000;

/// What Plivo reports of one attempt.
#[derive(Clone)]
pub(super) struct Callback {
    pub(super) nonce: String,
    pub(super) plivo: usize,
    pub(super) index: usize,
    pub(super) status: AttemptStatus,
}

impl Deliveries<'_> {
    pub(super) fn call_back(&mut self) {
        if self.callbacks.is_empty() {
            return;
        }
        let index = self.random.index(self.callbacks.len());
        let callback = if self.random.percent(30) {
            // It comes again.
            self.callbacks[index].clone()
        } else {
            self.callbacks.swap_remove(index)
        };
        let (plivo, now) = (callback.plivo, self.now());
        let (number, channels) = self.plivo[plivo].clone();
        // Sometimes it seems to be about another number.
        let number = if self.random.percent(4) {
            1 - number
        } else {
            number
        };
        let is_undelivered = callback.status == AttemptStatus::Undelivered;
        let reasons = [
            None,
            Some(AttemptReason::Unreachable),
            Some(AttemptReason::CountryBarred),
        ];
        let update = AttemptUpdate {
            index: callback.index,
            attempt: UpstreamAttempt {
                channel: channels[callback.index],
                status: callback.status,
                reason: reasons[self.random.index(3)].filter(|_| is_undelivered),
            },
        };
        let told = self.service.run(&RecordCallback {
            nonce: keys::single_use(&callback.nonce),
            kept_for: Duration::from_millis(NONCE_FOR),
            upstream: border::upstream(&name(plivo)),
            recipient: Some(CallbackRecipient {
                number: border::number_key(number),
                destination: destination(),
            }),
            update,
            rules: self.rules.clone(),
        });
        let expected = if self.nonces.contains_key(&callback.nonce) {
            CallbackOutcome::Repeated
        } else {
            self.nonces.insert(callback.nonce.clone(), now + NONCE_FOR);
            self.reported(plivo, number, &update)
        };
        self.known.retain(|_, it| it.until > now);
        self.require(told == expected, || {
            format!("{update:?} of {plivo} at {now} is {told:?}, and not {expected:?}")
        });
    }

    fn reported(&mut self, plivo: usize, number: usize, update: &AttemptUpdate) -> CallbackOutcome {
        let now = self.now();
        let known = self.known(plivo);
        if known.number.is_some_and(|it| it != number) {
            return CallbackOutcome::OtherRecipient;
        }
        // While its code is valid, every send to the number is part of it; after that,
        // one that nobody knows of.
        let is_young = known.began_at + LIFETIME > now;
        let may_hold = !known.is_used && (is_young || update.index >= known.recorded);
        let first = known.recorded.min(update.index);
        known.recorded = known.recorded.max(update.index + 1);
        let mut has_adopted = false;
        for send in self.reserved[number].clone() {
            let is_adopted =
                may_hold && send.channel == update.attempt.channel && self.adopt(&send, plivo, now);
            if is_adopted {
                has_adopted = true;
                let known = self.known(plivo);
                known.asked_by(&send.request, first);
                known.number = Some(number);
            }
        }
        let known = self.saved(plivo);
        let has_advanced = known.report(update);
        known.polled_at = 0;
        let change = known.change(update);
        CallbackOutcome::Recorded {
            changes: has_advanced.then(|| change.clone()).into_iter().collect(),
            told: change,
            has_adopted,
        }
    }

    /// A send becomes a delivery of its session, unless it is one or that is over.
    fn adopt(&mut self, send: &Reserved, plivo: usize, now: u64) -> bool {
        let session = &mut self.sessions[send.session];
        let mut deliveries = session.deliveries.iter();
        let is_there = deliveries.any(|it| (it.channel, it.at) == (send.channel, send.at));
        if is_there || session.is_unknown || session.is_gone || session.ends_at <= now {
            return false;
        }
        if session.state == State::Reserved {
            session.state = State::Pending;
        }
        session.plivo = name(plivo);
        session.deliveries.push(Delivery {
            at: send.at,
            channel: send.channel,
            expected: None,
        });
        let answer = session.sent(send.channel, send.next_at, now);
        if let Some(keyed) = &send.keyed {
            self.claims.adopt(keyed, Answer::Sent(answer));
        }
        true
    }
}
