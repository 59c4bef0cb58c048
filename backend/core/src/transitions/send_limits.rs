//! What a send or resend is held against: the number's resend backoff, the limits,
//! and the conversion of where it goes.

use countersign_shared::Channel;

use super::{
    counters::{Counters, Loaded, TakenLimit},
    reservation::SendReservation,
};
use crate::{
    Destination, IdempotencyClaim, Key, Limit, LimitCheck, LowConversion, Millis, Rows,
    SessionRules, Unreadable, Use, Wait,
    conversion::{ConversionDecision, ConversionRow},
    number::ReservedSend,
};

/// What a send is held against, first or again.
#[derive(Clone, Debug)]
pub struct SendLimits {
    /// The number's row.
    pub number: Key,
    /// What it uses.
    pub checks: Vec<LimitCheck>,
    /// Where it goes.
    pub destination: Destination,
}

impl SendLimits {
    /// The rows it is held against.
    pub(crate) fn keys(&self, rules: &SessionRules) -> Vec<Key> {
        let mut keys = vec![self.number.clone()];
        keys.extend(Counters::keys(&self.checks));
        keys.extend(destination_keys(&self.destination, rules));
        keys
    }
}

/// The rows of a destination's conversion, where that is counted.
pub(crate) fn destination_keys(
    destination: &Destination,
    rules: &SessionRules,
) -> impl Iterator<Item = Key> {
    let is_counted = rules.conversion.is_some();
    let parts = destination.parts().map(|(_, key)| key.clone());
    parts.into_iter().filter(move |_| is_counted)
}

/// The send or resend that is asked for.
pub(crate) struct Asked<'a> {
    /// The session's row.
    pub(crate) session: &'a Key,
    pub(crate) channel: Channel,
    pub(crate) claim: Option<IdempotencyClaim>,
    pub(crate) request_id: String,
}

/// How a send stands with everything it is held against.
pub(crate) struct Evaluation<'a> {
    rules: &'a SessionRules,
    limits: &'a SendLimits,
    now: Millis,
    counters: Counters<'a>,
    conversion: Vec<Loaded<ConversionRow>>,
    low_conversion: Vec<LowConversion>,
    /// The longest of all the waits.
    wait: Option<Wait>,
}

impl<'a> Evaluation<'a> {
    /// Looks at everything. `at_once` waits for no resend backoff.
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
            counters: Counters::load(rows, rules, Some(&limits.number), &limits.checks)?,
            conversion: Vec::new(),
            low_conversion: Vec::new(),
            wait: None,
        };
        if !at_once {
            let number = evaluation.counters.number();
            let next_at = number.map(|number| number.backoff.next_at(rules));
            let left = next_at.unwrap_or_default().0.saturating_sub(rows.now().0);
            evaluation.must_wait(left, None);
        }
        for check in &limits.checks {
            let wait = evaluation.counters.wait(check);
            evaluation.must_wait(wait, Some(check.limit));
        }
        evaluation.look_at_conversion(rows)?;
        Ok(evaluation)
    }

    fn look_at_conversion(&mut self, rows: &Rows<'_>) -> Result<(), Unreadable> {
        let Some(rule) = &self.rules.conversion else {
            return Ok(());
        };
        for (limit, key) in self.limits.destination.parts() {
            let mut loaded = Loaded::<ConversionRow>::load(rows, key)?;
            loaded.is_changed = loaded.row.clamp(self.now);
            let (until, tripped_by) = match loaded.row.decide(rule, self.now) {
                ConversionDecision::Pass => (None, None),
                ConversionDecision::Tripped(until) => (Some(until), None),
                ConversionDecision::Trip(rate) => {
                    // Whatever becomes of this send.
                    loaded.row.trip(self.now);
                    loaded.is_changed = true;
                    (Some(self.now.after(rule.cooldown)), Some(rate))
                }
            };
            if let Some(until) = until {
                self.low_conversion.push(LowConversion {
                    limit,
                    row: key.clone(),
                    tripped_by,
                });
                if rule.enforced {
                    self.must_wait(until.0.saturating_sub(self.now.0), Some(limit));
                }
            }
            self.conversion.push(loaded);
        }
        Ok(())
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

    /// Refuses the send. Nothing of it is counted; what is stored is only that a
    /// breaker tripped, or that the clock was set back.
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
        let (mut taken, mut budget_used, mut expected) = (Vec::new(), Vec::new(), 0);
        for check in &self.limits.checks {
            taken.push(self.counters.take(check));
            let wait = self.counters.wait(check);
            next_at = next_at.max(Millis(now.0.saturating_add(wait)));
            if let (Limit::Budget, Use::Amount(amount)) = (check.limit, check.used) {
                expected = amount;
                budget_used = self.counters.used(check);
            }
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
            next_at,
            claim: claim.as_ref().map(|claim| claim.key.clone()),
            request_id: request_id.clone(),
        };
        number.reserve(reserved, self.rules, now);
        let low_conversion = self.low_conversion.clone();
        let limits = self.limits;
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
            backoff_before,
            next_at,
            claim,
            request_id,
            low_conversion,
            budget_used,
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

/// Gives back what a send or resend took, as if it had not been.
pub(crate) fn release(
    rows: &mut Rows<'_>,
    rules: &SessionRules,
    reservation: &SendReservation,
) -> Result<(), Unreadable> {
    let checks: Vec<LimitCheck> = checks_of(&reservation.taken);
    let mut counters = Counters::load(rows, rules, Some(&reservation.number), &checks)?;
    for taken in &reservation.taken {
        counters.give_back(taken);
    }
    let (session, at) = (&reservation.session, reservation.reserved_at);
    let number = counters.edit_number().expect("a send has a number");
    number.unreserve(session, at);
    // A send that came after keeps its own wait.
    if number.backoff == reservation.backoff_before.after_send(at) {
        number.backoff = reservation.backoff_before;
    }
    counters.save(rows);
    Ok(())
}

/// The checks of what was taken.
pub(crate) fn checks_of(taken: &[TakenLimit]) -> Vec<LimitCheck> {
    taken.iter().map(|taken| taken.check.clone()).collect()
}

/// Codes went there at these moments, or were given back.
pub(crate) fn count_conversion(
    rows: &mut Rows<'_>,
    rules: &SessionRules,
    destination: &Destination,
    count: impl Fn(&mut ConversionRow, &crate::ConversionRule),
) -> Result<(), Unreadable> {
    let Some(rule) = &rules.conversion else {
        return Ok(());
    };
    for (_, key) in destination.parts() {
        let mut loaded = Loaded::<ConversionRow>::load(rows, key)?;
        loaded.row.clamp(rows.now());
        loaded.is_changed = true;
        count(&mut loaded.row, rule);
        loaded.save(rows, loaded.row.ends_at(rule));
    }
    Ok(())
}
