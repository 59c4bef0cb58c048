//! When a conversion breaker trips, and for how long.

use std::{num::NonZeroU32, time::Duration};

use super::DAY;
use crate::Limit;

/// The longest cooldown of a range's breaker after repeated trips: few real users are
/// affected.
const MAX_RANGE_COOLDOWN: Duration = DAY;
/// The same for a country's breaker: many real users are.
const MAX_COUNTRY_COOLDOWN: Duration = Duration::from_hours(4);
/// How many times a cooldown is doubled at most.
const MAX_DOUBLINGS: u8 = 8;

/// When too few of the codes sent to a country or a range of numbers are entered: nobody
/// there wants them, or somebody is paid for the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversionRule {
    /// The minimum conversion rate, in percent.
    pub floor: u8,
    /// Minimum number of codes sent to a country before its rate is judged; `None` judges
    /// no country.
    pub min_per_country: Option<NonZeroU32>,
    /// The same for a range.
    pub min_per_range: Option<NonZeroU32>,
    /// How long a code may remain open before it counts as not entered.
    pub grace: Duration,
    /// How long the breaker stays open the first time.
    pub cooldown: Duration,
    /// Whether the breaker stops sends; if not, it only reports.
    pub enforced: bool,
}

impl ConversionRule {
    /// The longest time that a breaker stays open.
    pub fn max_cooldown(&self) -> Duration {
        MAX_RANGE_COOLDOWN.max(self.cooldown)
    }

    /// Minimum number of codes before a destination of that limit is judged.
    pub(super) fn min_sends(&self, limit: Limit) -> Option<u32> {
        let min = match limit {
            Limit::ConversionPerCountry => self.min_per_country,
            _ => self.min_per_range,
        };
        min.map(NonZeroU32::get)
    }

    pub(super) fn cooldown_after(&self, limit: Limit, trips: u8) -> Duration {
        let doublings = trips.saturating_sub(1).min(MAX_DOUBLINGS);
        let cooldown = self.cooldown * 2_u32.pow(doublings.into());
        let longest = match limit {
            Limit::ConversionPerRange => MAX_RANGE_COOLDOWN,
            _ => MAX_COUNTRY_COOLDOWN,
        };
        cooldown.min(longest.max(self.cooldown))
    }
}
