//! Budget: prices of codes, and spending caps.

use countersign_shared::Channel;

use crate::{Key, Limit, LimitCheck, MicroDollars, Prices, Quota, Use};

/// Prices of codes, and spending caps.
#[derive(Clone, Debug)]
pub struct Budget {
    /// The price of one code.
    pub prices: Prices,
    /// The spending caps in millionths of a dollar per window, all of which must have
    /// room; empty for no cap.
    pub caps: Vec<Quota>,
    /// The share of a cap, in percent, at which an alert is raised.
    pub alert_at: u8,
}

impl Budget {
    /// What one code uses of the caps: its expected price. `None` without caps, or if it
    /// costs nothing.
    pub fn of_send(&self, row: &Key, country: &str, channel: Channel) -> Option<LimitCheck> {
        let price = self.prices.of(country, channel).non_zero()?;
        self.check(row, price.get())
    }

    /// A check of the caps with an amount of zero, to read or correct what is used.
    pub fn caps(&self, row: &Key) -> Option<LimitCheck> {
        self.check(row, 0)
    }

    /// Whether enough of a cap is used to raise an alert.
    pub fn is_alerting(&self, cap: &Quota, used: MicroDollars) -> bool {
        let share = u128::from(cap.count.get()) * u128::from(self.alert_at);
        u128::from(used.0) * 100 >= share
    }

    fn check(&self, row: &Key, amount: u64) -> Option<LimitCheck> {
        (!self.caps.is_empty()).then(|| LimitCheck {
            limit: Limit::Budget,
            row: row.clone(),
            quotas: self.caps.clone(),
            used: Use::Amount(amount),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_send_uses_its_price_if_there_is_a_cap() {
        let cap = Quota {
            count: 1_000.try_into().unwrap(),
            per: Duration::from_hours(1),
        };
        let prices = "country,channel,price\nUS,sms,0\n*,sms,0.000007";
        let mut budget = Budget {
            prices: Prices::parse(prices, &[Channel::Sms]).unwrap(),
            caps: vec![cap],
            alert_at: 80,
        };
        let row = Key::new("limit/spend_cap/ab");
        let used = |budget: &Budget, country| {
            let check = budget.of_send(&row, country, Channel::Sms);
            check.map(|check| check.used)
        };
        assert_eq!(used(&budget, "GB"), Some(Use::Amount(7)));
        assert_eq!(used(&budget, "US"), None);
        assert!(!budget.is_alerting(&cap, MicroDollars(799)));
        assert!(budget.is_alerting(&cap, MicroDollars(800)));
        budget.caps.clear();
        assert_eq!(used(&budget, "GB"), None);
        assert!(budget.caps(&row).is_none());
    }
}
