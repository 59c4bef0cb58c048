//! What a step uses up of the limits.

use std::time::Duration;

use super::millis::Millis;
use crate::config::Quota;

/// A limit across sessions. Each has its own variable, `LIMIT_…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Codes sent to one number, resends included.
    SendsPerNumber,
    /// Calls to one number.
    VoicePerNumber,
    /// Wrong codes for one number, whatever the session.
    WrongChecksPerNumber,
    /// Codes asked for from one address.
    SendsPerAddress,
    /// Codes tried from one address.
    ChecksPerAddress,
    /// Different numbers that one address asked for.
    NumbersPerAddress,
    /// Codes sent to one range of numbers.
    SendsPerPrefix,
    /// Codes sent to one country.
    SendsPerCountry,
    /// Codes sent at all.
    SendsTotal,
}

impl Limit {
    /// The name in logs and in the keys of the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendsPerNumber => "sends_per_number",
            Self::VoicePerNumber => "voice_per_number",
            Self::WrongChecksPerNumber => "wrong_checks_per_number",
            Self::SendsPerAddress => "sends_per_address",
            Self::ChecksPerAddress => "checks_per_address",
            Self::NumbersPerAddress => "numbers_per_address",
            Self::SendsPerPrefix => "sends_per_prefix",
            Self::SendsPerCountry => "sends_per_country",
            Self::SendsTotal => "sends_total",
        }
    }
}

/// One use of a limit.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Which limit.
    pub limit: Limit,
    /// Whose: a number, an address, a country. Kept as a keyed hash only.
    pub subject: String,
    /// Every one of these must have room.
    pub quotas: Vec<Quota>,
    /// What is counted once however often it comes, where different things are
    /// counted. Kept as a keyed hash only.
    pub different: Option<String>,
}

/// Why a step has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// After that long the next one passes.
    pub retry_after: Duration,
    /// The limit that is full; none when a code went out a moment ago.
    pub limit: Option<Limit>,
}

impl Wait {
    /// A wait of at least a millisecond.
    pub(super) fn of(milliseconds: Millis, limit: Option<Limit>) -> Self {
        Self {
            retry_after: Duration::from_millis(milliseconds.max(1)),
            limit,
        }
    }
}
