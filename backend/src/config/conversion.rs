//! The conversion breaker.

use std::{num::NonZeroU32, time::Duration};

use countersign_core::{ConversionRule, Limits, Quota};

use super::{
    ConfigError,
    values::Reader,
    variables::{self, Variable},
};

/// Fewer sends than this say nothing about a destination.
const MIN_SENDS: u32 = 5;
const MAX_SENDS: u32 = 100_000;
const HOUR: Duration = Duration::from_hours(1);
/// The breaker's thresholds.
const WINDOW: Duration = Duration::from_hours(24);

pub(super) fn read_conversion(
    reader: &Reader<'_>,
    sandbox: bool,
    limits: &Limits,
) -> Result<Option<ConversionRule>, ConfigError> {
    let variable = &variables::CONVERSION_BREAKER;
    let usual = if sandbox { "monitor" } else { "enforce" };
    let mode = reader.text(variable)?.unwrap_or_else(|| usual.to_owned());
    let is_on = match mode.as_str() {
        "monitor" | "enforce" => true,
        "off" => false,
        _ => return Err(variable.error("must be monitor, enforce or off")),
    };
    let of_country = || limits.sends_per_country.iter().chain(&limits.sends_total);
    let of_range = || limits.sends_per_range.iter().chain(of_country());
    let min = |variable, usual, quotas: &[&Quota]| read_min_sends(reader, variable, usual, quotas);
    // Validated in any mode, so that an error shows before the breaker is needed.
    let rule = ConversionRule {
        floor: reader.percent(&variables::CONVERSION_FLOOR, 90)?,
        min_per_country: min(
            &variables::CONVERSION_MIN_SENDS,
            100,
            &of_country().collect::<Vec<_>>(),
        )?,
        min_per_range: min(
            &variables::CONVERSION_MIN_SENDS_PER_RANGE,
            10,
            &of_range().collect::<Vec<_>>(),
        )?,
        grace: reader.duration_within(
            &variables::CONVERSION_GRACE,
            &(Duration::ZERO..=Duration::from_mins(30)),
            "0s to 30m",
        )?,
        cooldown: reader.duration_within(
            &variables::CONVERSION_COOLDOWN,
            &(Duration::from_mins(1)..=Duration::from_hours(24)),
            "1m to 1d",
        )?,
        enforced: mode == "enforce",
    };
    Ok(is_on.then_some(rule))
}

/// The default minimum of sends, within what the limits allow; none if they allow too few.
fn read_min_sends(
    reader: &Reader<'_>,
    variable: &Variable,
    usual: u32,
    quotas: &[&Quota],
) -> Result<Option<NonZeroU32>, ConfigError> {
    let most_within = |time| quotas.iter().map(|quota| quota.most_within(time)).min();
    let most = most_within(WINDOW).unwrap_or(u64::MAX);
    let min = if reader.is_set(variable) {
        let min = reader.within(variable, MIN_SENDS, MAX_SENDS)?;
        if u64::from(min) > most {
            return Err(variable.error(format!(
                "is {min}, and LIMIT_SENDS_PER_RANGE, LIMIT_SENDS_PER_COUNTRY and \
                 LIMIT_SENDS_TOTAL let {most} codes through in a day: the breaker could never trip"
            )));
        }
        min
    } else {
        let half = most_within(HOUR).unwrap_or(u64::MAX) / 2;
        let half = u32::try_from(half).unwrap_or(MAX_SENDS);
        half.clamp(MIN_SENDS, usual)
    };
    Ok(NonZeroU32::new(min).filter(|min| u64::from(min.get()) <= most))
}
