//! A retry budget: a call is retried only if no connection was made, a few times, and only
//! while that is rare.
//!
//! When many calls fail, retries make it worse. So each call earns a tenth of a retry, and
//! a retry spends a whole one.

use std::time::Duration;

/// Tries of one call, the first one included.
pub(crate) const MAX_TRIES: u32 = 3;
/// The longest wait before the second try; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Cost of a retry, in tenths.
const COST: u32 = 10;
/// The largest burst: ten retries.
const MAX_SAVED: u32 = 10 * COST;

/// Saved retries.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    tenths: u32,
}

impl RetryBudget {
    pub(crate) fn new() -> Self {
        Self { tenths: MAX_SAVED }
    }

    /// Earns a tenth of a retry for the first try of a call.
    pub(crate) fn earn(&mut self) {
        self.tenths = (self.tenths + 1).min(MAX_SAVED);
    }

    /// Whether a retry may be made; if so it is counted.
    pub(crate) fn try_withdraw(&mut self) -> bool {
        match self.tenths.checked_sub(COST) {
            Some(left) => {
                self.tenths = left;
                true
            }
            None => false,
        }
    }
}

/// Wait after the `tries`th try (from 1): random up to a bound that doubles (full jitter),
/// so that calls that failed together are not repeated together.
pub(crate) fn wait_after(tries: u32) -> Duration {
    let bound = FIRST_WAIT * 2_u32.saturating_pow(tries.saturating_sub(1)).min(8);
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bound.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However calls and retries mix, retries never exceed a tenth of the calls plus a
        /// burst of ten.
        #[test]
        fn repetitions_stay_within_a_tenth(calls in prop::collection::vec(0..4_u32, 0..2000)) {
            let mut budget = RetryBudget::new();
            let (mut made, mut repeated) = (0, 0);
            for wanted in calls {
                made += 1;
                budget.earn();
                for _ in 0..wanted {
                    repeated += u32::from(budget.try_withdraw());
                }
                prop_assert!(repeated <= made / 10 + 10, "{} of {}", repeated, made);
            }
        }

        #[test]
        fn waits_are_spread_below_a_bound_that_doubles(tries in 1..4_u32) {
            let bound = FIRST_WAIT * (1 << (tries - 1));
            let waits: Vec<_> = (0..64).map(|_| wait_after(tries)).collect();
            prop_assert!(waits.iter().all(|wait| *wait <= bound));
            let different: std::collections::HashSet<_> = waits.iter().collect();
            prop_assert!(different.len() > 60);
        }
    }
}
