//! Told waits are kept, also after the clock was set back: whoever waits for as long as
//! they were told gets what they asked for.

use countersign_core::{Limit, Millis, Wait, transitions::Reserved};
use countersign_shared::Channel;

use crate::{settings::Faults, world::World};

impl World {
    /// After a schedule that ended at that moment, when nobody else uses the service. The
    /// clock may be set back to the schedule.
    pub(crate) fn check_that_waits_are_kept(&mut self, ended_at: Millis) {
        self.settings.faults = Faults::none();
        self.start_everything();
        if self.random.percent(50) {
            let earlier = [5_000, 200_000][self.random.index(2)];
            let then = ended_at.0 - self.random.within(0..earlier);
            self.clock.set(Millis(then));
        }
        if self.random.percent(50) {
            self.check_waits_in_a_session();
        }
        let number = self.random.index(self.settings.numbers);
        let caller = self.random.index(self.settings.callers);
        let channel = [Channel::Sms, Channel::Voice][self.random.index(2)];
        let mut waits: Vec<Wait> = Vec::new();
        for _ in 0..3 {
            let session = format!("patient{}", self.name());
            let step = self
                .settings
                .send(&session, (number, caller), channel, None);
            let told = self.execute(&step);
            if !self.is_kept(&mut waits, told) {
                break;
            }
        }
        self.check_waits_in_a_session();
    }

    fn check_waits_in_a_session(&mut self) {
        let names = self.checker.sessions.names();
        let open = names.iter().find(|name| self.view(name).is_some());
        let Some(session) = open.cloned() else { return };
        let caller = self.checker.sessions.caller_of(&session);
        let Some(number) = self.checker.sessions.number_of(&session) else {
            return;
        };
        let mut waits = Vec::new();
        for _ in 0..3 {
            let pair = (number, caller);
            let step = self
                .settings
                .resend(&session, pair, Channel::Sms, false, None);
            let told = self.execute(&step);
            if !self.is_kept(&mut waits, told) {
                break;
            }
        }
        let mut waits = Vec::new();
        for _ in 0..3 {
            let told = self.execute(&self.settings.check(&session, caller, None));
            if !self.is_kept(&mut waits, told) {
                break;
            }
        }
    }

    /// Waits for as long as told. Returns whether there was anything to wait for.
    fn is_kept<R>(&mut self, waits: &mut Vec<Wait>, told: Reserved<R>) -> bool {
        let Reserved::Wait(wait) = told else {
            return false;
        };
        // While somebody waits, a breaker may trip because codes were not entered, and the
        // number may no longer be known.
        let may_begin = matches!(
            wait.limit,
            Some(
                Limit::ConversionPerCountry
                    | Limit::ConversionPerRange
                    | Limit::SendsPerCountry
                    | Limit::SendsPerRange
            )
        );
        let is_new = waits.iter().all(|it| it.limit != wait.limit);
        let is_kept = waits.is_empty() || (may_begin && is_new);
        self.checker
            .require(is_kept, || format!("{wait:?} after {waits:?}"));
        self.pass(wait.retry_after);
        waits.push(wait);
        true
    }
}
