//! Deliveries of sessions, which must be the sends that were reserved, and their counts for
//! conversion.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::{Delivery, Session, flow::DeliverEnd, keys, transitions::ViewQueue};
use countersign_shared::{Channel, session::SessionStatus};

use crate::{
    border::number_key,
    request::{Asked, Request},
    settings::PRICE,
    usage::OneUse,
    world::World,
};

#[derive(Default)]
pub(crate) struct Deliveries {
    /// Codes that were sent to known numbers, and to others.
    sent: [u64; 2],
    /// Sends of each session that were recorded, each with the newest request at that time
    /// and whether it was to a known number.
    recorded: BTreeMap<String, Vec<(u64, bool)>>,
    /// Those of them that were entered.
    entered: [u64; 2],
    /// Sends whose answer came.
    answered: BTreeSet<u64>,
    /// Numbers and channels that callbacks have reported about.
    called_back: BTreeSet<(usize, Channel)>,
    /// Whether a send was released that a callback may have adopted: the breaker may then
    /// judge the others later.
    pub(crate) has_withdrawn: bool,
    /// Sends that Plivo refused.
    closed: BTreeSet<u64>,
    /// The status of the session of each send when its release began, and its deliveries.
    released: BTreeMap<u64, (SessionStatus, usize)>,
}

impl Deliveries {
    /// Plivo has refused a send to that number.
    pub(crate) fn closed(&mut self, request: u64, number: usize) {
        self.closed.insert(request);
        self.withdraws(number);
    }

    /// A send to that number is withdrawn.
    fn withdraws(&mut self, number: usize) {
        self.has_withdrawn |= self.called_back.iter().any(|it| it.0 == number);
    }

    /// A callback about a number's attempt begins.
    pub(crate) fn called_back(&mut self, number: usize, channel: Channel) {
        self.called_back.insert((number, channel));
    }

    /// A check has verified its session: the codes that were recorded before it began count
    /// as entered.
    pub(crate) fn entered(&mut self, check: u64, asked: &Asked) {
        let sends = self.recorded.get(&asked.session).into_iter().flatten();
        for (newest, is_known) in sends {
            self.entered[usize::from(*is_known)] += u64::from(*newest < check);
        }
    }

    /// Whether a send may be delivered: Plivo has answered it, or a callback on its channel
    /// has come.
    fn may_be_delivered(&self, send: &OneUse, channel: Channel) -> bool {
        self.answered.contains(&send.request) || self.called_back.contains(&(send.number, channel))
    }

    pub(crate) fn is_closed(&self, request: u64) -> bool {
        self.closed.contains(&request)
    }
}

impl World {
    /// In a quiet moment: each delivery is one of the sends.
    pub(crate) fn check_each_delivery(&mut self, seen: &[Session]) {
        for session in seen {
            for delivery in &session.deliveries {
                let is_it = |it: &OneUse| {
                    number_key(it.number) == session.number && it.at == delivery.requested_at.0
                };
                let sends = self.checker.sends.since(0, is_it);
                let deliveries = &self.checker.deliveries;
                let is_right = |it: &OneUse| {
                    let price = self.price_for(it.caller);
                    it.is_known == delivery.is_known
                        && it.is_call == (delivery.channel == Channel::Voice)
                        && delivery.expected.is_none_or(|it| it == price)
                        && deliveries.may_be_delivered(it, delivery.channel)
                };
                // One that was released may have been adopted and entered.
                let is_right = sends.is_empty() || sends.iter().any(is_right);
                self.checker
                    .require(is_right, || format!("{delivery:?} is none of {sends:?}"));
            }
        }
    }

    /// Whether the answer to the session's send at that moment came.
    pub(crate) fn is_answered(&self, session: &Session, at: u64) -> bool {
        let is_it = |it: &OneUse| number_key(it.number) == session.number && it.at == at;
        let sends = self.checker.sends.since(at.saturating_sub(1), is_it);
        let answered = &self.checker.deliveries.answered;
        sends.iter().any(|it| answered.contains(&it.request))
    }

    /// What a send of that caller is expected to cost.
    fn price_for(&self, caller: usize) -> u64 {
        let own = &self.settings.applications[caller].spend_caps;
        let is_counted = !self.settings.budget.caps.is_empty() || !own.is_empty();
        if is_counted { PRICE } else { 0 }
    }

    /// A send was recorded, or was sent although its session had ended: its charges are to
    /// be collected.
    pub(crate) fn check_what_was_recorded(&mut self, request: &Request, end: &DeliverEnd) {
        if request.created.is_none() || matches!(end, DeliverEnd::Unsettled) {
            return;
        }
        let charge = self.settings.charge(request.id);
        let queued = self.read(&ViewQueue {
            rows: vec![charge.row],
        });
        let is_queued = queued == [Some(charge.content)];
        let is_sent = matches!(end, DeliverEnd::Sent { .. } | DeliverEnd::Over(_));
        self.checker
            .require(is_queued == is_sent || self.checker.was_set, || {
                format!("{} is queued: {is_queued}, after {end:?}", request.id)
            });
        if is_sent {
            self.counts_for_conversion(request);
        }
    }

    fn counts_for_conversion(&mut self, request: &Request) {
        let of_it = |it: &OneUse| it.request == request.id;
        let sends = self.checker.sends.since(0, of_it);
        let Some((send, asked)) = sends.first().zip(request.asked.as_ref()) else {
            return;
        };
        let newest = self.checker.answers.newest_request;
        let deliveries = &mut self.checker.deliveries;
        deliveries.answered.insert(request.id);
        deliveries.sent[usize::from(send.is_known)] += 1;
        let recorded = deliveries.recorded.entry(asked.session.clone());
        recorded.or_default().push((newest, send.is_known));
    }

    /// At the end: every code that was sent counts for conversion.
    pub(crate) fn check_the_conversion(&mut self) {
        let has_tripped = self.checker.has_tripped || self.checker.has_lied;
        if self.settings.rules.conversion.is_none() || has_tripped || self.checker.was_set {
            return;
        }
        let Deliveries { sent, entered, .. } = self.checker.deliveries;
        let rows = self.store.rows();
        for (name, known) in [("known", 1), ("country", 0), ("range", 0)] {
            let row = rows.get(&keys::conversion(name));
            let counted = row.map_or([0, 0], |row| counted(&row.value));
            let least = [sent[known], entered[known]];
            let is_right = counted[0] >= least[0] && counted[1] >= least[1];
            self.checker.require(is_right, || {
                format!("{counted:?} codes count for {name}, and there were {least:?}")
            });
        }
    }

    /// The release of a send begins.
    pub(crate) fn release_begins(&mut self, request: &Request) {
        let Some(asked) = &request.asked else { return };
        self.checker.deliveries.withdraws(asked.number);
        if let Some(seen) = self.view(&asked.session) {
            let state = (seen.status, seen.deliveries.len());
            self.checker.deliveries.released.insert(request.id, state);
        }
    }

    /// A code that a callback adopted and that was tried to the end stays: it was sent.
    pub(crate) fn check_that_it_stays(&mut self, request: &Request, asked: &Asked) {
        let before = self.checker.deliveries.released.remove(&request.id);
        let is_forgotten = self.checker.operator.has_forgotten(asked.number);
        let before = before.filter(|_| !is_forgotten && !self.checker.was_set);
        let Some((status, deliveries)) = before else {
            return;
        };
        let seen = self.view(&asked.session);
        let at = self.checker.reserved_at(request.id);
        let is_it = |it: &Delivery| Some(it.requested_at.0) == at;
        let has_it = seen
            .as_ref()
            .is_some_and(|it| it.deliveries.iter().any(is_it));
        let is_untried = self
            .checker
            .sessions
            .checks_of(&asked.session)
            .next()
            .is_none();
        self.checker.require(!(has_it && is_untried), || {
            format!("{} was released and is delivered", request.id)
        });
        // A check that was released meanwhile may have opened it again.
        let is_open = seen.as_ref().is_some_and(|seen| seen.status != status);
        let left = seen.map_or(0, |seen| seen.deliveries.len());
        let is_right = status == SessionStatus::Pending || is_open || left >= deliveries;
        let (id, name) = (request.id, &asked.session);
        self.checker.require(is_right, || {
            format!("{id} was released from {name}, which is {status:?}")
        });
    }
}

/// The codes that a conversion row counts as sent, and as entered.
fn counted(value: &[u8]) -> [u64; 2] {
    let json: serde_json::Value = serde_json::from_slice(&value[1..]).expect("a row is JSON");
    let tiers = ["buckets", "hours", "days"].map(|tier| json[tier].as_array().cloned());
    let buckets: Vec<_> = tiers.into_iter().flatten().flatten().collect();
    [1, 2].map(|index| buckets.iter().filter_map(|it| it[index].as_u64()).sum())
}
