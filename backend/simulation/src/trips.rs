//! The conversion breaker, computed from the deliveries of the sessions.

use std::collections::BTreeMap;

use countersign_core::{Limit, LowConversion, Millis, Session};
use countersign_shared::session::SessionStatus;

use crate::{checker::Checker, expected::Next, world::World};

/// Length of the buckets that sends are counted in, in milliseconds.
const BUCKET: u64 = 120_000;
/// A moment that is nearer to another one than that may be before or after it.
const UNCLEAR: u64 = 10_000;

/// When a breaker tripped last, and how often it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trip {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) times: u32,
}

/// What is known of a destination's conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conversion {
    Low,
    Enough,
    Unclear,
}

impl Checker {
    /// A request was told which breakers are open, and which of them it has tripped.
    pub(crate) fn trip(&mut self, low: &[LowConversion], now: Millis) {
        for it in low.iter().filter(|it| it.tripped_by.is_some()) {
            let trip = self.trips.entry(it.limit.as_str()).or_insert(Trip {
                from: 0,
                to: 0,
                times: 0,
            });
            // The step was committed a while ago at most.
            *trip = Trip {
                from: now.0.saturating_sub(2_000),
                to: now.0,
                times: trip.times + 1,
            };
        }
    }
}

impl World {
    /// All sessions that are there.
    pub(crate) fn seen(&self) -> Vec<Session> {
        let names = self.checker.sessions.names();
        names.iter().filter_map(|name| self.view(name)).collect()
    }

    /// Compares the breakers that a send finds open with what was sent and entered.
    pub(crate) fn check_conversion(
        &mut self,
        next: Next,
        is_known: bool,
        low: &[LowConversion],
        seen: &[Session],
    ) {
        let Some(rule) = self.settings.rules.conversion else {
            return;
        };
        if self.elapsed >= self.settings.rules.session_lifetime
            || self.checker.operator.has_forgotten_any()
            || self.checker.has_lied
            || self.checker.deliveries.has_withdrawn
        {
            return;
        }
        let country = rule.min_per_country.map_or(0, std::num::NonZeroU32::get);
        let range = rule.min_per_range.map_or(0, std::num::NonZeroU32::get);
        let of_known = self.conversion(seen, Limit::ConversionOfKnown, range, next.now);
        // An allowed number is exempt whatever its country's conversion.
        let is_allowed = self.checker.operator.allows(next.number);
        let was_known = next.is_known == Some(true) && !is_allowed;
        let mut expected = Vec::new();
        if was_known {
            expected.push((Limit::ConversionOfKnown, of_known));
        }
        if !is_known && next.is_known.is_some() {
            let limit = Limit::ConversionPerCountry;
            expected.push((limit, self.conversion(seen, limit, country, next.now)));
            let limit = Limit::ConversionPerRange;
            expected.push((limit, self.conversion(seen, limit, range, next.now)));
        }
        for (limit, conversion) in expected {
            let is_low = low.iter().any(|it| it.limit == limit);
            let is_right = match conversion {
                Conversion::Low => is_low,
                Conversion::Enough => !is_low,
                Conversion::Unclear => true,
            };
            let trips = self.checker.trips.clone();
            self.checker.require(is_right, || {
                format!(
                    "{limit:?} is {conversion:?} at {}: {low:?} {trips:?}",
                    next.now
                )
            });
        }
        if was_known && rule.enforced && of_known == Conversion::Low {
            self.checker.require(!is_known, || {
                format!("{} is exempt, with a low conversion", next.number)
            });
        }
    }

    /// Whether a breaker is open, or trips now.
    fn conversion(&self, seen: &[Session], limit: Limit, min: u32, now: u64) -> Conversion {
        let Some(rule) = self.settings.rules.conversion else {
            return Conversion::Enough;
        };
        let trip = self.checker.trips.get(limit.as_str());
        let cooldown = |times: u32| rule.cooldown * 2_u32.pow(times - 1);
        let mut begins = (0, 0);
        if let Some(Trip { from, to, times }) = trip.copied() {
            let ends = [from, to].map(|at| Millis(at).after(cooldown(times)).0);
            if now < ends[0] {
                return Conversion::Low;
            }
            if now <= ends[1] || times > 1 {
                return Conversion::Unclear;
            }
            begins = (ends[0], ends[1]);
        }
        // A range that has tripped no longer counts against its country.
        let range = self.checker.trips.get(Limit::ConversionPerRange.as_str());
        if let Some(range) = range.filter(|_| limit == Limit::ConversionPerCountry) {
            begins = (begins.0.max(range.from), begins.1.max(range.to));
        }
        let is_of_known = limit == Limit::ConversionOfKnown;
        let mut buckets: BTreeMap<u64, (u64, u64, u64)> = BTreeMap::new();
        let mut entered_at_least = 0;
        for session in seen {
            let deliveries = session.deliveries.iter();
            let mut of_kind = deliveries
                .filter(|it| it.is_known == is_of_known)
                .peekable();
            let is_entered = session.status == SessionStatus::Verified;
            entered_at_least += u64::from(is_entered && of_kind.peek().is_some());
            for delivery in of_kind {
                let at = delivery.requested_at.0;
                if at + UNCLEAR >= begins.0 && at <= begins.1 + UNCLEAR && begins.1 > 0 {
                    return Conversion::Unclear;
                }
                if at < begins.0 && !self.is_answered(session, at) {
                    // A callback may have adopted it later, and then it counts.
                    return Conversion::Unclear;
                }
                if at < begins.0 {
                    continue;
                }
                let bucket = buckets.entry(at / BUCKET).or_default();
                bucket.0 = bucket.0.max(at);
                bucket.1 += 1;
                bucket.2 += u64::from(is_entered);
            }
        }
        if begins.1 > 0 {
            // Codes from before it tripped may be entered after it.
            entered_at_least = 0;
        }
        let (mut sends, mut entered) = (0, 0);
        for (newest, sent, verified) in buckets.values().copied() {
            let is_old = Millis(newest).after(rule.grace).0 <= now;
            sends += if is_old { sent } else { verified };
            entered += verified;
        }
        let is_below = |entered: u64| {
            let expected = sends * u64::from(rule.floor);
            let missing = expected.saturating_sub(entered * 100);
            missing * missing > expected * (100 - u64::from(rule.floor))
        };
        let is_entered_clear = entered == entered_at_least || is_below(entered) == is_below(0);
        let (least, min) = (if trip.is_some() { min.div_ceil(2) } else { min }, min);
        if sends < u64::from(least) {
            Conversion::Enough
        } else if !is_entered_clear || sends < u64::from(min) {
            Conversion::Unclear
        } else if is_below(entered) {
            Conversion::Low
        } else {
            Conversion::Enough
        }
    }
}
