//! When a destination's breaker trips, and for how long.

use std::{num::NonZeroU32, time::Duration};

use super::DAY;
use crate::Limit;

/// The longest that a range's breaker stays open by tripping again and again: few real
/// users wait there.
const MAX_RANGE_COOLDOWN: Duration = DAY;
/// The same of a country's, where many do.
const MAX_COUNTRY_COOLDOWN: Duration = Duration::from_hours(4);
/// Times that a cooldown is doubled at most.
const MAX_DOUBLINGS: u8 = 8;

/// When too few of the codes that are sent to a country, or to a range of
/// numbers, are entered: nobody there wants them, or somebody is paid for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversionRule {
    /// The share that must be entered, in percent.
    pub floor: u8,
    /// Codes to a country before its share is judged; none judges no country.
    pub min_per_country: Option<NonZeroU32>,
    /// The same of a range.
    pub min_per_range: Option<NonZeroU32>,
    /// How long a code may be out before it counts as not entered.
    pub grace: Duration,
    /// How long sends stop there the first time.
    pub cooldown: Duration,
    /// Whether they do; else what would be stopped is only reported.
    pub enforced: bool,
}

impl ConversionRule {
    /// How long sends stop at most.
    pub fn max_cooldown(&self) -> Duration {
        MAX_RANGE_COOLDOWN.max(self.cooldown)
    }

    /// Codes before that limit's share is judged.
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
        let most = match limit {
            Limit::ConversionPerRange => MAX_RANGE_COOLDOWN,
            _ => MAX_COUNTRY_COOLDOWN,
        };
        cooldown.min(most.max(self.cooldown))
    }
}
