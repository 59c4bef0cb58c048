//! Money and conversion, which must match the sessions and Plivo's bill.

use std::collections::BTreeMap;

use countersign_core::{keys, transitions::LimitUsed};
use countersign_shared::session::SessionStatus;

use crate::{
    checker::Checker,
    settings::{CHARGE, PRICE, VALIDATION_CHARGE},
    world::World,
};

impl World {
    /// If no outcome is unknown, conversion and budget must match the sessions.
    pub(crate) fn check_the_books(&mut self) {
        let seen = self.seen();
        let deliveries = seen.iter().flat_map(|it| &it.deliveries);
        let settled = deliveries
            .clone()
            .filter(|it| it.expected.is_none())
            .count() as u64;
        let to_strangers = deliveries.filter(|it| !it.is_known).count() as u64;
        if let Some(caps) = self.settings.caps() {
            let step = LimitUsed {
                check: caps,
                rules: self.settings.rules.clone(),
            };
            let used = self.read(&step)[0];
            let validated: u64 = self.checker.charged.values().map(|it| it.1).sum();
            let reserved = PRICE * self.checker.sends.len() as u64;
            let charged: u64 = self.checker.charged.values().map(|it| it.0).sum();
            self.checker.require(settled * CHARGE <= charged, || {
                format!("{settled} deliveries are settled by {charged}")
            });
            let booked = |settled: u64| reserved - (PRICE - CHARGE) * settled + validated;
            // A delivery that a callback adopted may have been settled and then released.
            let most = if self.checker.released > 0 {
                charged / CHARGE
            } else {
                settled
            };
            let first = if self.checker.released > 0 {
                0
            } else {
                settled
            };
            let is_right = (first..=most).any(|settled| used == booked(settled));
            let booked = booked(settled);
            self.checker.require(is_right, || {
                format!("{used} of the budget is used, and {booked} should be ({VALIDATION_CHARGE} each)")
            });
        }
        let row = self.store.rows().remove(&keys::conversion("country"));
        let Some(row) = row else { return };
        let json: serde_json::Value =
            serde_json::from_slice(&row.value[1..]).expect("a row is JSON");
        if json.get("tripped_at").is_some() || self.checker.has_tripped {
            return;
        }
        let buckets = json["buckets"].as_array().cloned().unwrap_or_default();
        let sum = |index: usize| {
            buckets
                .iter()
                .filter_map(|it| it[index].as_u64())
                .sum::<u64>()
        };
        let verified = seen
            .iter()
            .filter(|it| it.status == SessionStatus::Verified);
        let entered = verified.flat_map(|it| &it.deliveries);
        let entered = entered.filter(|it| !it.is_known).count() as u64;
        let is_counted = sum(1) == to_strangers && sum(2) <= entered;
        self.checker.require(is_counted, || {
            format!("conversion counts {json}, and {to_strangers} were sent, {entered} entered")
        });
    }
}

impl Checker {
    /// The booked charges must not exceed Plivo's.
    pub(crate) fn check_charges(&mut self, attempts: &BTreeMap<String, u64>) {
        for (plivo, (sends, validation)) in self.charged.clone() {
            let bill = attempts.get(&plivo).copied().unwrap_or_default() * CHARGE;
            let is_booked_once = sends <= bill && validation <= VALIDATION_CHARGE;
            let is_booked_once = is_booked_once || self.was_set;
            self.require(is_booked_once, || {
                format!("{plivo}: {sends} and {validation} booked of {bill}")
            });
        }
    }
}
