//! How a verification runs, and for whom.

use std::{num::NonZeroU32, ops::RangeInclusive, time::Duration};

use countersign_shared::{Channel, Locale, OneTimeCode};

use super::{
    ConfigError, spending,
    values::{self, Reader},
    variables,
};

/// A code lives 10 minutes at most by NIST SP 800-63B (section 5.1.3.2) and OWASP ASVS
/// (6.5.5); some minutes more are for networks that deliver late.
const SESSION_LIFETIMES: RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_mins(15);

/// How one verification runs.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Digits in a code.
    pub otp_length: u8,
    /// A session's life from the first send.
    pub session_lifetime: Duration,
    /// Codes that may be tried in one session.
    pub checks_per_session: u8,
    /// How long to wait for a resend: after the first send, the second and so
    /// on; the last one holds from then on. Never empty.
    pub resend_waits: Vec<Duration>,
    /// The language of a message when the caller names none.
    pub default_locale: Locale,
    /// In sandbox: once a number is verified its next code need not wait, so that who
    /// tries the page twice with one number is not held up.
    pub verified_owes_no_wait: bool,
    /// When too few codes are given back somewhere; none counts nothing.
    pub conversion: Option<ConversionRule>,
}

impl Rules {
    /// How long after the `sends`th send (from 1) the next may follow.
    pub fn wait_after(&self, sends: u32) -> Duration {
        let last = self.resend_waits.len() - 1;
        let index = usize::try_from(sends.saturating_sub(1)).unwrap_or(last);
        self.resend_waits[index.min(last)]
    }
}

/// When too few of the codes that are sent to a country, or to a range of
/// numbers, are given back: nobody there wants them, or somebody is paid for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversionRule {
    /// The share that must be given back, in percent.
    pub floor: u8,
    /// Codes within the hour before the share is looked at.
    pub least: NonZeroU32,
    /// How long a code may be out before it counts as not given back.
    pub grace: Duration,
    /// How long sends stop there.
    pub cooling: Duration,
    /// Whether they do; else what would be stopped is written down only.
    pub enforced: bool,
}

/// Whom codes are sent to, and how.
#[derive(Clone, Debug)]
pub struct Policy {
    /// ISO 3166-1 alpha-2 codes; `None` for every country.
    pub countries: Option<Vec<String>>,
    /// The channels that may be asked for, the usual one first. Never empty.
    pub channels: Vec<Channel>,
    /// Takes numbers that regulators keep for fiction, which no phone has.
    pub fictitious_numbers: bool,
}

pub(super) fn rules(reader: &Reader<'_>, sandbox: bool) -> Result<Rules, ConfigError> {
    let lifetime = reader.duration(&variables::SESSION_LIFETIME)?;
    if !SESSION_LIFETIMES.contains(&lifetime) {
        return Err(variables::SESSION_LIFETIME
            .error("must be 1m to 15m; NIST SP 800-63B and OWASP ASVS allow a code 10 minutes"));
    }
    Ok(Rules {
        otp_length: reader.within(
            &variables::OTP_LENGTH,
            OneTimeCode::MIN_LENGTH,
            OneTimeCode::MAX_LENGTH,
        )?,
        session_lifetime: lifetime,
        // Plivo itself takes no more than ten for one code.
        checks_per_session: reader.within(&variables::CHECKS_PER_SESSION, 1, 10)?,
        resend_waits: reader.durations(&variables::RESEND_WAITS)?,
        default_locale: Locale::parse(&reader.required(&variables::DEFAULT_LOCALE)?)
            .map_err(|_| variables::DEFAULT_LOCALE.error("must be a locale such as en or en_US"))?,
        verified_owes_no_wait: sandbox,
        conversion: spending::conversion(reader)?,
    })
}

pub(super) fn countries(
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
    let codes = values::list(&text)
        .map(str::to_ascii_uppercase)
        .collect::<Vec<_>>();
    if codes
        .iter()
        .all(|code| crate::verification::is_country(code))
        && !codes.is_empty()
    {
        Ok(Some(codes))
    } else {
        Err(variable.error("must be * or a list of ISO country codes such as US,GB"))
    }
}

pub(super) fn channels(reader: &Reader<'_>) -> Result<Vec<Channel>, ConfigError> {
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
