//! Periodic maintenance.

use std::{sync::Arc, time::Duration};

use actix_web::web::Data;

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

    /// Runs until it is aborted.
    pub(super) async fn run(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(INTERVAL);
        let mut short_ticks = tokio::time::interval(SHORT_INTERVAL);
        let often = async {
            loop {
                short_ticks.tick().await;
                self.often().await;
            }
        };
        let seldom = async {
            loop {
                ticks.tick().await;
                self.once().await;
            }
        };
        tokio::join!(often, seldom);
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
                self.state.verification.forget_application_caps();
                log::info!(event = "applications.changed"; "the applications changed");
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
        self.run.renew().await;
        self.skew.measure(&self.state.store).await;
        self.limits.sweep();
    }
}
