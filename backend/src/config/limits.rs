//! How often codes are sent and tried.

use std::{num::NonZeroU64, time::Duration};

use countersign_core::{Limits, Quota};

use super::{
    ConfigError,
    values::Reader,
    variables::{self, Variable},
};

/// Distinct numbers that one limit tells apart.
const MAX_DISTINCT: NonZeroU64 = NonZeroU64::new(1000).unwrap();

/// What one number may do in sandbox, where everybody tries with the same few.
const SANDBOX_PER_NUMBER: Quota = Quota {
    count: NonZeroU64::new(100).unwrap(),
    per: Duration::from_hours(1),
};

/// In sandbox everybody tries from one address and with the few numbers that are
/// kept for fiction: what counts strangers together is off there unless set.
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

/// Which different things there were is remembered one by one, so there must not
/// be too many.
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
