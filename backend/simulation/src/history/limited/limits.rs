//! The limits of a send, as the service makes them.

use countersign_core::{Destination, Limit, Route, SendKeys, SendLimits, keys};
use countersign_shared::Channel;

use super::Limited;
use crate::{
    border,
    history::quotas::{PLACES, mark},
};

impl Limited<'_> {
    pub(super) fn limits_of(&self, number: usize, caller: usize, channel: Channel) -> SendLimits {
        let (quotas, (range, country)) = (&self.quotas, PLACES[number]);
        let keys = SendKeys {
            number: border::number_key(number),
            range: keys::limit(Limit::SendsPerRange, range),
            country: keys::limit(Limit::SendsPerCountry, country),
            known_country: keys::limit(Limit::KnownPerCountry, country),
            total: keys::limit(Limit::SendsTotal, "all"),
            end_user: quotas.end_users[caller].clone(),
            number_mark: mark(number),
        };
        let mut checks = quotas.limits.of_send(&keys, channel);
        let row = keys::limit(Limit::Budget, "all");
        checks.extend(quotas.budget.of_send(&row, country, channel));
        let rows = border::application_keys(caller);
        let prices = Some(&quotas.budget.prices);
        checks.extend(quotas.applications[caller].of_send(&rows, prices, (country, channel)));
        let name = |kind: &str, it: &str| keys::conversion(&format!("{kind} {it}"));
        SendLimits {
            known_reserve: quotas.limits.known_reserve(&keys),
            number: keys.number,
            checks,
            destination: Destination {
                country: name("country", country),
                range: name("range", range),
                known: name("known", country),
            },
            route: Route {
                country: country.to_owned(),
                channel,
            },
            is_allowed: self.allows && number == 0,
        }
    }
}
