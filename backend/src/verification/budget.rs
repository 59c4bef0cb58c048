//! What codes cost, in metrics and in the log: expected when they go out, known once
//! Plivo says so; and where too few of them are entered.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use countersign_core::{
    Application, ApplicationId, Charges, CountryCode, Key, Limit, LimitCheck, LowConversion,
    MicroDollars, Quota, Recipient, TrippedBy,
    transitions::{LimitUsed, RecordCharges},
};
use countersign_plivo::PlivoError;
use countersign_shared::Channel;

use super::{Refusal, SessionView, Verification, daily_cost::Cost, store_deadline};

/// A spending cap: of that application, or of the whole service, and its time.
type Cap = (Option<ApplicationId>, Duration);

/// Which spending caps were warned of.
#[derive(Default)]
pub(super) struct BudgetAlerts(Mutex<HashSet<Cap>>);

impl BudgetAlerts {
    /// True on the rising edge of the alert threshold of that cap.
    fn rises(&self, cap: Cap, is_alerting: bool) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_alerting {
            known.insert(cap)
        } else {
            known.remove(&cap);
            false
        }
    }
}

impl Verification {
    /// Counts what Plivo was asked for as expected, unless it certainly costs
    /// nothing: it never left, or Plivo said no.
    pub(super) fn note_expected(
        &self,
        recipient: &Recipient,
        channel: Channel,
        created: &Result<String, PlivoError>,
    ) {
        let Some(budget) = &self.budget else { return };
        let outcome = created.as_ref().err().map(PlivoError::outcome);
        if outcome.is_none_or(countersign_core::UpstreamOutcome::may_cost) {
            let price = budget.prices.of(&recipient.country, channel);
            let country = recipient.country_code();
            self.metrics.spend_expected(country, channel, price);
            self.note_cost(country, Cost::Expected(price));
        }
    }

    /// So much of each of the service's spending caps is used now.
    pub(super) fn note_budget_used(&self, used: &[u64]) {
        let Some(budget) = &self.budget else { return };
        for (cap, used) in budget.caps.iter().zip(used) {
            let (per, amount, used) = shown(cap, *used);
            self.metrics.spend_of_cap(&per, amount, used);
            let is_alerting = budget.is_alerting(cap, used);
            if self.budget_alerts.rises((None, cap.per), is_alerting) {
                log::warn!(
                    event = "spend.alert", per = per.as_str(), cap:% = amount, spent:% = used;
                    "spending cap nearly used up"
                );
            }
        }
    }

    /// The same of the application's own.
    pub(super) fn note_application_budget_used(&self, application: &Application, used: &[u64]) {
        let Some(budget) = &self.budget else { return };
        let id = &application.id;
        for (cap, used) in application.spend_caps.iter().zip(used) {
            let (per, amount, used) = shown(cap, *used);
            self.metrics
                .spend_of_application(id.as_str(), &per, amount, used);
            let is_alerting = budget.is_alerting(cap, used);
            let cap = (Some(id.clone()), cap.per);
            if self.budget_alerts.rises(cap, is_alerting) {
                log::warn!(
                    event = "spend.alert", application = id.as_str(), per = per.as_str(),
                    cap:% = amount, spent:% = used;
                    "spending cap of an application nearly used up"
                );
            }
        }
    }

    /// Both without a send: spending also leaves the window by itself.
    pub async fn watch_budget(&self) {
        let Some(budget) = &self.budget else { return };
        if let Some(check) = budget.caps(&self.keys.budget())
            && let Some(used) = self.used(check).await
        {
            self.note_budget_used(&used);
        }
        for application in self.applications.current().iter() {
            let check = application.caps(&self.keys.application(&application.id), 0);
            if !check.quotas.is_empty()
                && let Some(used) = self.used(check).await
            {
                self.note_application_budget_used(application, &used);
            }
        }
    }

    async fn used(&self, check: LimitCheck) -> Option<Vec<u64>> {
        let rules = self.rules.clone();
        let step = LimitUsed { check, rules };
        self.store.read(step, store_deadline()).await.ok()
    }

    /// Whether what a delivery costs is of interest and not known yet.
    pub(super) fn wants_charges(&self, view: &SessionView) -> bool {
        let mut deliveries = view.session.deliveries.iter();
        self.budget.is_some() && deliveries.any(|delivery| delivery.expected.is_some())
    }

    /// Plivo said what it charges for the session.
    pub(super) async fn record_charges(
        &self,
        view: &SessionView,
        charges: Charges,
    ) -> Result<(), Refusal> {
        if self.budget.is_none() {
            return Ok(());
        }
        let session = self.keys.session(view.id);
        let upstream = &view.session.upstream.key;
        let country = CountryCode::of_number(&view.contact.recipient);
        let about = (country, &view.session.owner.application);
        self.book(session, upstream, about, charges).await
    }

    /// Books what Plivo charges for a session of that country and application, in the place
    /// of what was expected.
    pub(super) async fn book(
        &self,
        session: Key,
        upstream: &Key,
        (country, application): (CountryCode, &ApplicationId),
        charges: Charges,
    ) -> Result<(), Refusal> {
        let budget = self.budget.as_ref();
        let application = self.applications.get(application);
        let own = application.map(|it| it.caps(&self.keys.application(&it.id), 0));
        let own = own.filter(|caps| budget.is_some() && !caps.quotas.is_empty());
        let caps = budget.and_then(|budget| budget.caps(&self.keys.budget()));
        let step = RecordCharges {
            session,
            upstream: upstream.clone(),
            charges,
            caps: caps.into_iter().chain(own).collect(),
            rules: self.rules.clone(),
        };
        let news = self.store.run(step, store_deadline()).await?;
        for it in news {
            self.metrics.spend_charged(country, it.channel, it.amount);
            self.note_cost(country, Cost::Charged(it.amount));
        }
        Ok(())
    }

    pub(super) fn note_cost(&self, country: CountryCode, cost: Cost) {
        self.daily_cost.note(&self.metrics, country, cost);
    }

    /// Says what a day cost once it is over.
    pub fn report_cost(&self) {
        self.daily_cost.report(&self.metrics, self.clock.now());
    }

    /// Too few codes are entered there: counted each time a send meets it, and logged
    /// once.
    pub(super) fn note_low_conversion(&self, recipient: &Recipient, low: &[LowConversion]) {
        let enforced = self.rules.conversion.is_some_and(|rule| rule.enforced);
        for it in low {
            self.metrics.conversion_stopped(it.limit, enforced);
            let Some(TrippedBy { rate, required }) = it.tripped_by else {
                continue;
            };
            self.metrics.conversion_tripped(it.limit, enforced);
            // Leading digits are nobody's number.
            let range = match it.limit {
                Limit::ConversionPerRange => recipient.range(),
                _ => "",
            };
            log::warn!(
                event = "conversion.tripped",
                rule = it.limit.as_str(),
                mode = if enforced { "enforce" } else { "monitor" },
                country:% = recipient.country_code(), range = range,
                sends = rate.sends, verified = rate.verified,
                percent = rate.percent(), required = required;
                "too few codes are entered there"
            );
        }
    }
}

/// A cap's time, its amount, and what is used of it.
fn shown(cap: &Quota, used: u64) -> (String, MicroDollars, MicroDollars) {
    let per = humantime::format_duration(cap.per).to_string();
    (per, MicroDollars(cap.count.get()), MicroDollars(used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_warned_of_once_each_time_it_gets_there() {
        let alerts = BudgetAlerts::default();
        let hour = Duration::from_hours(1);
        let levels = [false, false, true, true, true, false, true];
        let told = levels.map(|is_alerting| alerts.rises((None, hour), is_alerting));
        assert_eq!(told, [false, false, true, false, false, false, true]);
        // Each cap by itself.
        let shop = ApplicationId::parse("shop");
        assert!(alerts.rises((shop, hour), true));
        assert!(alerts.rises((None, hour * 24), true));
    }
}
