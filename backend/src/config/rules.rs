//! Rules of a session, and the access policy.

use std::{ops::RangeInclusive, time::Duration};

use countersign_core::{
    Limits, SessionRules,
    country::{countries_but, is_country},
};
use countersign_shared::{Channel, Locale, OneTimeCode};

use super::{
    ConfigError, conversion,
    values::{self, Reader},
    variables,
};

/// NIST SP 800-63B (section 5.1.3.2) and OWASP ASVS (6.5.5) allow a code 10 minutes; a few
/// more are for networks that deliver late.
const SESSION_LIFETIMES: RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_mins(15);

/// Maximum of `KNOWN_NUMBERS_FOR`.
const MAX_KNOWN_FOR: Duration = Duration::from_hours(400 * 24);

pub(super) fn read_rules(
    reader: &Reader<'_>,
    sandbox: bool,
    limits: &Limits,
) -> Result<SessionRules, ConfigError> {
    let lifetime = reader.duration(&variables::SESSION_LIFETIME)?;
    if !SESSION_LIFETIMES.contains(&lifetime) {
        return Err(variables::SESSION_LIFETIME
            .error("must be 1m to 15m; NIST SP 800-63B and OWASP ASVS allow a code 10 minutes"));
    }
    Ok(SessionRules {
        otp_length: reader.within(
            &variables::OTP_LENGTH,
            OneTimeCode::MIN_LENGTH,
            OneTimeCode::MAX_LENGTH,
        )?,
        session_lifetime: lifetime,
        // Plivo itself allows no more than ten checks.
        checks_per_session: reader.within(&variables::CHECKS_PER_SESSION, 1, 10)?,
        resend_waits: reader.durations(&variables::RESEND_WAITS)?,
        default_locale: Locale::parse(&reader.required(&variables::DEFAULT_LOCALE)?)
            .map_err(|_| variables::DEFAULT_LOCALE.error("must be a locale such as en or en_US"))?,
        verified_owes_no_wait: sandbox,
        known_numbers_for: read_known_numbers_for(reader)?,
        conversion: conversion::read_conversion(reader, sandbox, limits)?,
    })
}

fn read_known_numbers_for(reader: &Reader<'_>) -> Result<Option<Duration>, ConfigError> {
    let days = Duration::from_hours(24)..=MAX_KNOWN_FOR;
    reader.kept_for(&variables::KNOWN_NUMBERS_FOR, &days, "1d to 400d, or off")
}

pub(super) fn read_decisions_kept_for(
    reader: &Reader<'_>,
) -> Result<Option<Duration>, ConfigError> {
    let times = Duration::from_hours(1)..=Duration::from_hours(90 * 24);
    reader.kept_for(&variables::DECISIONS_FOR, &times, "1h to 90d, or off")
}

pub(super) fn read_countries(
    reader: &Reader<'_>,
    sandbox: bool,
) -> Result<Option<Vec<String>>, ConfigError> {
    let variable = &variables::ALLOWED_COUNTRIES;
    let Some(text) = reader.text(variable)? else {
        return if sandbox {
            Ok(None)
        } else {
            Err(variable.error("is not set; list the countries to send to, such as US,GB, or *"))
        };
    };
    if text == "*" {
        return Ok(None);
    }
    let entries: Vec<String> = values::list(&text).map(str::to_ascii_uppercase).collect();
    let (listed, excluded) = match entries.split_first() {
        Some((all, rest)) if all == "*" => (None, rest),
        _ => (Some(&entries[..]), &[][..]),
    };
    let excluded: Option<Vec<&str>> = excluded
        .iter()
        .map(|entry| entry.strip_prefix('-'))
        .collect();
    let form =
        "must be *, * without some as in *,-RU, or a list of ISO country codes such as US,GB";
    let Some(excluded) = excluded else {
        return Err(variable.error(form));
    };
    let mut codes = listed
        .unwrap_or_default()
        .iter()
        .map(String::as_str)
        .chain(excluded.iter().copied());
    if let Some(wrong) = codes.find(|code| !is_country(code)) {
        return Err(variable.error(match meant_by(wrong) {
            Some(code) => format!("{wrong} is no ISO country code, {code} is"),
            None => form.to_owned(),
        }));
    }
    match listed {
        None => Ok(Some(countries_but(&excluded))),
        Some([]) => Err(variable.error(form)),
        Some(codes) => Ok(Some(codes.to_vec())),
    }
}

/// The ISO 3166-1 alpha-2 code for a common misspelling: a domain, the European Union's
/// code, a language, or three letters.
fn meant_by(text: &str) -> Option<&'static str> {
    Some(match text {
        "UK" | "EN" | "GBR" => "GB",
        "EL" | "GRC" => "GR",
        "JA" | "JPN" => "JP",
        "USA" => "US",
        "DEU" => "DE",
        "FRA" => "FR",
        "IND" => "IN",
        _ => return None,
    })
}

pub(super) fn read_channels(reader: &Reader<'_>) -> Result<Vec<Channel>, ConfigError> {
    let variable = &variables::ALLOWED_CHANNELS;
    let text = reader.required(variable)?;
    let mut channels = Vec::new();
    for name in values::list(&text) {
        match Channel::parse(name) {
            Some(channel) if !channels.contains(&channel) => channels.push(channel),
            _ => return Err(variable.error("must list sms, voice and whatsapp, each once at most")),
        }
    }
    if channels.is_empty() {
        return Err(variable.error("must list one channel at least"));
    }
    Ok(channels)
}
