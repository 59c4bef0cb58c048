//! Prometheus metrics for the operator: one [`Metrics`] per application, served at `GET
//! /metrics` on an address of its own.
//!
//! The methods are the domain's events. Labels have few values and never identify anybody:
//! ISO country codes, and our own words.

mod labels;
mod money;

use std::{
    sync::atomic::AtomicU64,
    time::{Duration, SystemTime},
};

use countersign_core::{CountryCode, RefusalRule, UpstreamOutcome};
use countersign_shared::Channel;
use prometheus_client::{
    encoding::prometheus_text::encode,
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};

use self::labels::{
    ApplicationCapLabels, CallLabels, CapLabels, ClockLabels, CommitLabels, ConversionLabels,
    CostLabels, CountryLabel, CountryLabels, KeyLabels, RefusalLabels, RequestLabels, SendLabels,
    StateLabels, StepLabels, UpstreamLabels,
};
pub use self::labels::{BreakerState, OtherClock, UpstreamCall};

/// All metrics of one application, so that several in one process count separately.
pub struct Metrics {
    registry: Registry,
    /// Metrics that have the same names in every program.
    process: Registry,
    requested: Family<SendLabels, Counter>,
    accepted: Family<SendLabels, Counter>,
    delivered: Family<SendLabels, Counter>,
    undelivered: Family<SendLabels, Counter>,
    verified: Family<SendLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    keys_rejected: Family<KeyLabels, Counter>,
    upstream_calls: Family<UpstreamLabels, Histogram, Seconds>,
    upstream_in_flight: Family<CallLabels, Gauge>,
    upstream_retries: Counter,
    upstream_unexpected: Counter,
    breaker: Family<StateLabels, Gauge>,
    breaker_opened: Counter,
    store_steps: Family<StepLabels, Histogram, Seconds>,
    store_commits: Family<CommitLabels, Histogram, Seconds>,
    store_group_size: Histogram,
    requests: Family<RequestLabels, Counter>,
    request_durations: Histogram,
    requests_in_flight: Gauge,
    callers_proxies: Counter,
    clock_skew: Family<ClockLabels, Gauge<f64, AtomicU64>>,
    spend_expected: Family<CostLabels, Counter>,
    spend_charged: Family<CostLabels, Counter>,
    cost_per_verified: Family<CountryLabels, Gauge>,
    test_number_uses: Counter,
    test_number_spread: Counter,
    spend_cap: Family<CapLabels, Gauge>,
    spend_cap_remaining: Family<CapLabels, Gauge>,
    application_spend_cap: Family<ApplicationCapLabels, Gauge>,
    application_spend_cap_remaining: Family<ApplicationCapLabels, Gauge>,
    conversion_breaker_tripped: Family<ConversionLabels, Counter>,
    conversion_stopped: Family<ConversionLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("countersign");
        let mut counted = |name: &str, help: &str| {
            let family = Family::<SendLabels, Counter>::default();
            registry.register(name, help, family.clone());
            family
        };
        let build = Family::<[(&str, &str); 1], Gauge>::default();
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        build.get_or_create(&version).set(1);
        let requested = counted("sends_requested", "Codes asked for that no rule refused");
        let accepted = counted("sends_accepted", "Codes that Plivo took to deliver");
        let delivered = counted("sends_delivered", "Codes known to have arrived");
        let undelivered = counted("sends_undelivered", "Codes known not to have arrived");
        let verified = counted("sessions_verified", "Numbers verified, by the last channel");
        let mut metrics = Self {
            requested,
            accepted,
            delivered,
            undelivered,
            verified,
            refusals: Family::default(),
            keys_rejected: Family::default(),
            upstream_calls: Family::new_with_constructor(Seconds(&UPSTREAM_SECONDS)),
            upstream_in_flight: Family::default(),
            upstream_retries: Counter::default(),
            upstream_unexpected: Counter::default(),
            breaker: Family::default(),
            breaker_opened: Counter::default(),
            store_steps: Family::new_with_constructor(Seconds(&STORE_SECONDS)),
            store_commits: Family::new_with_constructor(Seconds(&STORE_SECONDS)),
            store_group_size: Histogram::new(GROUP_SIZES),
            requests: Family::default(),
            request_durations: Histogram::new(UPSTREAM_SECONDS),
            requests_in_flight: Gauge::default(),
            callers_proxies: Counter::default(),
            clock_skew: Family::default(),
            spend_expected: Family::default(),
            spend_charged: Family::default(),
            cost_per_verified: Family::default(),
            test_number_uses: Counter::default(),
            test_number_spread: Counter::default(),
            spend_cap: Family::default(),
            spend_cap_remaining: Family::default(),
            application_spend_cap: Family::default(),
            application_spend_cap_remaining: Family::default(),
            conversion_breaker_tripped: Family::default(),
            conversion_stopped: Family::default(),
            registry,
            process: process(),
        };
        metrics
            .registry
            .register("build_info", "The version that runs", build);
        metrics.breaker_is(BreakerState::Closed);
        metrics.registered().with_money()
    }
}

/// Process metrics, under the names that Prometheus' own clients use.
fn process() -> Registry {
    let mut registry = Registry::default();
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let gauge = Gauge::<f64, AtomicU64>::default();
    gauge.set(started.unwrap_or_default().as_secs_f64());
    registry.register_with_unit(
        "process_start_time",
        "When the process started, since the Unix epoch",
        Unit::Seconds,
        gauge,
    );
    registry
}

/// Bucket bounds in seconds, around Plivo's usual few hundred milliseconds and up to the
/// deadline of a request.
const UPSTREAM_SECONDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Bucket bounds for a store, in milliseconds.
const STORE_SECONDS: [f64; 10] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.5, 5.0,
];

/// Bucket bounds for steps in one commit, up to the largest group.
const GROUP_SIZES: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// Creates histograms with these bounds.
#[derive(Clone)]
struct Seconds(&'static [f64]);

impl MetricConstructor<Histogram> for Seconds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "refusals",
            "Steps that a rule refused",
            self.refusals.clone(),
        );
        registry.register(
            "keys_rejected",
            "Calls whose key was unknown, or came from a page",
            self.keys_rejected.clone(),
        );
        registry.register_with_unit(
            "upstream_call_duration",
            "Calls of Plivo, by how they ended",
            Unit::Seconds,
            self.upstream_calls.clone(),
        );
        registry.register(
            "callers_proxies",
            "Requests whose caller was found to be a trusted proxy",
            self.callers_proxies.clone(),
        );
        registry.register(
            "upstream_calls_in_flight",
            "Calls of Plivo under way",
            self.upstream_in_flight.clone(),
        );
        registry.register(
            "upstream_retries",
            "Calls of Plivo repeated because no connection came about",
            self.upstream_retries.clone(),
        );
        registry.register(
            "upstream_unexpected",
            "Answers of Plivo's to a code that were neither its success nor a refusal",
            self.upstream_unexpected.clone(),
        );
        registry.register(
            "circuit_breaker_state",
            "1 for the state that the breaker in front of Plivo is in",
            self.breaker.clone(),
        );
        registry.register(
            "circuit_breaker_opened",
            "How often the breaker in front of Plivo opened",
            self.breaker_opened.clone(),
        );
        registry.register_with_unit(
            "store_step_duration",
            "Steps of the store",
            Unit::Seconds,
            self.store_steps.clone(),
        );
        registry.register_with_unit(
            "store_commit_duration",
            "Commits of the store, by how they ended",
            Unit::Seconds,
            self.store_commits.clone(),
        );
        registry.register(
            "store_group_size",
            "Steps that shared one commit",
            self.store_group_size.clone(),
        );
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Requests, up to the head of their answer",
            Unit::Seconds,
            self.request_durations.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "Requests not answered yet",
            self.requests_in_flight.clone(),
        );
        registry.register_with_unit(
            "clock_skew",
            "How far the clock that proofs are dated by is ahead of another",
            Unit::Seconds,
            self.clock_skew.clone(),
        );
        self
    }

    /// All metrics in Prometheus' text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for registry in [&self.registry, &self.process] {
            encode(&mut text, registry).expect("writing to memory does not fail");
        }
        text
    }

    /// A send or resend passed every limit, and Plivo is called.
    pub fn send_requested(&self, country: CountryCode, channel: Channel) {
        went(&self.requested, country, channel);
    }

    /// Plivo accepted it.
    pub fn send_accepted(&self, country: CountryCode, channel: Channel) {
        went(&self.accepted, country, channel);
    }

    /// Plivo reported it as delivered. Once for each, over all instances.
    pub fn send_delivered(&self, country: CountryCode, channel: Channel) {
        went(&self.delivered, country, channel);
    }

    /// Plivo reported it as undelivered; it may still arrive. Once for each.
    pub fn send_undelivered(&self, country: CountryCode, channel: Channel) {
        went(&self.undelivered, country, channel);
    }

    /// Its code was entered; `channel` is that of the last delivery.
    pub fn verified(&self, country: CountryCode, channel: Channel) {
        went(&self.verified, country, channel);
    }

    /// The caller found is a trusted proxy.
    pub fn caller_was_proxy(&self) {
        self.callers_proxies.inc();
    }

    /// A rule refused a step.
    pub fn refused(&self, rule: RefusalRule) {
        let rule = rule.as_str();
        self.refusals.get_or_create(&RefusalLabels { rule }).inc();
    }

    /// A call's key was rejected, for that reason.
    pub fn key_rejected(&self, reason: &'static str) {
        self.keys_rejected
            .get_or_create(&KeyLabels { reason })
            .inc();
    }

    /// A call of Plivo begins; it ends when the returned value is dropped.
    pub fn upstream_call(&self, call: UpstreamCall) -> InFlight {
        let label = CallLabels {
            call: call.as_str(),
        };
        InFlight::of(self.upstream_in_flight.get_or_create_owned(&label))
    }

    /// A call of Plivo ended.
    pub fn upstream_ended(&self, call: UpstreamCall, outcome: UpstreamOutcome, took: Duration) {
        let label = UpstreamLabels {
            call: call.as_str(),
            outcome: outcome.as_str(),
        };
        let durations = self.upstream_calls.get_or_create(&label);
        durations.observe(took.as_secs_f64());
    }

    /// A call of Plivo is repeated.
    pub fn upstream_retried(&self) {
        self.upstream_retries.inc();
    }

    /// Plivo answered a code with neither its success nor a refusal.
    pub fn upstream_unexpected(&self) {
        self.upstream_unexpected.inc();
    }

    /// The circuit breaker in front of Plivo has entered that state.
    pub fn breaker_is(&self, now: BreakerState) {
        for state in BreakerState::ALL {
            let label = StateLabels {
                state: state.as_str(),
            };
            let gauge = self.breaker.get_or_create(&label);
            gauge.set(i64::from(*state == now));
        }
        if now == BreakerState::Open {
            self.breaker_opened.inc();
        }
    }

    /// A step of the store ended. The name is the transition's.
    pub fn store_step(&self, step: &'static str, answered: bool, took: Duration) {
        let outcome = if answered { "answered" } else { "unreachable" };
        let durations = self
            .store_steps
            .get_or_create(&StepLabels { step, outcome });
        durations.observe(took.as_secs_f64());
    }

    /// A commit of a group of steps ended.
    pub fn store_commit(&self, members: usize, outcome: &'static str, took: Duration) {
        let durations = self.store_commits.get_or_create(&CommitLabels { outcome });
        durations.observe(took.as_secs_f64());
        let members = u32::try_from(members).unwrap_or(u32::MAX);
        self.store_group_size.observe(f64::from(members));
    }

    /// The clock that dates proofs is that many seconds ahead of the other one; behind it
    /// if negative.
    pub fn clock_skew(&self, other: OtherClock, seconds: f64) {
        let other = other.as_str();
        self.clock_skew
            .get_or_create(&ClockLabels { other })
            .set(seconds);
    }

    /// A request was received; it ends when the returned value is dropped.
    pub fn request(&self) -> InFlight {
        InFlight::of(self.requests_in_flight.clone())
    }

    /// A request was answered. `route` is the route's pattern.
    pub fn request_ended(&self, route: String, status: u16, took: Duration) {
        self.requests
            .get_or_create(&RequestLabels { route, status })
            .inc();
        self.request_durations.observe(took.as_secs_f64());
    }
}

fn went(family: &Family<SendLabels, Counter>, country: CountryCode, channel: Channel) {
    let label = SendLabels {
        country: CountryLabel(country),
        channel: channel.as_str(),
    };
    family.get_or_create(&label).inc();
}

/// Counts something as in flight until it is dropped.
#[must_use = "it is under way as long as this lives"]
pub struct InFlight(Gauge);

impl InFlight {
    fn of(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests;
