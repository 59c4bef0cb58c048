//! Money in whole millionths of a dollar, so that sums of prices are exact, whatever
//! their order. The currency is the one that Plivo charges in, US dollars.

use std::{fmt, num::NonZeroU64};

use serde::{Deserialize, Serialize};

/// An amount in millionths of a US dollar.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MicroDollars(pub u64);

/// The text is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidAmount;

/// Millionths in one dollar.
const MICRO_PER_DOLLAR: u64 = 1_000_000;
/// Decimal places of a millionth.
const FRACTION_DIGITS: usize = 6;
/// More than anybody spends on codes: ten million dollars. So sums of amounts stay far
/// below the 64-bit limit.
const MAX_MICRO: u64 = 10_000_000 * MICRO_PER_DOLLAR;

impl MicroDollars {
    /// Parses `12`, `0.0079` or `0.32300`, as people and Plivo write it. Fractions of a
    /// millionth are rounded up: a cost is never understated.
    pub fn parse(text: &str) -> Result<Self, InvalidAmount> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_plain = |digits: &str| {
            !digits.is_empty()
                && digits.len() <= 30
                && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_plain(whole) || !is_plain(fraction) {
            return Err(InvalidAmount);
        }
        let (counted, finer) = fraction.split_at(fraction.len().min(FRACTION_DIGITS));
        let micro = format!("{whole}{counted:0<FRACTION_DIGITS$}");
        let micro: u64 = micro.parse().map_err(|_| InvalidAmount)?;
        let more = u64::from(finer.bytes().any(|byte| byte != b'0'));
        if micro < MAX_MICRO {
            Ok(Self(micro + more))
        } else {
            Err(InvalidAmount)
        }
    }

    /// The amount, unless it is zero.
    pub fn non_zero(self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.0)
    }
}

impl fmt::Display for MicroDollars {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}.{:06}",
            self.0 / MICRO_PER_DOLLAR,
            self.0 % MICRO_PER_DOLLAR
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_parsed_exactly_and_rounded_up() {
        for (text, micro) in [
            ("0", 0),
            ("12", 12_000_000),
            ("0.007", 7_000),
            ("0.32300", 323_000),
            ("0.0000", 0),
            ("0.0000005", 1),
            ("1.0000000", 1_000_000),
            ("9999999.999999", 9_999_999_999_999),
        ] {
            assert_eq!(MicroDollars::parse(text), Ok(MicroDollars(micro)), "{text}");
        }
        for text in [
            "", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "10000000", "$1",
        ] {
            assert_eq!(MicroDollars::parse(text), Err(InvalidAmount), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_formatted_amount_is_read_back(micro in 0..MAX_MICRO) {
            let amount = MicroDollars(micro);
            prop_assert_eq!(MicroDollars::parse(&amount.to_string()), Ok(amount));
        }
    }
}
