//! Periodic maintenance.

use std::{sync::Arc, time::Duration};

use actix_web::web::Data;
use tokio::time::MissedTickBehavior;

use super::{clock_skew::ClockSkew, run::Run};
use crate::config::ApplicationsFile;
use crate::http::{middleware::rate_limit::RateLimits, state::AppState};

/// Interval between two runs.
const INTERVAL: Duration = Duration::from_secs(30);
/// Interval between the frequent tasks.
const SHORT_INTERVAL: Duration = Duration::from_secs(1);

/// Periodic maintenance and what it works on.
pub(super) struct Maintenance {
    pub(super) state: Data<AppState>,
    /// The applications file, if there is one.
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

    /// The frequent tasks: reloads changed lists, writes queued decisions, and fetches
    /// charges that are due from Plivo.
    pub(super) async fn often(&self) {
        self.state.verification.reload_files().await;
        self.state.verification.keep_decisions().await;
        self.state.verification.collect_charges().await;
    }

    /// Reloads the applications file. If that fails, the loaded ones stay.
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

    /// The other tasks: reloads rotated keys and changed applications, checks the budget
    /// and clock skew, and drops idle rate limits.
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
