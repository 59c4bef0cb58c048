//! Evaluation of a send or resend against the number's resend backoff, the limits, and
//! the conversion of its destination.

mod judge;

use countersign_shared::Channel;

use super::{
    counters::{Counters, Loaded, TakenLimit},
    reservation::SendReservation,
};
use crate::{
    Destination, IdempotencyClaim, Key, Limit, LimitCheck, LowConversion, Millis, Rows,
    SessionRules, Unreadable, Use, Wait,
    conversion::ConversionRow,
    keys,
    known_number::{self, KnownRow},
    number::ReservedSend,
    stops::{Route, STOPPED_RETRY, StopsRow},
};

/// Everything that limits a send or a resend.
#[derive(Clone, Debug)]
pub struct SendLimits {
    /// The number's row.
    pub number: Key,
    /// The limits that it uses.
    pub checks: Vec<LimitCheck>,
    /// The reserve that a known number uses once its country's limit is full.
    pub known_reserve: Option<LimitCheck>,
    /// The rows of its destination.
    pub destination: Destination,
    /// Its country and channel, which stops refer to.
    pub route: Route,
    /// Whether the operator allows the number, which then counts as known.
    pub is_allowed: bool,
}

impl SendLimits {
    /// The rows that its evaluation reads.
    pub(crate) fn keys(&self, rules: &SessionRules) -> Vec<Key> {
        let mut keys = vec![self.number.clone(), keys::stops()];
        keys.extend(known_number::key(&self.number, rules));
        keys.extend(Counters::keys(self.all(rules)));
        keys.extend(destination_keys(&self.destination, rules));
        keys
    }
}

impl SendLimits {
    /// Every limit that may apply, whether the number is known or not.
    fn all(&self, rules: &SessionRules) -> impl Iterator<Item = &LimitCheck> {
        let may_be_known = rules.known_numbers_for.is_some() || self.is_allowed;
        let reserve = self.known_reserve.iter().filter(move |_| may_be_known);
        self.checks.iter().chain(reserve)
    }
}

/// The rows of a destination's conversion, if that is counted.
pub(crate) fn destination_keys(
    destination: &Destination,
    rules: &SessionRules,
) -> impl Iterator<Item = Key> {
    let is_counted = rules.conversion.is_some();
    let parts = destination.parts().map(|(_, key)| key.clone());
    // Also where no number is remembered: one that the operator allows counts as known.
    let known = [destination.known.clone()];
    parts.into_iter().chain(known).filter(move |_| is_counted)
}

/// The requested send or resend.
pub(crate) struct Asked<'a> {
    /// The session's row.
    pub(crate) session: &'a Key,
    pub(crate) channel: Channel,
    pub(crate) claim: Option<IdempotencyClaim>,
    pub(crate) request_id: String,
}

/// The result of evaluating a send.
pub(crate) struct Evaluation<'a> {
    rules: &'a SessionRules,
    limits: &'a SendLimits,
    now: Millis,
    counters: Counters<'a>,
    /// The row that marks the number as known, if any.
    known: Option<KnownRow>,
    /// Whether known numbers of its country are exempt at present.
    is_spared: bool,
    conversion: Vec<Loaded<ConversionRow>>,
    low_conversion: Vec<LowConversion>,
    /// The longest of all the waits.
    wait: Option<Wait>,
}

impl<'a> Evaluation<'a> {
    /// Evaluates everything. `at_once` skips the resend backoff.
    pub(crate) fn of(
        rows: &Rows<'_>,
        rules: &'a SessionRules,
        limits: &'a SendLimits,
        at_once: bool,
    ) -> Result<Self, Unreadable> {
        let mut evaluation = Self {
            rules,
            limits,
            now: rows.now(),
            counters: Counters::load(rows, rules, Some(&limits.number), limits.all(rules))?,
            known: KnownRow::load(rows, &limits.number, rules)?,
            is_spared: true,
            conversion: Vec::new(),
            low_conversion: Vec::new(),
            wait: None,
        };
        let stops = rows.get::<StopsRow>(&keys::stops())?.unwrap_or_default();
        if stops.hold(&limits.route) {
            let left = u64::try_from(STOPPED_RETRY.as_millis()).unwrap_or(u64::MAX);
            evaluation.must_wait(left, Some(Limit::Stopped));
        }
        if !at_once {
            let number = evaluation.counters.number();
            let next_at = number.map(|number| number.backoff.next_at(rules));
            let left = next_at.unwrap_or_default().0.saturating_sub(rows.now().0);
            evaluation.must_wait(left, None);
        }
        evaluation.judge_known(rows)?;
        for check in evaluation.checks() {
            let wait = evaluation.counters.wait(check);
            evaluation.must_wait(wait, Some(check.limit));
        }
        if !evaluation.is_known() {
            evaluation.judge_destination(rows)?;
        }
        Ok(evaluation)
    }

    fn is_known(&self) -> bool {
        let is_known = || self.known.as_ref().is_some_and(KnownRow::is_known);
        self.limits.is_allowed || (self.is_spared && is_known())
    }

    /// The limits on the next send. A known number is exempt from its range's limit, and
    /// has a reserve if its country's is full.
    fn checks(&mut self) -> Vec<&'a LimitCheck> {
        let limits = self.limits;
        if !self.is_known() {
            return limits.checks.iter().collect();
        }
        let mut checks = Vec::with_capacity(limits.checks.len());
        for check in &limits.checks {
            match (check.limit, &limits.known_reserve) {
                (Limit::SendsPerRange, _) => {}
                (Limit::SendsPerCountry, Some(reserve)) => {
                    let is_full = self.counters.wait(check) > 0;
                    let is_reserved = is_full && self.has_reserve(check, reserve);
                    checks.push(if is_reserved { reserve } else { check });
                }
                _ => checks.push(check),
            }
        }
        checks
    }

    /// Whether the reserve lets the send pass earlier.
    fn has_reserve(&mut self, check: &LimitCheck, reserve: &LimitCheck) -> bool {
        self.counters.wait(reserve) < self.counters.wait(check)
    }

    fn must_wait(&mut self, milliseconds: u64, limit: Option<Limit>) {
        if milliseconds == 0 {
            return;
        }
        let next = Wait::of(milliseconds, limit);
        let longest = self.wait.as_ref();
        if longest.is_none_or(|known| known.retry_after < next.retry_after) {
            self.wait = Some(next);
        }
    }

    /// The longest of all the waits, if any.
    pub(crate) fn wait(&self) -> Option<Wait> {
        self.wait.clone().map(|wait| Wait {
            low_conversion: self.low_conversion.clone(),
            ..wait
        })
    }

    /// Refuses the send. Nothing is counted; all that is stored is that a breaker tripped
    /// or recovered, or that the clock was set back.
    pub(crate) fn refuse(self, rows: &mut Rows<'_>) {
        self.save(rows);
    }

    /// Counts the send everywhere.
    pub(crate) fn reserve(mut self, rows: &mut Rows<'_>, asked: Asked<'_>) -> SendReservation {
        let Asked {
            session,
            channel,
            claim,
            request_id,
        } = asked;
        let (now, mut next_at) = (self.now, self.now);
        let (mut taken, mut expected) = (Vec::new(), 0);
        let (mut budget_used, mut application_budget_used) = (Vec::new(), Vec::new());
        let is_known = self.is_known();
        for check in self.checks() {
            taken.push(self.counters.take(check));
            // There may be either budget without the other one.
            let used = match check.limit {
                Limit::Budget => &mut budget_used,
                Limit::ApplicationBudget => &mut application_budget_used,
                _ => continue,
            };
            *used = self.counters.used(check);
            if let Use::Amount(price) = check.used {
                expected = price;
            }
        }
        if let Some(known) = self.known.as_mut().filter(|_| is_known) {
            known.sent();
        }
        // Evaluated again, since the number may no longer count as known.
        for check in self.checks() {
            let wait = self.counters.wait(check);
            next_at = next_at.max(Millis(now.0.saturating_add(wait)));
        }
        let number = self.counters.edit_number().expect("a send has a number");
        let backoff_before = number.backoff;
        number.backoff = backoff_before.after_send(now);
        next_at = next_at.max(number.backoff.next_at(self.rules));
        let reserved = ReservedSend {
            session: session.clone(),
            channel,
            at: now,
            expected,
            is_known,
            next_at,
            claim: claim.as_ref().map(|claim| claim.key.clone()),
            request_id: request_id.clone(),
        };
        number.reserve(reserved, self.rules, now);
        let low_conversion = self.low_conversion.clone();
        let limits = self.limits;
        if let (true, Some(known), Some(kept_for)) =
            (is_known, &self.known, self.rules.known_numbers_for)
        {
            known.save(rows, &limits.number, kept_for);
        }
        self.save(rows);
        SendReservation {
            session: session.clone(),
            number: limits.number.clone(),
            page: None,
            destination: limits.destination.clone(),
            channel,
            reserved_at: now,
            expected,
            taken,
            is_known,
            backoff_before,
            next_at,
            claim,
            request_id,
            low_conversion,
            budget_used,
            application_budget_used,
        }
    }

    fn save(self, rows: &mut Rows<'_>) {
        self.counters.save(rows);
        if let Some(rule) = &self.rules.conversion {
            for loaded in &self.conversion {
                loaded.save(rows, loaded.row.ends_at(rule));
            }
        }
    }
}

/// Refunds what a send or resend used, as if it had not been counted.
pub(crate) fn release(
    rows: &mut Rows<'_>,
    rules: &SessionRules,
    reservation: &SendReservation,
) -> Result<(), Unreadable> {
    let checks = checks_of(&reservation.taken);
    let mut counters = Counters::load(rows, rules, Some(&reservation.number), checks)?;
    for taken in &reservation.taken {
        counters.release(taken);
    }
    let (session, at) = (&reservation.session, reservation.reserved_at);
    let number = counters.edit_number().expect("a send has a number");
    number.unreserve(session, at);
    // A later send keeps its own wait.
    let is_last = number.backoff == reservation.backoff_before.after_send(at);
    if is_last && number.is_same_since(at) {
        number.backoff = reservation.backoff_before;
    }
    counters.save(rows);
    if reservation.is_known
        && let Some(kept_for) = rules.known_numbers_for
        && let Some(mut known) = KnownRow::load(rows, &reservation.number, rules)?
    {
        known.unsent(at);
        known.save(rows, &reservation.number, kept_for);
    }
    Ok(())
}

/// The checks of what was counted.
pub(crate) fn checks_of(taken: &[TakenLimit]) -> impl Iterator<Item = &LimitCheck> {
    taken.iter().map(|taken| &taken.check)
}

/// Applies `count` to the conversion rows of a destination: those of known numbers, or
/// those of unknown ones.
pub(crate) fn count_conversion(
    rows: &mut Rows<'_>,
    rules: &SessionRules,
    destination: &Destination,
    is_known: bool,
    count: impl Fn(&mut ConversionRow, &crate::ConversionRule, Limit),
) -> Result<(), Unreadable> {
    let Some(rule) = &rules.conversion else {
        return Ok(());
    };
    for (limit, key) in destination.counted(is_known) {
        let mut loaded = Loaded::<ConversionRow>::load(rows, key)?;
        loaded.row.clamp(rows.now());
        loaded.is_changed = true;
        count(&mut loaded.row, rule, limit);
        loaded.save(rows, loaded.row.ends_at(rule));
    }
    Ok(())
}
