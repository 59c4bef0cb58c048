//! Conversion rates: the share of the codes sent that were entered.

/// Codes sent and codes entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConversionRate {
    /// Codes sent.
    pub sends: u32,
    /// Codes entered.
    pub verified: u32,
}

impl ConversionRate {
    /// The share that was entered, in percent, rounded down.
    pub fn percent(self) -> u8 {
        let percent = u64::from(self.verified) * 100 / u64::from(self.sends.max(1));
        u8::try_from(percent).unwrap_or(100)
    }

    /// Whether the rate is below `percent` by more than chance: by more than a standard
    /// deviation of a binomial distribution. If one person in four enters the code, of
    /// ten people sometimes only one does.
    pub(super) fn is_below(self, percent: u8) -> bool {
        let (sends, percent) = (u64::from(self.sends), u64::from(percent));
        let expected = sends * percent;
        let missing = expected.saturating_sub(u64::from(self.verified) * 100);
        u128::from(missing).pow(2) > u128::from(expected * (100 - percent.min(100)))
    }
}

/// The usual rates of a destination, from before the hour and before the day that are
/// judged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usual {
    pub(super) before_hour: Option<ConversionRate>,
    pub(super) before_day: Option<ConversionRate>,
}
