//! What is done periodically.

use std::{sync::Arc, time::Duration};

use actix_web::web::Data;

use super::{clock_skew::ClockSkew, run::Run};
use crate::http::{middleware::rate_limit::RateLimits, state::AppState};

/// Interval between two runs.
const INTERVAL: Duration = Duration::from_secs(30);
/// Interval between what is due every moment.
const SHORT_INTERVAL: Duration = Duration::from_secs(1);

/// What is done periodically, and with what.
pub(super) struct Maintenance {
    pub(super) state: Data<AppState>,
    limits: RateLimits,
    skew: ClockSkew,
    pub(super) run: Run,
}

impl Maintenance {
    pub(super) fn new(
        state: Data<AppState>,
        limits: RateLimits,
        skew: ClockSkew,
        run: Run,
    ) -> Self {
        Self {
            state,
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

    /// Reads changed lists, keeps decisions, and asks Plivo for charges that are due.
    pub(super) async fn often(&self) {
        self.state.verification.reload_files().await;
        self.state.verification.keep_decisions().await;
        self.state.verification.collect_charges().await;
    }

    /// Reads rotated keys, looks at what is spent and at the clocks, and drops rate limits
    /// that nobody uses.
    pub(super) async fn once(&self) {
        self.state.proofs.reload();
        self.state.verification.watch_budget().await;
        self.state.verification.report_cost();
        self.run.renew().await;
        self.skew.measure(&self.state.store).await;
        self.limits.sweep();
    }
}
