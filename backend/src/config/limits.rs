//! How often codes are sent and tried.

use std::{num::NonZeroU64, time::Duration};

use super::{
    ConfigError,
    values::Reader,
    variables::{self, Variable},
};

/// How many different things one limit tells apart.
const MOST_DIFFERENT: NonZeroU64 = NonZeroU64::new(1000).unwrap();

/// What one number may do in sandbox, where everybody tries with the same few.
const SANDBOX_PER_NUMBER: Quota = Quota {
    count: NonZeroU64::new(100).unwrap(),
    per: Duration::from_hours(1),
};

/// So many in so long, spent in one go or spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many; or of money, how many millionths of a dollar.
    pub count: NonZeroU64,
    /// In how long.
    pub per: Duration,
}

impl Quota {
    /// That many times as many in the same time.
    #[must_use]
    pub fn times(&self, factor: u32) -> Self {
        let count = self.count.get().saturating_mul(factor.into());
        Self {
            count: NonZeroU64::new(count).unwrap_or(self.count),
            per: self.per,
        }
    }
}

/// How often codes are sent and tried, over all sessions. Each is a list of
/// quotas that all must have room; an empty one is no limit.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Codes to one number.
    pub sends_per_number: Vec<Quota>,
    /// Calls to one number.
    pub voice_per_number: Vec<Quota>,
    /// Wrong codes for one number.
    pub wrong_checks_per_number: Vec<Quota>,
    /// Codes asked for from one address.
    pub sends_per_address: Vec<Quota>,
    /// Codes tried from one address.
    pub checks_per_address: Vec<Quota>,
    /// Different numbers asked for from one address.
    pub numbers_per_address: Vec<Quota>,
    /// Codes to one range of numbers.
    pub sends_per_prefix: Vec<Quota>,
    /// Codes to one country.
    pub sends_per_country: Vec<Quota>,
    /// Codes at all.
    pub sends_total: Vec<Quota>,
}

/// In sandbox everybody tries from one address and with the few numbers that are
/// kept for fiction: unless set, what counts strangers together is off there, and what
/// counts by number is generous.
pub(super) fn limits(reader: &Reader<'_>, sandbox: bool) -> Result<Limits, ConfigError> {
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
        sends_per_prefix: together(&variables::LIMIT_SENDS_PER_PREFIX)?,
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
    if quotas.iter().all(|quota| quota.count <= MOST_DIFFERENT) {
        Ok(quotas)
    } else {
        Err(variable.error(format!("must count to {MOST_DIFFERENT} at most, or be off")))
    }
}
