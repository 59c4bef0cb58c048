//! Too few codes of known numbers are entered: where that is enforced, they are no longer
//! exempt. Allowed numbers are.

use std::{sync::Arc, time::Duration};

use countersign_core::{
    Destination, Limit, Settlement, Verdict, keys,
    transitions::{RecordSent, Recorded, ReleaseSend, ReserveSend, Reserved, SettleCheck},
};
use countersign_shared::Channel;

use crate::{border::upstream, world::World};

/// Sends that are enough to be judged, whatever the floor.
const ENOUGH: usize = 8;
/// Numbers of their own.
const ALLOWED: usize = 30;
const KNOWN: usize = 29;
const OPEN: usize = 28;

impl World {
    pub(super) fn check_known_numbers(&mut self) {
        self.check_open_sends();
        let rules = self.settings.rules.clone();
        let Some(rule) = rules
            .conversion
            .filter(|_| rules.known_numbers_for.is_some())
        else {
            return;
        };
        for number in ALLOWED..ALLOWED + ENOUGH {
            self.sent_beside(number);
        }
        self.pass(rule.grace + Duration::from_secs(1));
        self.verified_beside(KNOWN);
        // Longer than the first wait, and the number is still known.
        self.pass(Duration::from_secs(5));
        for number in [KNOWN, ALLOWED + ENOUGH] {
            let step = self.beside(number);
            let Reserved::Reserved(told) = self.read(&step) else {
                continue;
            };
            let low = told.low_conversion().iter();
            let is_low = low.clone().any(|it| it.limit == Limit::ConversionOfKnown);
            let is_allowed = number != KNOWN;
            let is_exempt = is_allowed || !rule.enforced;
            let is_right = told.is_known() == is_exempt && is_low != is_allowed;
            self.checker.require(is_right, || {
                format!(
                    "allowed: {is_allowed}, exempt: {}, {rule:?}",
                    told.is_known()
                )
            });
        }
    }

    /// A verified number is exempt for two sends, whatever becomes of later ones.
    fn check_open_sends(&mut self) {
        let rules = self.settings.rules.clone();
        let verified_at = self.clock_now();
        self.verified_beside(OPEN);
        for index in 0..4 {
            self.pass(Duration::from_secs(40));
            let step = self.beside(OPEN);
            let Reserved::Reserved(told) = self.execute(&step) else {
                return;
            };
            let kept_for = rules.known_numbers_for.unwrap_or_default();
            let is_known = verified_at.after(kept_for) > self.clock_now() && index < 2;
            self.checker.require(told.is_known() == is_known, || {
                format!(
                    "send {index} after a verification is known: {}",
                    told.is_known()
                )
            });
            if index == 2 {
                self.execute(&ReleaseSend {
                    reservation: Arc::new(told),
                    rules: rules.clone(),
                });
            }
        }
    }

    fn beside(&mut self, number: usize) -> ReserveSend {
        let session = format!("beside{}", self.name());
        let mut step = self
            .settings
            .send(&session, (number, 0), Channel::Sms, None);
        step.limits.checks.clear();
        step.limits.is_allowed = number >= ALLOWED;
        step.limits.destination = Destination {
            country: keys::conversion("country beside"),
            range: keys::conversion("range beside"),
            known: keys::conversion("known beside"),
        };
        step
    }

    fn sent_beside(&mut self, number: usize) -> Option<ReserveSend> {
        let step = self.beside(number);
        let Reserved::Reserved(reservation) = self.execute(&step) else {
            return None;
        };
        let recorded = self.execute(&RecordSent {
            new: step.new.clone(),
            upstream: upstream(&format!("beside{number}")),
            reservation: Arc::new(reservation),
            rules: step.rules.clone(),
        });
        matches!(recorded, Recorded::Sent { .. }).then_some(step)
    }

    fn verified_beside(&mut self, number: usize) {
        let Some(send) = self.sent_beside(number) else {
            return;
        };
        let mut check = self.settings.check("", 0, None);
        check.session = send.new.key.clone();
        check.checks.clear();
        let Reserved::Reserved(reservation) = self.execute(&check) else {
            return;
        };
        let settled = self.execute(&SettleCheck {
            reservation: Arc::new(reservation),
            verdict: Verdict::Accepted,
            proof: None,
            destination: send.limits.destination,
            rules: send.rules,
        });
        self.checker.require(settled == Settlement::Verified, || {
            format!("a code beside is {settled:?}")
        });
    }
}
