//! What codes cost, in metrics and in the log: expected when they go out, known once
//! Plivo says so; and where too few of them are entered.

use std::sync::atomic::{AtomicBool, Ordering};

use countersign_core::{
    ApplicationId, Budget, Charges, CountryCode, Key, Limit, LowConversion, MicroDollars,
    Recipient, TrippedBy,
    transitions::{LimitUsed, RecordCharges},
};
use countersign_plivo::PlivoError;
use countersign_shared::Channel;

use super::{Refusal, SessionView, Verification, daily_cost::Cost, store_deadline};

/// Which of the spending caps were warned of.
pub(super) struct BudgetAlerts(Vec<AtomicBool>);

impl BudgetAlerts {
    pub(super) fn new(budget: Option<&Budget>) -> Self {
        let caps = budget.map_or(0, |budget| budget.caps.len());
        Self((0..caps).map(|_| AtomicBool::new(false)).collect())
    }

    /// True on the rising edge of the alert threshold of the cap at `index`.
    fn rises(&self, index: usize, is_alerting: bool) -> bool {
        let known = self.0.get(index);
        known.is_some_and(|known| !known.swap(is_alerting, Ordering::Relaxed) && is_alerting)
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

    /// So much of each spending cap is used now.
    pub(super) fn note_budget_used(&self, used: &[u64]) {
        let Some(budget) = &self.budget else { return };
        for (index, (cap, used)) in budget.caps.iter().zip(used).enumerate() {
            let per = humantime::format_duration(cap.per).to_string();
            let (cap_amount, used) = (MicroDollars(cap.count.get()), MicroDollars(*used));
            self.metrics.spend_of_cap(&per, cap_amount, used);
            if self
                .budget_alerts
                .rises(index, budget.is_alerting(cap, used))
            {
                log::warn!(
                    event = "spend.alert", per = per.as_str(), cap:% = cap_amount, spent:% = used;
                    "spending cap nearly used up"
                );
            }
        }
    }

    /// The same without a send: spending also leaves the window by itself.
    pub async fn watch_budget(&self) {
        let Some(budget) = &self.budget else { return };
        let Some(check) = budget.caps(&self.keys.budget()) else {
            return;
        };
        let step = LimitUsed {
            check,
            rules: self.rules.clone(),
        };
        if let Ok(used) = self.store.read(step, store_deadline()).await {
            self.note_budget_used(&used);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_warned_of_once_each_time_it_gets_there() {
        let alerts = BudgetAlerts(vec![AtomicBool::new(false)]);
        let levels = [false, false, true, true, true, false, true];
        let told = levels.map(|is_alerting| alerts.rises(0, is_alerting));
        assert_eq!(told, [false, false, true, false, false, false, true]);
        assert!(!alerts.rises(1, true));
    }
}
