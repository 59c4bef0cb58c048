//! Rate limits on sends and checks, across sessions.
//!
//! All limits of a step are evaluated together and counted together. A refused step
//! counts nothing and does not push the caller's window back.

use std::{num::NonZeroU64, time::Duration};

use countersign_shared::Channel;
use serde::{Deserialize, Serialize};

use crate::{
    EndUserKeys, Key, Row,
    conversion::LowConversion,
    sliding_window::{Counter, Use},
};

/// A site (an IPv6 /48) holds many subscribers, so its quotas are this many times those
/// of one address.
pub const SITE_FACTOR: u32 = 4;

/// A count per time window, used at once or spread out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The number of uses, or an amount in millionths of a dollar.
    pub count: NonZeroU64,
    /// The length of the window.
    pub per: Duration,
}

impl Quota {
    /// The same quota with its count multiplied by `factor`.
    #[must_use]
    pub fn times(&self, factor: u32) -> Self {
        let count = self.count.get().saturating_mul(factor.into());
        Self {
            count: NonZeroU64::new(count).unwrap_or(self.count),
            per: self.per,
        }
    }

    /// The same quota with half its count; `None` if that is less than one.
    #[must_use]
    pub fn half(&self) -> Option<Self> {
        let count = NonZeroU64::new(self.count.get() / 2)?;
        Some(Self { count, ..*self })
    }

    /// The most that can be used within `time`.
    pub fn most_within(&self, time: Duration) -> u64 {
        let times = time.as_millis().div_ceil(self.per.as_millis().max(1));
        let times = u64::try_from(times).unwrap_or(u64::MAX);
        self.count.get().saturating_mul(times)
    }

    /// The length of the window in milliseconds.
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.per.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A limit across sessions. Each has its own variable: `LIMIT_…`, `SPEND_CAP`,
/// `CONVERSION_…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Codes sent to one number, resends included.
    SendsPerNumber,
    /// Voice calls to one number.
    VoicePerNumber,
    /// Wrong codes for one number, whatever the session.
    WrongChecksPerNumber,
    /// Codes requested from one address.
    SendsPerAddress,
    /// Checks from one address.
    ChecksPerAddress,
    /// Distinct numbers that one address requested codes for.
    NumbersPerAddress,
    /// Codes requested by an application for one of its users.
    SendsPerUser,
    /// Codes requested by an application that does not know its user's address.
    SendsWithoutAddress,
    /// Checks by an application that does not know its user's address.
    ChecksWithoutAddress,
    /// Codes sent for one application.
    SendsPerApplication,
    /// Codes sent to one range of numbers.
    SendsPerRange,
    /// Codes sent to one country.
    SendsPerCountry,
    /// Codes sent to known numbers of one country beyond [`Self::SendsPerCountry`].
    KnownPerCountry,
    /// Codes sent in total.
    SendsTotal,
    /// The cost of all codes.
    Budget,
    /// The cost of one application's codes.
    ApplicationBudget,
    /// The conversion rate of a country is too low.
    ConversionPerCountry,
    /// The conversion rate of a range of numbers is too low.
    ConversionPerRange,
    /// The conversion rate of a country's known numbers is too low.
    ConversionOfKnown,
    /// The operator stopped sends on this route.
    Stopped,
}

impl Limit {
    /// The name in logs, metrics and rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendsPerNumber => "sends_per_number",
            Self::VoicePerNumber => "voice_per_number",
            Self::WrongChecksPerNumber => "wrong_checks_per_number",
            Self::SendsPerAddress => "sends_per_address",
            Self::ChecksPerAddress => "checks_per_address",
            Self::NumbersPerAddress => "numbers_per_address",
            Self::SendsPerUser => "sends_per_user",
            Self::SendsWithoutAddress => "sends_without_address",
            Self::ChecksWithoutAddress => "checks_without_address",
            Self::SendsPerApplication => "sends_per_application",
            Self::SendsPerRange => "sends_per_range",
            Self::SendsPerCountry => "sends_per_country",
            Self::KnownPerCountry => "known_per_country",
            Self::SendsTotal => "sends_total",
            Self::Budget => "spend_cap",
            Self::ApplicationBudget => "application_spend_cap",
            Self::ConversionPerCountry => "conversion_country",
            Self::ConversionPerRange => "conversion_range",
            Self::Stopped => "stopped",
            Self::ConversionOfKnown => "conversion_known",
        }
    }
}

/// The counter of a limit for one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct LimitRow(pub(crate) Counter);

impl Row for LimitRow {
    const KIND: &'static str = "limit";
}

/// One use of one limit by one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitCheck {
    /// The limit.
    pub limit: Limit,
    /// The row it is counted in.
    pub row: Key,
    /// The quotas, all of which must have room.
    pub quotas: Vec<Quota>,
    /// What it uses.
    pub used: Use,
}

/// The configured limits across sessions. Each is a list of quotas that must all have
/// room; an empty list means no limit.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Codes sent to one number.
    pub sends_per_number: Vec<Quota>,
    /// Voice calls to one number.
    pub voice_per_number: Vec<Quota>,
    /// Wrong codes for one number.
    pub wrong_checks_per_number: Vec<Quota>,
    /// Codes requested from one address.
    pub sends_per_address: Vec<Quota>,
    /// Checks from one address.
    pub checks_per_address: Vec<Quota>,
    /// Distinct numbers that one address requested codes for.
    pub numbers_per_address: Vec<Quota>,
    /// Codes requested by an application for one of its users.
    pub sends_per_user: Vec<Quota>,
    /// Codes requested by an application that does not know its user's address.
    pub sends_without_address: Vec<Quota>,
    /// Checks by an application that does not know its user's address.
    pub checks_without_address: Vec<Quota>,
    /// Codes sent to one range of numbers.
    pub sends_per_range: Vec<Quota>,
    /// Codes sent to one country.
    pub sends_per_country: Vec<Quota>,
    /// Codes sent in total.
    pub sends_total: Vec<Quota>,
}

/// The rows that a caller is counted in, by address or by site.
#[derive(Clone, Debug)]
pub struct CallerKeys {
    /// The row of [`Limit::SendsPerAddress`].
    pub sends: Key,
    /// The row of [`Limit::ChecksPerAddress`].
    pub checks: Key,
    /// The row of [`Limit::NumbersPerAddress`].
    pub numbers: Key,
    /// The factor that quotas are multiplied by: 1, or [`SITE_FACTOR`].
    pub factor: u32,
}

/// The rows that a send is counted in.
#[derive(Clone, Debug)]
pub struct SendKeys {
    /// The number's row.
    pub number: Key,
    /// The row of [`Limit::SendsPerRange`].
    pub range: Key,
    /// The row of [`Limit::SendsPerCountry`].
    pub country: Key,
    /// The row of [`Limit::KnownPerCountry`].
    pub known_country: Key,
    /// The row of [`Limit::SendsTotal`].
    pub total: Key,
    /// The end user it is counted for.
    pub end_user: EndUserKeys,
    /// The number's mark for [`Limit::NumbersPerAddress`]: part of a keyed hash, of which
    /// 47 bits are kept.
    pub number_mark: u64,
}

impl Limits {
    /// The limits on a send or a resend.
    pub fn of_send(&self, keys: &SendKeys, channel: Channel) -> Vec<LimitCheck> {
        let number = &keys.number;
        let mut checks = vec![
            once(Limit::SendsPerNumber, number, &self.sends_per_number),
            once(Limit::SendsPerRange, &keys.range, &self.sends_per_range),
            once(
                Limit::SendsPerCountry,
                &keys.country,
                &self.sends_per_country,
            ),
            once(Limit::SendsTotal, &keys.total, &self.sends_total),
        ];
        if channel == Channel::Voice {
            checks.push(once(Limit::VoicePerNumber, number, &self.voice_per_number));
        }
        let callers = keys.end_user.callers();
        for caller in &callers {
            let sends = times(&self.sends_per_address, caller.factor);
            checks.push(once(Limit::SendsPerAddress, &caller.sends, &sends));
        }
        for caller in &callers {
            checks.push(LimitCheck {
                limit: Limit::NumbersPerAddress,
                row: caller.numbers.clone(),
                quotas: times(&self.numbers_per_address, caller.factor),
                used: Use::Distinct(keys.number_mark),
            });
        }
        let limit = Limit::SendsWithoutAddress;
        let without_address = keys.end_user.without_address(limit);
        checks.extend(without_address.map(|row| once(limit, &row, &self.sends_without_address)));
        let user = keys.end_user.user();
        checks.extend(user.map(|row| once(Limit::SendsPerUser, &row, &self.sends_per_user)));
        checks.retain(|check| !check.quotas.is_empty());
        checks
    }

    /// The limit on a send to a known number if its country's limit is full: a reserve of
    /// half that limit, which only known numbers use.
    pub fn known_reserve(&self, keys: &SendKeys) -> Option<LimitCheck> {
        let quotas: Vec<Quota> = self
            .sends_per_country
            .iter()
            .filter_map(Quota::half)
            .collect();
        // Each quota needs its half, or the reserve would be unlimited in that window.
        let is_whole = !quotas.is_empty() && quotas.len() == self.sends_per_country.len();
        is_whole.then(|| once(Limit::KnownPerCountry, &keys.known_country, &quotas))
    }

    /// The limits on a check, besides [`Limit::WrongChecksPerNumber`].
    pub fn of_check(&self, end_user: &EndUserKeys) -> Vec<LimitCheck> {
        let callers = end_user.callers();
        let checks = callers.iter().map(|caller| {
            let quotas = times(&self.checks_per_address, caller.factor);
            once(Limit::ChecksPerAddress, &caller.checks, &quotas)
        });
        let limit = Limit::ChecksWithoutAddress;
        let without_address = end_user.without_address(limit);
        let without_address =
            without_address.map(|row| once(limit, &row, &self.checks_without_address));
        let checks = checks.chain(without_address);
        checks.filter(|check| !check.quotas.is_empty()).collect()
    }
}

/// One more use of a limit.
pub(crate) fn once(limit: Limit, row: &Key, quotas: &[Quota]) -> LimitCheck {
    LimitCheck {
        limit,
        row: row.clone(),
        quotas: quotas.to_vec(),
        used: Use::Amount(1),
    }
}

fn times(quotas: &[Quota], factor: u32) -> Vec<Quota> {
    quotas.iter().map(|quota| quota.times(factor)).collect()
}

/// Why a step has to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// How long until the next one will be accepted.
    pub retry_after: Duration,
    /// The limit that is full; `None` for the number's resend backoff.
    pub limit: Option<Limit>,
    /// Destinations with a conversion rate that is too low, whether that is enforced or
    /// not.
    pub low_conversion: Vec<LowConversion>,
}

impl Wait {
    /// A wait of at least a millisecond.
    pub(crate) fn of(milliseconds: u64, limit: Option<Limit>) -> Self {
        Self {
            retry_after: Duration::from_millis(milliseconds.max(1)),
            limit,
            low_conversion: Vec::new(),
        }
    }

    /// The wait as reported to callers. Waits for money and conversion are rounded up to
    /// whole minutes: seconds would reveal when the budget or the range is free again.
    pub fn announced(&self) -> Duration {
        match self.limit {
            Some(
                Limit::Budget
                | Limit::ApplicationBudget
                | Limit::ConversionPerCountry
                | Limit::ConversionPerRange
                | Limit::ConversionOfKnown
                | Limit::Stopped,
            ) => {
                let seconds = self.retry_after.as_millis().div_ceil(1000);
                Duration::from_mins(u64::try_from(seconds.div_ceil(60)).unwrap_or(u64::MAX))
            }
            _ => self.retry_after,
        }
    }
}

#[cfg(test)]
mod tests;
