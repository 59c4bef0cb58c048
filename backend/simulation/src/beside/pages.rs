//! Pages of an application's server: the button sends one code, in its time.

use std::time::Duration;

use countersign_core::{
    Millis, Sealed, SessionOver, UpstreamOutcome,
    flow::{DeliverFlow, DeliverStep, Reserve},
    keys,
    transitions::{BeginPage, Reserved, SendReservation, ViewPage},
};
use countersign_shared::Channel;

use crate::{border::upstream, steps::failed, world::World};

const LIFETIME: Duration = Duration::from_mins(2);
/// How long a page is shown after its button has expired.
const SHOWN_LONGER: Duration = Duration::from_mins(15);

impl World {
    pub(super) fn check_pages(&mut self) {
        let page = keys::page("page");
        let content = Sealed(b"content".to_vec());
        let until = self.execute(&BeginPage {
            page: page.clone(),
            content: content.clone(),
            lifetime: LIFETIME,
        });
        let is_right = until == self.clock_now().after(LIFETIME);
        self.checker
            .require(is_right, || format!("a page lives until {until:?}"));
        let mut is_pressed = false;
        for _ in 0..10 {
            let longest = [30_000, 30_000, 300_000][self.random.index(3)];
            let by = self.random.millis(0..longest);
            self.pass(by);
            let now = self.clock_now();
            let told = self.execute(&ViewPage { page: page.clone() });
            let is_shown = until.after(SHOWN_LONGER) > now;
            let expected = is_shown.then(|| content.clone());
            self.checker.require(told.clone().ok() == expected, || {
                format!("a page until {until:?} is {told:?} at {now:?}")
            });
            is_pressed = self.press(is_pressed, until);
        }
    }

    /// Presses the button. Returns whether that has sent a code, or may have.
    fn press(&mut self, is_pressed: bool, until: Millis) -> bool {
        let now = self.clock_now();
        let session = format!("page{}", self.name());
        let mut step = self.settings.send(&session, (9, 0), Channel::Sms, None);
        step.page = Some(keys::page("page"));
        step.limits.checks.clear();
        let step = Reserve::Send(step);
        let told = self.execute(&step);
        let may_press = !is_pressed && until > now;
        let is_right = match &told {
            Reserved::Over(over) => !may_press && *over == SessionOver::Expired,
            _ => may_press,
        };
        self.checker.require(is_right, || {
            format!("a page until {until:?} at {now:?}, pressed: {is_pressed}: {told:?}")
        });
        let Reserved::Reserved(reservation) = told else {
            return is_pressed;
        };
        self.go_on(DeliverFlow::new(&step), reservation)
    }

    fn go_on(&mut self, mut flow: DeliverFlow, reservation: SendReservation) -> bool {
        let _ = flow.reserved(Ok::<_, ()>(Reserved::Reserved(reservation)));
        let outcomes = [
            UpstreamOutcome::Done,
            UpstreamOutcome::Rejected,
            UpstreamOutcome::Throttled,
            UpstreamOutcome::NotAsked,
            UpstreamOutcome::Timeout,
        ];
        let outcome = outcomes[self.random.index(5)];
        let answer = match outcome {
            UpstreamOutcome::Done => Ok(upstream(&format!("page{}", self.name()))),
            failure => Err(failure),
        };
        match flow.called(answer, failed) {
            DeliverStep::Record(step) => drop(self.execute(&step)),
            DeliverStep::Release(step) => self.execute(&step),
            DeliverStep::Close(step) => self.execute(&step),
            _ => {}
        }
        !matches!(
            outcome,
            UpstreamOutcome::Throttled | UpstreamOutcome::NotAsked
        )
    }
}
