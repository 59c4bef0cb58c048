//! What is done periodically.

use std::{sync::Arc, time::Duration};

use actix_web::web::Data;
use tokio::time::MissedTickBehavior;

use super::{clock_skew::ClockSkew, run::Run};
use crate::config::ApplicationsFile;
use crate::http::{middleware::rate_limit::RateLimits, state::AppState};

/// Interval between two runs.
const INTERVAL: Duration = Duration::from_secs(30);
/// Interval between what is due every moment.
const SHORT_INTERVAL: Duration = Duration::from_secs(1);

/// What is done periodically, and with what.
pub(super) struct Maintenance {
    pub(super) state: Data<AppState>,
    /// Where the applications come from a file.
    applications: Option<ApplicationsFile>,
    limits: RateLimits,
    skew: ClockSkew,
    pub(super) run: Run,
}

impl Maintenance {
    pub(super) fn new(
        state: Data<AppState>,
        applications: Option<ApplicationsFile>,
        limits: RateLimits,
        skew: ClockSkew,
        run: Run,
    ) -> Self {
        Self {
            state,
            applications,
            limits,
            skew,
            run,
        }
    }

    /// Runs until it is aborted. Each task has a loop of its own, so that a list is in
    /// force at once while Plivo or the store makes another task wait.
    pub(super) async fn run(self: Arc<Self>) {
        let verification = &self.state.verification;
        tokio::join!(
            every(SHORT_INTERVAL, || verification.reload_files()),
            every(SHORT_INTERVAL, || verification.keep_decisions()),
            every(SHORT_INTERVAL, || verification.collect_charges()),
            every(INTERVAL, || self.once()),
        );
    }

    /// Reads changed lists, keeps decisions, and asks Plivo for charges that are due.
    pub(super) async fn often(&self) {
        self.state.verification.reload_files().await;
        self.state.verification.keep_decisions().await;
        self.state.verification.collect_charges().await;
    }

    /// Reads the applications again, which may have changed. Where that fails the known
    /// ones stay.
    pub(super) fn reload_applications(&self) {
        let Some(read) = self.applications.as_ref().map(ApplicationsFile::read) else {
            return;
        };
        match read.map(|applications| self.state.applications.replace(applications)) {
            Ok(true) => {
                log::info!(event = "applications.changed"; "the applications changed");
                self.state.verification.applications_changed();
            }
            Ok(false) => {}
            Err(error) => {
                log::error!(event = "applications.unreadable"; "{error}; the known ones stay");
            }
        }
    }

    /// Reads rotated keys and changed applications, looks at what is spent and at the clocks, and drops rate limits
    /// that nobody uses.
    pub(super) async fn once(&self) {
        self.state.proofs.reload();
        self.reload_applications();
        self.state.verification.watch_budget().await;
        self.state.verification.report_cost();
        self.state.verification.lease_charge_queues().await;
        self.run.renew().await;
        self.skew.measure(&self.state.store).await;
        self.limits.sweep();
    }
}

/// Repeats `work`. What took too long is not made up for: Plivo's charges are asked for at
/// a bounded rate.
async fn every<F: Future<Output = ()>>(interval: Duration, work: impl Fn() -> F) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        work().await;
    }
}
