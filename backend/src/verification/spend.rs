//! What codes cost: expected when they go out, known once Plivo says so; and
//! where too few of them are given back.

use std::sync::atomic::{AtomicBool, Ordering};

use countersign_shared::Channel;

use super::{Refusal, Verification, recipient, recipient::Recipient};
use crate::{
    attempt::Charges,
    config::{Quota, Spending},
    metrics::CountryCode,
    money::MicroDollars,
    plivo::PlivoError,
    store::{Claim, Limit, Session, Slump},
};

/// Prices and caps, and which of the caps have been warned of.
pub(super) struct Spend {
    settings: Spending,
    warned: Vec<AtomicBool>,
}

impl Spend {
    pub(super) fn new(settings: Spending) -> Self {
        let warned = settings.caps.iter().map(|_| AtomicBool::new(false));
        Self {
            warned: warned.collect(),
            settings,
        }
    }

    /// The claim on the caps, where there are any.
    fn claim(&self, amount: MicroDollars) -> Option<Claim> {
        let caps = &self.settings.caps;
        (!caps.is_empty()).then(|| Claim {
            limit: Limit::Spend,
            subject: String::new(),
            quotas: caps.clone(),
            different: None,
            amount: amount.0,
        })
    }

    /// Whether so much of a cap is spent, for the first time since it was less,
    /// that it is worth a warning.
    fn is_news(&self, (cap, warned): (&Quota, &AtomicBool), spent: u64) -> bool {
        let share = u128::from(cap.count.get()) * u128::from(self.settings.alert_at);
        let is_much = u128::from(spent) * 100 >= share;
        !warned.swap(is_much, Ordering::Relaxed) && is_much
    }
}

impl Verification {
    /// What one code there is expected to cost, where prices are known.
    pub(super) fn price(&self, recipient: &Recipient, channel: Channel) -> Option<MicroDollars> {
        let spend = self.spend.as_ref()?;
        Some(spend.settings.prices.of(&recipient.country, channel))
    }

    /// What one code there uses up of the spend caps.
    pub(super) fn spend_claim(&self, country: &str, channel: Channel) -> Option<Claim> {
        let spend = self.spend.as_ref()?;
        let price = spend.settings.prices.of(country, channel);
        price.non_zero().and_then(|_| spend.claim(price))
    }

    /// Counts what Plivo was asked for as expected, unless it certainly costs
    /// nothing: it never left, or Plivo said no.
    pub(super) fn note_expected(
        &self,
        (country, channel): (CountryCode, Channel),
        price: Option<MicroDollars>,
        created: &Result<String, PlivoError>,
    ) {
        use PlivoError::{Broken, Failed, Nonsense, Timeout};
        let may_cost = matches!(
            created,
            Ok(_) | Err(Timeout | Broken | Nonsense | Failed { .. })
        );
        if let Some(price) = price.filter(|_| may_cost) {
            self.metrics.spend_expected(country, channel, price);
        }
    }

    /// So much of each cap is used now.
    pub(super) fn note_spent(&self, spent: &[u64]) {
        let Some(known) = &self.spend else { return };
        let caps = known.settings.caps.iter().zip(&known.warned);
        for ((cap, warned), spent) in caps.zip(spent.iter().copied()) {
            let per = humantime::format_duration(cap.per).to_string();
            let (most, spent) = (MicroDollars(cap.count.get()), MicroDollars(spent));
            self.metrics.spend_of_cap(&per, most, spent);
            if known.is_news((cap, warned), spent.0) {
                log::warn!(
                    event = "spend.alert", per = per.as_str(), cap:% = most, spent:% = spent;
                    "codes cost nearly as much as they may"
                );
            }
        }
    }

    /// The same without a send: what is spent also leaves by itself.
    pub(super) async fn look_at_spending(&self) {
        let spend = self.spend.as_ref();
        let claim = spend.and_then(|spend| spend.claim(MicroDollars::default()));
        if let Some(claim) = claim
            && let Ok(spent) = self.store.used(claim).await
        {
            self.note_spent(&spent);
        }
    }

    /// Whether what a delivery costs is of interest and not known yet.
    pub(super) fn wants_charges(&self, session: &Session) -> bool {
        let mut deliveries = session.deliveries.iter();
        self.spend.is_some() && deliveries.any(|delivery| !delivery.is_charged)
    }

    /// Plivo said what it charges for the session.
    pub(super) async fn note_charges(
        &self,
        session: &Session,
        charges: Charges,
    ) -> Result<(), Refusal> {
        let Some(spend) = &self.spend else {
            return Ok(());
        };
        let claim = spend.claim(MicroDollars::default());
        let new = self.store.note_charges(session, charges, claim).await?;
        if !new.is_empty() {
            let country = recipient::country_code(&session.recipient);
            for it in new {
                self.metrics.spend_charged(country, it.channel, it.amount);
            }
        }
        Ok(())
    }

    /// Too few codes are given back there: counted each time a send meets it, and
    /// written to the log once.
    pub(super) fn note_slumps(&self, country: CountryCode, slumps: &[Slump]) {
        let enforced = self.rules.conversion.is_some_and(|rule| rule.enforced);
        for slump in slumps {
            self.metrics.conversion_stopped(slump.limit, enforced);
            let Some(share) = slump.found else { continue };
            self.metrics.conversion_slumped(slump.limit, enforced);
            let percent = u64::from(share.verified) * 100 / u64::from(share.sends.max(1));
            log::warn!(
                event = "conversion.slump",
                rule = slump.limit.as_str(),
                mode = if enforced { "enforce" } else { "monitor" },
                country:% = country, place = slump.name.as_str(),
                sends = share.sends, verified = share.verified, percent = percent;
                "too few of the codes sent there are given back"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::prices::Prices;

    #[test]
    fn a_cap_is_warned_of_once_each_time_it_gets_there() {
        let prices = Prices::parse("country,channel,price\n*,sms,0.01", &[Channel::Sms]);
        let cap = Quota {
            count: 1_000.try_into().unwrap(),
            per: Duration::from_hours(1),
        };
        let spend = Spend::new(Spending {
            prices: prices.unwrap(),
            caps: vec![cap],
            alert_at: 80,
        });
        let news = |spent| spend.is_news((&cap, &spend.warned[0]), spent);
        let told = [0, 799, 800, 900, 1_000, 790, 801].map(news);
        assert_eq!(told, [false, false, true, false, false, false, true]);
    }
}
