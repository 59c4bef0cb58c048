//! What keeps the bill small: what codes cost and may cost, and how many of them
//! must be given back.

use std::{num::NonZeroU32, time::Duration};

use countersign_core::{Budget, ConversionRule, Prices};
use countersign_shared::Channel;

use super::{ConfigError, values::Reader, variables};

/// Fewer sends than that say nothing of a destination.
const MIN_SENDS: NonZeroU32 = NonZeroU32::new(10).unwrap();
const MAX_SENDS: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

pub(super) fn read_budget(
    reader: &Reader<'_>,
    channels: &[Channel],
) -> Result<Option<Budget>, ConfigError> {
    let caps = reader.caps(&variables::SPEND_CAP)?;
    let alert_at = reader.percent(&variables::SPEND_ALERT_AT, 100)?;
    if caps.is_empty() && reader.is_set(&variables::SPEND_ALERT_AT) {
        return Err(variables::SPEND_ALERT_AT.error("is set, but there is no SPEND_CAP to warn of"));
    }
    let variable = &variables::PRICES_FILE;
    let Some(path) = reader.text(variable)? else {
        return if caps.is_empty() {
            Ok(None)
        } else {
            Err(variables::SPEND_CAP
                .error("is set, but what a code costs is not known; name a PRICES_FILE"))
        };
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| variable.error(format!("cannot read the file {path}: {error}")))?;
    let prices = Prices::parse(&text, channels)
        .map_err(|problem| variable.error(format!("{path}: {problem}")))?;
    let dearest = prices.dearest(channels);
    if caps.iter().any(|cap| cap.count.get() < dearest.0) {
        return Err(variables::SPEND_CAP.error(format!(
            "is less than the dearest code in PRICES_FILE, {dearest}, which could never be sent"
        )));
    }
    Ok(Some(Budget {
        prices,
        caps,
        alert_at,
    }))
}

pub(super) fn read_conversion(reader: &Reader<'_>) -> Result<Option<ConversionRule>, ConfigError> {
    let variable = &variables::CONVERSION_BREAKER;
    let mode = reader.required(variable)?;
    // Read in any mode: a mistake shows before the breaker is needed.
    let rule = ConversionRule {
        floor: reader.percent(&variables::CONVERSION_FLOOR, 90)?,
        min_sends: reader.within(&variables::CONVERSION_LEAST_SENDS, MIN_SENDS, MAX_SENDS)?,
        grace: reader.duration_within(
            &variables::CONVERSION_GRACE,
            &(Duration::ZERO..=Duration::from_mins(30)),
            "0s to 30m",
        )?,
        cooldown: reader.duration_within(
            &variables::CONVERSION_COOLING,
            &(Duration::from_mins(1)..=Duration::from_hours(24)),
            "1m to 1d",
        )?,
        enforced: mode == "enforce",
    };
    match mode.as_str() {
        "monitor" | "enforce" => Ok(Some(rule)),
        "off" => Ok(None),
        _ => Err(variable.error("must be monitor, enforce or off")),
    }
}
