//! Metrics of costs and conversion.

use countersign_core::{CountryCode, Limit, MicroDollars};
use countersign_shared::Channel;
use prometheus_client::metrics::{counter::Counter, family::Family};

use super::{
    Metrics,
    labels::{
        ApplicationCapLabels, CapLabels, ConversionLabels, CostLabels, CountryLabel, CountryLabels,
    },
};

impl Metrics {
    pub(super) fn with_money(mut self) -> Self {
        let registry = &mut self.registry;
        let mut counted = |name: &str, help: &str, family: &Family<CostLabels, Counter>| {
            registry.register(name, help, family.clone());
        };
        counted(
            "spend_expected_microdollars",
            "What codes cost by the operator's prices, in millionths of a US dollar",
            &self.spend_expected,
        );
        counted(
            "spend_charged_microdollars",
            "What Plivo is known to have charged, in millionths of a US dollar",
            &self.spend_charged,
        );
        registry.register(
            "cost_per_verified_microdollars",
            "What a verified number has cost since midnight by UTC, in millionths of a US dollar",
            self.cost_per_verified.clone(),
        );
        registry.register(
            "test_number_uses",
            "Codes asked for by test numbers, of which none was sent",
            self.test_number_uses.clone(),
        );
        registry.register(
            "test_number_spread",
            "How often a test number was used from too many addresses in a day",
            self.test_number_spread.clone(),
        );
        registry.register(
            "spend_cap_microdollars",
            "What codes may cost in a time, in millionths of a US dollar",
            self.spend_cap.clone(),
        );
        registry.register(
            "spend_cap_remaining_microdollars",
            "How much of it is left, in millionths of a US dollar",
            self.spend_cap_remaining.clone(),
        );
        registry.register(
            "application_spend_cap_microdollars",
            "What an application's codes may cost in a time, in millionths of a US dollar",
            self.application_spend_cap.clone(),
        );
        registry.register(
            "application_spend_cap_remaining_microdollars",
            "How much of it is left, in millionths of a US dollar",
            self.application_spend_cap_remaining.clone(),
        );
        registry.register(
            "conversion_breaker_tripped",
            "How often the conversion breaker of a country or range tripped",
            self.conversion_breaker_tripped.clone(),
        );
        registry.register(
            "conversion_stopped",
            "Sends that were stopped there, or would have been in mode monitor",
            self.conversion_stopped.clone(),
        );
        self
    }

    /// A code was sent, or may have been; `price` is the operator's.
    pub fn spend_expected(&self, country: CountryCode, channel: Channel, price: MicroDollars) {
        let label = CostLabels {
            country: CountryLabel(country),
            channel: channel.as_str(),
        };
        self.spend_expected.get_or_create(&label).inc_by(price.0);
    }

    /// Plivo reported a further charge, for a code or for a check. Once for each charge,
    /// over all instances.
    pub fn spend_charged(
        &self,
        country: CountryCode,
        channel: Option<Channel>,
        amount: MicroDollars,
    ) {
        let label = CostLabels {
            country: CountryLabel(country),
            channel: channel.map_or("validation", Channel::as_str),
        };
        self.spend_charged.get_or_create(&label).inc_by(amount.0);
    }

    /// Cost per verified number of a country since midnight, by UTC.
    pub fn cost_per_verified(&self, country: CountryCode, cost: MicroDollars) {
        let label = CountryLabels {
            country: CountryLabel(country),
        };
        let gauge = self.cost_per_verified.get_or_create(&label);
        gauge.set(signed(cost.0));
    }

    /// A test number was used, from one address too many or not.
    pub fn test_number_used(&self, is_spread: bool) {
        self.test_number_uses.inc();
        self.test_number_spread.inc_by(u64::from(is_spread));
    }

    /// Amount used of a spending cap with the window `per`.
    pub fn spend_of_cap(&self, per: &str, cap: MicroDollars, spent: MicroDollars) {
        let label = CapLabels {
            per: per.to_owned(),
        };
        let remaining = cap.0.saturating_sub(spent.0);
        self.spend_cap.get_or_create(&label).set(signed(cap.0));
        let gauge = self.spend_cap_remaining.get_or_create(&label);
        gauge.set(signed(remaining));
    }

    /// The same of a cap of that application's own.
    pub fn spend_of_application(
        &self,
        application: &str,
        per: &str,
        cap: MicroDollars,
        spent: MicroDollars,
    ) {
        let label = ApplicationCapLabels {
            application: application.to_owned(),
            per: per.to_owned(),
        };
        let remaining = cap.0.saturating_sub(spent.0);
        let gauge = self.application_spend_cap.get_or_create(&label);
        gauge.set(signed(cap.0));
        let gauge = self.application_spend_cap_remaining.get_or_create(&label);
        gauge.set(signed(remaining));
    }

    /// Drops the caps of all applications, of which there may be others now.
    pub fn forget_application_caps(&self) {
        self.application_spend_cap.clear();
        self.application_spend_cap_remaining.clear();
    }

    /// The conversion breaker of a country or range tripped.
    pub fn conversion_tripped(&self, rule: Limit, enforced: bool) {
        let label = ConversionLabels::of(rule, enforced);
        self.conversion_breaker_tripped.get_or_create(&label).inc();
    }

    /// A send was stopped by it, or would have been.
    pub fn conversion_stopped(&self, rule: Limit, enforced: bool) {
        let label = ConversionLabels::of(rule, enforced);
        self.conversion_stopped.get_or_create(&label).inc();
    }
}

/// As a gauge holds it.
fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
