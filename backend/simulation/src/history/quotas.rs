//! Who is limited by what, in the words of the documentation.

use countersign_core::{
    AccessPolicy, Application, Budget, EndUserKeys, Limit, Limits, MicroDollars, Prices, Quota, Use,
};
use countersign_shared::Channel;

use crate::{border, random::Random};

/// The range and the country of each number.
pub(super) const PLACES: [(&str, &str); 4] =
    [("us-1", "US"), ("us-1", "US"), ("us-2", "US"), ("gb", "GB")];

/// One limit, by whom or what it is counted, its quotas, and what is used.
pub(super) type OneLimit = (Limit, String, Vec<Quota>, Use);

pub(super) struct Quotas {
    pub(super) limits: Limits,
    pub(super) budget: Budget,
    /// Of each caller.
    pub(super) applications: Vec<Application>,
    pub(super) end_users: Vec<EndUserKeys>,
}

fn quotas(random: &mut Random, (least, most): (u64, u64)) -> Vec<Quota> {
    let quota = |count: u64, seconds: u64| Quota {
        count: count.max(1).try_into().unwrap_or(std::num::NonZeroU64::MIN),
        per: std::time::Duration::from_secs(seconds),
    };
    let few = random.within(least..most);
    let short = quota(few, [20, 60][random.index(2)]);
    let more = few + random.within(0..most);
    match random.index(5) {
        0 | 1 => Vec::new(),
        2 => vec![short],
        3 => vec![short, quota(more, 900)],
        _ => vec![quota(more, 900), short],
    }
}

impl Quotas {
    pub(super) fn draw(random: &mut Random, is_busy: bool) -> Self {
        let most = [4, 12][random.index(2)];
        let range = if is_busy { (100, 300) } else { (1, most) };
        let mut some = |times: u64| {
            let mut all = quotas(random, range);
            for it in &mut all {
                it.count = it
                    .count
                    .saturating_mul(times.try_into().unwrap_or(it.count));
            }
            all
        };
        let limits = Limits {
            sends_per_number: some(1),
            voice_per_number: some(1),
            wrong_checks_per_number: some(1),
            sends_per_address: some(1),
            checks_per_address: some(1),
            numbers_per_address: if is_busy {
                some(1)
            } else {
                quotas_of_few(some(1))
            },
            sends_per_user: some(1),
            sends_without_address: some(1),
            checks_without_address: some(1),
            sends_per_range: some(1),
            sends_per_country: some(1),
            sends_total: some(2),
        };
        let address = |name: &str, site: Option<&str>| EndUserKeys {
            address: Some(name.to_owned()),
            site: site.map(str::to_owned),
            ..EndUserKeys::default()
        };
        let user = |name: &str| EndUserKeys {
            without_address: Some("app".to_owned()),
            user: Some(name.to_owned()),
            ..EndUserKeys::default()
        };
        let end_users = vec![
            address("home", None),
            address("one", Some("site")),
            address("two", Some("site")),
            user("ann"),
            user("bob"),
        ];
        let prices = "country,channel,price\n*,sms,0.000007\n*,voice,0.000011\nGB,sms,0.000009";
        let budget = Budget {
            prices: Prices::parse(prices, &[Channel::Sms, Channel::Voice]).expect("prices"),
            caps: some(20),
            alert_at: 80,
        };
        let applications = (0..end_users.len()).map(|caller| {
            let policy = AccessPolicy {
                countries: None,
                channels: vec![Channel::Sms, Channel::Voice],
                fictitious_numbers: true,
            };
            let mut application = Application::new(border::application_id(caller), policy);
            application.sends = some(1);
            application.spend_caps = some(10);
            application
        });
        Self {
            applications: applications.collect(),
            limits,
            budget,
            end_users,
        }
    }

    /// The limits on a send.
    pub(super) fn of_send(&self, number: usize, caller: usize, channel: Channel) -> Vec<OneLimit> {
        let (limits, (range, country)) = (&self.limits, PLACES[number]);
        let (one, app) = (Use::Amount(1), caller.to_string());
        let mut all = vec![
            (
                Limit::SendsPerNumber,
                number.to_string(),
                limits.sends_per_number.clone(),
                one,
            ),
            (
                Limit::SendsPerRange,
                range.to_owned(),
                limits.sends_per_range.clone(),
                one,
            ),
            (
                Limit::SendsPerCountry,
                country.to_owned(),
                limits.sends_per_country.clone(),
                one,
            ),
            (
                Limit::SendsTotal,
                "all".to_owned(),
                limits.sends_total.clone(),
                one,
            ),
        ];
        if channel == Channel::Voice {
            let quotas = limits.voice_per_number.clone();
            all.push((Limit::VoicePerNumber, number.to_string(), quotas, one));
        }
        let end_user = &self.end_users[caller];
        for (name, times) in [(&end_user.address, 1), (&end_user.site, 4)] {
            let Some(name) = name else { continue };
            let sends = times_as_many(&limits.sends_per_address, times);
            all.push((Limit::SendsPerAddress, name.clone(), sends, one));
            let numbers = times_as_many(&limits.numbers_per_address, times);
            let thing = Use::Distinct(mark(number));
            all.push((Limit::NumbersPerAddress, name.clone(), numbers, thing));
        }
        if let Some(name) = &end_user.without_address {
            let quotas = limits.sends_without_address.clone();
            all.push((Limit::SendsWithoutAddress, name.clone(), quotas, one));
        }
        if let Some(name) = &end_user.user {
            all.push((
                Limit::SendsPerUser,
                name.clone(),
                limits.sends_per_user.clone(),
                one,
            ));
        }
        let price = Use::Amount(price(number, channel));
        all.push((
            Limit::Budget,
            "all".to_owned(),
            self.budget.caps.clone(),
            price,
        ));
        let own = &self.applications[caller];
        all.push((
            Limit::SendsPerApplication,
            app.clone(),
            own.sends.clone(),
            one,
        ));
        all.push((Limit::ApplicationBudget, app, own.spend_caps.clone(), price));
        all.retain(|(_, _, quotas, _)| !quotas.is_empty());
        all
    }

    /// What known numbers of a country have beside its limit: half as much, unless there
    /// is no half.
    pub(super) fn reserve(&self, number: usize) -> Option<OneLimit> {
        let mut quotas = self.limits.sends_per_country.clone();
        for it in &mut quotas {
            it.count = (it.count.get() / 2).try_into().ok()?;
        }
        let country = PLACES[number].1.to_owned();
        let reserve = (Limit::KnownPerCountry, country, quotas, Use::Amount(1));
        (!reserve.2.is_empty()).then_some(reserve)
    }

    /// The limits on a check, besides that on wrong codes.
    pub(super) fn of_check(&self, caller: usize) -> Vec<OneLimit> {
        let (limits, end_user) = (&self.limits, &self.end_users[caller]);
        let mut all = Vec::new();
        for (name, times) in [(&end_user.address, 1), (&end_user.site, 4)] {
            let Some(name) = name else { continue };
            let quotas = times_as_many(&limits.checks_per_address, times);
            all.push((
                Limit::ChecksPerAddress,
                name.clone(),
                quotas,
                Use::Amount(1),
            ));
        }
        if let Some(name) = &end_user.without_address {
            let quotas = limits.checks_without_address.clone();
            all.push((
                Limit::ChecksWithoutAddress,
                name.clone(),
                quotas,
                Use::Amount(1),
            ));
        }
        all.retain(|(_, _, quotas, _)| !quotas.is_empty());
        all
    }

    /// The limit on wrong codes of a number.
    pub(super) fn of_wrong(&self, number: usize) -> Option<OneLimit> {
        let quotas = self.limits.wrong_checks_per_number.clone();
        let wrong = (
            Limit::WrongChecksPerNumber,
            number.to_string(),
            quotas,
            Use::Amount(1),
        );
        (!wrong.2.is_empty()).then_some(wrong)
    }
}

/// What a code is expected to cost.
pub(super) fn price(number: usize, channel: Channel) -> u64 {
    match (PLACES[number].1, channel) {
        ("GB", Channel::Sms) => 9,
        (_, Channel::Sms) => 7,
        (_, _) => 11,
    }
}

/// The mark of a number, of which the lowest bit is not kept.
pub(super) fn mark(number: usize) -> u64 {
    2 * (1_000 + number as u64)
}

/// There are few numbers.
fn quotas_of_few(mut quotas: Vec<Quota>) -> Vec<Quota> {
    for it in &mut quotas {
        it.count = (1 + it.count.get() % 3).try_into().unwrap_or(it.count);
    }
    quotas
}

fn times_as_many(quotas: &[Quota], times: u64) -> Vec<Quota> {
    let more = |it: &Quota| Quota {
        count: it
            .count
            .saturating_mul(times.try_into().unwrap_or(it.count)),
        ..*it
    };
    quotas.iter().map(more).collect()
}

/// What a code to a place costs.
pub(super) fn charge(channel: Channel, is_whole: bool) -> MicroDollars {
    MicroDollars(match (channel, is_whole) {
        (Channel::Sms, false) => 3,
        (Channel::Sms, true) => 5,
        (_, false) => 8,
        (_, true) => 15,
    })
}
