//! What a send is told of the breakers.

use countersign_core::{Limit, LowConversion};

use super::{COUNTRIES, Traffic, told};
use crate::history::breaker::Judged;

impl Traffic<'_> {
    /// What a send is told: the destinations with a low conversion, the wait, and whether
    /// its number is known.
    pub(super) fn expected(
        &mut self,
        range: usize,
        number: &str,
    ) -> (Vec<LowConversion>, Option<(u64, Limit)>, bool) {
        let (now, country) = (self.now(), COUNTRIES[range]);
        let is_enforced = self.rule.enforced;
        let mut low = Vec::new();
        let known = self.known.get(number);
        let mut is_known = known.is_some_and(|it| it.until > now && it.open < 2);
        if is_known {
            let limit = Limit::ConversionOfKnown;
            let breaker = self.breaker(limit, &format!("known {country}"));
            breaker.read_at(now);
            let usual = breaker.usual(now);
            let judged = breaker.judge(usual, now);
            is_known = judged == Judged::Enough || !is_enforced;
            low.extend(told(limit, judged));
        }
        let mut wait = None;
        if is_known {
            return (low, wait, is_known);
        }
        let places = [
            (Limit::ConversionPerCountry, country.to_owned()),
            (Limit::ConversionPerRange, format!("range {range}")),
        ];
        let of_country = self.breaker(Limit::ConversionPerCountry, country);
        of_country.read_at(now);
        let usual = of_country.usual(now);
        for (limit, name) in places {
            let breaker = self.breaker(limit, &name);
            breaker.read_at(now);
            let before = breaker.clone();
            let judged = breaker.judge(usual, now);
            let until = breaker.open_until(now).filter(|_| is_enforced);
            low.extend(told(limit, judged));
            if matches!(judged, Judged::Trips(_)) && limit == Limit::ConversionPerRange {
                let country = self.breaker(Limit::ConversionPerCountry, country);
                country.forget(&before);
            }
            if let Some(until) = until.filter(|it| wait.is_none_or(|(longest, _)| *it > longest)) {
                wait = Some((until, limit));
            }
        }
        (low, wait, is_known)
    }
}
