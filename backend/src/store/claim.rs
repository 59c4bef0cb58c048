//! What a step uses up of the limits.

use std::time::Duration;

use serde::Deserialize;

use super::{Vault, millis::Millis, window::Used};
use crate::config::Quota;

/// A limit across sessions. Each has its own variable: `LIMIT_…`, `SPEND_CAP`,
/// `CONVERSION_…`.
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
    /// What codes cost.
    Spend,
    /// Too few codes of a country are given back.
    ConversionPerCountry,
    /// Too few codes of a range of numbers are given back.
    ConversionPerPrefix,
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
            Self::Spend => "spend_cap",
            Self::ConversionPerCountry => "conversion_country",
            Self::ConversionPerPrefix => "conversion_prefix",
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
    /// How much of it: one, or of money so many millionths of a dollar. Without
    /// meaning where different things are counted.
    pub amount: u64,
}

impl Claim {
    /// As it is counted.
    pub(super) fn used(&self, vault: &Vault) -> Used {
        vault
            .different_name(self)
            .map_or(Used::Amount(self.amount), Used::Different)
    }
}

/// What a send is held against, first or again.
#[derive(Clone, Debug, Default)]
pub struct SendTerms {
    /// What it uses up.
    pub claims: Vec<Claim>,
    /// Where it goes.
    pub place: Place,
}

/// What a check is held against.
#[derive(Clone, Debug, Default)]
pub struct CheckTerms {
    /// How many wrong codes the session's number may be given, whatever the
    /// session.
    pub wrong_per_number: Vec<Quota>,
    /// What it uses up besides.
    pub claims: Vec<Claim>,
}

impl CheckTerms {
    /// All of it, once it is known whose number it is.
    pub(super) fn claims_on(self, number: &str) -> Vec<Claim> {
        let of_number = Claim {
            limit: Limit::WrongChecksPerNumber,
            subject: number.to_owned(),
            quotas: self.wrong_per_number,
            different: None,
            amount: 1,
        };
        let of_number = Some(of_number).filter(|claim| !claim.quotas.is_empty());
        of_number.into_iter().chain(self.claims).collect()
    }
}

/// Where a number belongs: what is counted together to see how many codes are
/// given back. Kept as keyed hashes only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// The range: the number without its last digits.
    pub prefix: String,
}

impl Place {
    /// Each with its rule, in the order of their rows and keys.
    pub(super) fn parts(&self) -> [(Limit, &str); 2] {
        [
            (Limit::ConversionPerCountry, &self.country),
            (Limit::ConversionPerPrefix, &self.prefix),
        ]
    }
}

/// A country or a range of numbers where too few codes are given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slump {
    /// Which of the two.
    pub limit: Limit,
    /// The country's or range's keyed hash, for the log.
    pub name: String,
    /// What was seen, by the step that saw it first.
    pub found: Option<Share>,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Share {
    /// Codes sent.
    pub sends: u32,
    /// Codes given back.
    pub verified: u32,
}

/// Why a step has to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// After that long the next one passes.
    pub retry_after: Duration,
    /// The limit that is full; none when a code went out a moment ago.
    pub limit: Option<Limit>,
    /// Where too few codes are given back, enforced or not.
    pub slumps: Vec<Slump>,
}

impl Wait {
    /// A wait of at least a millisecond.
    pub(super) fn of(milliseconds: Millis, limit: Option<Limit>) -> Self {
        Self {
            retry_after: Duration::from_millis(milliseconds.max(1)),
            limit,
            slumps: Vec::new(),
        }
    }
}
