//! Prices and spending caps.

use countersign_core::{Budget, Prices};
use countersign_shared::Channel;

use super::{ConfigError, values::Reader, variables};

pub(super) fn read_budget(
    reader: &Reader<'_>,
    channels: &[Channel],
    sandbox: bool,
) -> Result<Option<Budget>, ConfigError> {
    let caps = match reader.is_set(&variables::SPEND_CAP) {
        true => reader.caps(&variables::SPEND_CAP)?,
        false if sandbox => Vec::new(),
        // Required, because an operator who forgets it would only learn from the bill.
        false => {
            return Err(variables::SPEND_CAP.error(
                "is not set; say what codes may cost in US dollars, such as 5/1h,50/1d, or off",
            ));
        }
    };
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
