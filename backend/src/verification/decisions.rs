//! Records decisions about sends and resends in the store.
//!
//! Decisions are queued for a second and appended together, so that they cost a send next
//! to nothing; equal ones are counted. A killed process loses its queue.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use countersign_core::{
    ApplicationId, CountryCode, Millis, RefusalRule,
    decisions::{Decision, MAX_PER_ROW},
    recipient,
    transitions::AppendDecisions,
};
use countersign_shared::{Channel, PhoneNumber};
use ipnet::IpNet;

use super::{Caller, Refusal, Verification, store_deadline};

/// Maximum queue length; beyond it new decisions are only counted as lost.
const MAX_WAITING: usize = 4_096;

/// The queue: decisions with their first time and count.
pub(super) struct DecisionLog {
    kept_for: Option<Duration>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    decisions: HashMap<Decision, (Millis, u32)>,
    lost: u64,
}

impl DecisionLog {
    pub(super) fn new(kept_for: Option<Duration>) -> Self {
        Self {
            kept_for,
            waiting: Mutex::default(),
        }
    }

    fn note(&self, decision: Decision, at: Millis) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, times)) = waiting.decisions.get_mut(&decision) {
            *times = times.saturating_add(1);
        } else if waiting.decisions.len() < MAX_WAITING {
            waiting.decisions.insert(decision, (at, 1));
        } else {
            waiting.lost += 1;
        }
    }

    /// Drains the queue, oldest first; returns how many were lost, too.
    fn take(&self) -> (Vec<Decision>, u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = std::mem::take(&mut *waiting);
        let decisions = waiting.decisions.into_iter();
        let mut decisions: Vec<Decision> = decisions
            .map(|(decision, (at, times))| Decision {
                at,
                times,
                ..decision
            })
            .collect();
        decisions.sort_by_key(|decision| decision.at);
        (decisions, waiting.lost)
    }
}

impl Verification {
    /// Records a sent code.
    pub(super) fn note_sent(
        &self,
        person: Option<&Caller>,
        application: &ApplicationId,
        asked: (Option<&PhoneNumber>, Option<Channel>),
    ) {
        self.note_decision(person, application, asked, "sent");
    }

    /// Records a refused send or resend.
    pub(super) fn note_refused(
        &self,
        person: Option<&Caller>,
        application: &ApplicationId,
        asked: (Option<&PhoneNumber>, Option<Channel>),
        refusal: &Refusal,
    ) {
        if let Some(outcome) = outcome(refusal) {
            self.note_decision(person, application, asked, outcome);
        }
    }

    fn note_decision(
        &self,
        person: Option<&Caller>,
        application: &ApplicationId,
        (number, channel): (Option<&PhoneNumber>, Option<Channel>),
        outcome: &'static str,
    ) {
        if self.decision_log.kept_for.is_none() {
            return;
        }
        let country = number.map(|number| CountryCode::of_number(number).to_string());
        let address = person.map(|person| shortened(person.address()));
        let decision = Decision {
            at: Millis(0),
            outcome: outcome.to_owned(),
            application: application.as_str().to_owned(),
            country: country.unwrap_or_default(),
            channel: channel.map_or("", Channel::as_str).to_owned(),
            range: number.map(recipient::range).unwrap_or_default().to_owned(),
            recipient: number.map(PhoneNumber::masked).unwrap_or_default(),
            address: address.unwrap_or_default(),
            times: 0,
        };
        self.decision_log.note(decision, self.clock.now().into());
    }

    /// Stores the queued decisions.
    pub async fn keep_decisions(&self) {
        let Some(kept_for) = self.decision_log.kept_for else {
            return;
        };
        let (decisions, mut lost) = self.decision_log.take();
        for some in decisions.chunks(MAX_PER_ROW) {
            let step = AppendDecisions {
                decisions: some.to_vec(),
                kept_for,
            };
            if self.store.run(step, store_deadline()).await.is_err() {
                lost += some.len() as u64;
            }
        }
        if lost > 0 {
            log::warn!(event = "decisions.lost", count = lost; "some decisions were not kept");
        }
    }
}

/// The recorded word of a refusal; none if the request was only replayed, or nothing was
/// decided.
fn outcome(refusal: &Refusal) -> Option<&'static str> {
    Some(match refusal {
        Refusal::RateLimited { rule, .. } => RefusalRule::as_str(*rule),
        Refusal::RecipientInvalid => "recipient_invalid",
        Refusal::CountryNotAllowed => "country_not_allowed",
        Refusal::NumberTypeNotAllowed { .. } => "number_type_not_allowed",
        Refusal::ChannelNotAvailable => "channel_not_available",
        Refusal::UpstreamError | Refusal::UpstreamTimeout => "upstream_failed",
        Refusal::TemporarilyUnavailable { .. } | Refusal::Unsettled { .. } => "unavailable",
        Refusal::Over(_) => "session_over",
        Refusal::OtpLength { .. }
        | Refusal::OtpIncorrect { .. }
        | Refusal::RequestUnderWay
        | Refusal::IdempotencyKeyReused => return None,
    })
}

/// The truncated address: enough to see where an attack comes from, and not who.
fn shortened(address: IpAddr) -> String {
    let length = if address.is_ipv4() { 24 } else { 48 };
    let network = IpNet::new(address, length);
    network.map_or_else(|_| String::new(), |network| network.trunc().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_without_its_end() {
        for (address, shown) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ] {
            assert_eq!(shortened(address.parse().unwrap()), shown);
        }
    }

    #[test]
    fn equal_decisions_are_counted_and_too_many_are_lost() {
        let log = DecisionLog::new(Some(Duration::from_hours(1)));
        let decision = |range: usize| Decision {
            at: Millis(0),
            outcome: "sent".to_owned(),
            application: String::new(),
            country: String::new(),
            channel: String::new(),
            range: range.to_string(),
            recipient: String::new(),
            address: String::new(),
            times: 0,
        };
        for at in [7, 8, 9] {
            log.note(decision(0), Millis(at));
        }
        for range in 1..=MAX_WAITING {
            log.note(decision(range), Millis(100));
        }
        let (decisions, lost) = log.take();
        assert_eq!((decisions.len(), lost), (MAX_WAITING, 1));
        assert_eq!((decisions[0].at, decisions[0].times), (Millis(7), 3));
        assert_eq!(log.take(), (Vec::new(), 0));
    }
}
