//! Limits on sends and checks.

use std::{num::NonZeroU64, time::Duration};

use countersign_core::{Limits, Quota};

use super::{
    ConfigError,
    values::Reader,
    variables::{self, Variable},
};

/// Maximum distinct numbers counted by one limit.
const MAX_DISTINCT: NonZeroU64 = NonZeroU64::new(1000).unwrap();

/// Limits by number in sandbox, where everybody uses the same few numbers.
const SANDBOX_PER_NUMBER: Quota = Quota {
    count: NonZeroU64::new(100).unwrap(),
    per: Duration::from_hours(1),
};

/// In sandbox all requests come from one address and use the few fictitious numbers, so
/// limits that count several people together are off unless set.
pub(super) fn read_limits(reader: &Reader<'_>, sandbox: bool) -> Result<Limits, ConfigError> {
    let together = |variable: &Variable| {
        if sandbox && !reader.is_set(variable) {
            Ok(Vec::new())
        } else {
            reader.quotas(variable)
        }
    };
    let of_number = |variable: &Variable| {
        if sandbox && !reader.is_set(variable) {
            Ok(vec![SANDBOX_PER_NUMBER])
        } else {
            reader.quotas(variable)
        }
    };
    Ok(Limits {
        sends_per_number: of_number(&variables::LIMIT_SENDS_PER_NUMBER)?,
        voice_per_number: of_number(&variables::LIMIT_VOICE_PER_NUMBER)?,
        wrong_checks_per_number: of_number(&variables::LIMIT_WRONG_CHECKS_PER_NUMBER)?,
        sends_per_address: together(&variables::LIMIT_SENDS_PER_ADDRESS)?,
        checks_per_address: together(&variables::LIMIT_CHECKS_PER_ADDRESS)?,
        numbers_per_address: few(together, &variables::LIMIT_NUMBERS_PER_ADDRESS)?,
        sends_per_user: together(&variables::LIMIT_SENDS_PER_USER)?,
        sends_without_address: together(&variables::LIMIT_SENDS_WITHOUT_ADDRESS)?,
        checks_without_address: together(&variables::LIMIT_CHECKS_WITHOUT_ADDRESS)?,
        sends_per_range: together(&variables::LIMIT_SENDS_PER_RANGE)?,
        sends_per_country: together(&variables::LIMIT_SENDS_PER_COUNTRY)?,
        sends_total: together(&variables::LIMIT_SENDS_TOTAL)?,
    })
}

/// Distinct values are stored one by one, so their number is bounded.
fn few(
    quotas: impl Fn(&Variable) -> Result<Vec<Quota>, ConfigError>,
    variable: &Variable,
) -> Result<Vec<Quota>, ConfigError> {
    let quotas = quotas(variable)?;
    if quotas.iter().all(|quota| quota.count <= MAX_DISTINCT) {
        Ok(quotas)
    } else {
        Err(variable.error(format!("must count to {MAX_DISTINCT} at most, or be off")))
    }
}
