//! Attempts of Plivo's: their statuses, and the requests behind them.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::{DeliveryChange, Millis, UpstreamAttempt, flow::DeliverEnd};
use countersign_shared::{Channel, session::AttemptStatus};

use crate::{
    checker::Checker,
    request::{Kind, Request},
    step_outcomes::rank,
    world::World,
};

#[derive(Default)]
pub(crate) struct Attempts {
    /// The highest status of each attempt that was recorded.
    highest: BTreeMap<(String, usize), u8>,
    /// Attempts of each of Plivo's sessions that polls told were sent.
    sent: BTreeMap<String, usize>,
    /// The attempts that each poll is about.
    polled: BTreeMap<u64, usize>,
    /// The request behind each attempt.
    by: BTreeMap<(usize, usize), u64>,
    requests: BTreeMap<usize, OfNumber>,
}

/// The sends to a number.
#[derive(Default)]
struct OfNumber {
    under_way: BTreeSet<u64>,
    /// The channel of those whose answer was lost.
    lost: Option<Channel>,
    /// Whether two were in progress at once, or it is unclear what became of one.
    is_unclear: bool,
}

impl Attempts {
    pub(crate) fn begun(&mut self, request: u64, number: usize) {
        let it = self.requests.entry(number).or_default();
        it.is_unclear |= !it.under_way.is_empty();
        it.under_way.insert(request);
    }

    /// A request was made to Plivo, which answers with that attempt.
    pub(crate) fn made(&mut self, request: u64, plivo: usize, index: usize) {
        self.by.insert((plivo, index), request);
    }

    /// What happened to that request cannot be known.
    pub(crate) fn lost(&mut self, number: usize) {
        self.requests.entry(number).or_default().is_unclear = true;
    }

    /// A poll about that many attempts is recorded.
    pub(crate) fn polls(&mut self, request: u64, all: usize) {
        self.polled.insert(request, all);
    }

    /// A send or resend has ended.
    pub(crate) fn ended(&mut self, request: &Request, end: &DeliverEnd) {
        let Some(asked) = &request.asked else { return };
        let it = self.requests.entry(asked.number).or_default();
        it.under_way.remove(&request.id);
        let (Kind::Send(channel) | Kind::Resend(channel)) = asked.kind else {
            return;
        };
        let is_made = self.by.values().any(|by| *by == request.id);
        it.is_unclear |= match end {
            DeliverEnd::Sent { .. } => it.lost.is_some(),
            DeliverEnd::Wait(_) | DeliverEnd::Repeated(_) => false,
            DeliverEnd::Over(_) => request.has_left,
            DeliverEnd::Failed(_) => {
                let before = it.lost.replace(channel);
                !is_made || before.is_some_and(|before| before != channel)
            }
            DeliverEnd::NotReserved | DeliverEnd::Unsettled => true,
        };
    }

    /// The status of each attempt, as far as it is known.
    pub(crate) fn are(&self, plivo: &str, told: &[UpstreamAttempt]) -> bool {
        let known = self.highest.iter().filter(|((of, _), _)| of == plivo);
        let known: Vec<(usize, u8)> = known.map(|((_, index), rank)| (*index, *rank)).collect();
        let told = |index: usize| told.get(index).map(|it| rank(it.status));
        known
            .iter()
            .all(|(index, rank)| told(*index) == Some(*rank))
    }
}

impl World {
    /// In a quiet moment: every status is known that was told.
    pub(crate) fn check_the_attempts(&mut self) {
        if self.elapsed >= self.settings.rules.session_lifetime {
            return;
        }
        for index in 0..self.plivo.sessions.len() {
            let plivo = format!("plivo{index}");
            let told = self.read(&self.turn(&plivo)).attempts;
            let is_right = self.checker.attempts.are(&plivo, &told) && self.are_told(index);
            self.checker
                .require(is_right, || format!("{plivo} has the attempts {told:?}"));
        }
    }
}

impl World {
    /// Whether each arrival and failure was told to somebody.
    fn are_told(&self, plivo: usize) -> bool {
        let attempts = &self.plivo.sessions[plivo].attempts;
        (0..attempts.len()).all(|index| {
            let key = (format!("plivo{plivo}"), index);
            let highest = self.checker.attempts.highest.get(&key).copied();
            let told = self.checker.ranks.get(&(plivo, index));
            highest.is_none_or(|rank| rank < 2 || told.is_some_and(|told| told.contains(&rank)))
        })
    }
}

impl Checker {
    /// A callback about an attempt was recorded.
    pub(crate) fn attempt_told(
        &mut self,
        request: u64,
        (plivo, index): (usize, usize),
        status: AttemptStatus,
        report: &DeliveryChange,
    ) {
        let key = (format!("plivo{plivo}"), index);
        let highest = self.attempts.highest.entry(key).or_default();
        *highest = rank(status).max(*highest);
        let by = self.attempts.by.get(&(plivo, index)).copied();
        let number = by.and_then(|by| self.calls.get(&by)).map(|it| it.number);
        let is_last = !self.attempts.by.contains_key(&(plivo, index + 1));
        let is_clear = number.is_some_and(|number| {
            let it = self.attempts.requests.get(&number);
            // A code that was used is no longer adopted.
            let is_used = self.verified_at.contains_key(&number);
            let is_clear = it.is_some_and(|it| !it.is_unclear && !is_used);
            is_clear && !self.operator.has_freed(number) && self.sends.of_number(number) <= 8
        });
        let is_clear = is_clear && !self.was_set && !self.has_lied && self.in_doubt == 0;
        // A callback about an earlier session of Plivo's may adopt the next one's first send.
        let of_number = |by: &u64| self.calls.get(by).map(|it| it.number) == number;
        let mut made = self.attempts.by.iter();
        let is_only = made.all(|((of, _), by)| *of == plivo || !of_number(by));
        // A late callback adopts nothing.
        let sent_at = by.and_then(|by| self.reserved_at(by)).map(Millis);
        let ends = sent_at.map(|at| at.after(self.rules.session_lifetime).0);
        let is_in_time = ends > Some(self.turns.recorded_by(request));
        let is_clear = is_clear && is_only && is_in_time;
        // Which request made an attempt may not be known, but must not be wrong.
        let is_known = by.map(|by| format!("request{by}")) == report.request_id;
        let is_right = is_known || report.request_id.is_none();
        self.require(is_right || !is_clear || !is_last, || {
            format!("{by:?} has made attempt {index} of plivo{plivo}, and {report:?}")
        });
    }

    /// Plivo was polled: it has sent all attempts.
    pub(crate) fn attempts_polled(&mut self, request: u64, plivo: &str, changes: usize) {
        let all = self.attempts.polled.get(&request).copied();
        let all = all.unwrap_or_default();
        for index in 0..all {
            let highest = self.attempts.highest.entry((plivo.to_owned(), index));
            let highest = highest.or_default();
            *highest = (*highest).max(1);
        }
        let sent = self.attempts.sent.entry(plivo.to_owned()).or_default();
        *sent += changes;
        let (sent, is_right) = (*sent, *sent <= all || self.was_set);
        self.require(is_right, || format!("{sent} attempts of {all} were sent"));
    }
}
