//! In a quiet moment, when nothing is in progress and no outcome is unknown, every decision
//! follows from what happened before. It is computed from plain lists and compared with
//! the rules' own.

use std::time::Duration;

use countersign_core::{
    ApplicationId, Limit, Millis, Session, SessionOver, Wait,
    transitions::{Reserved, SendReservation},
};
use countersign_shared::{Channel, session::SessionStatus};

use crate::{
    border::{key_of, opened},
    expected::{Moments, Next},
    world::World,
};

/// How long the id of an ended session is known.
const ENDED_FOR: Duration = Duration::from_hours(1);

fn latest(moments: &Moments) -> u64 {
    let clear = moments.iter().filter_map(|(_, at)| *at);
    clear.max().unwrap_or_default()
}

impl World {
    pub(crate) fn is_quiet(&self) -> bool {
        let it = &self.checker;
        self.requests.is_empty() && it.in_doubt == 0 && !it.was_set
    }

    /// Compares what anybody would be told now.
    pub(crate) fn check_a_quiet_moment(&mut self) {
        if !self.is_quiet() {
            return;
        }
        let seen = self.seen();
        self.check_each_delivery(&seen);
        for number in 0..self.settings.numbers {
            for caller in 0..self.settings.callers {
                for channel in [Channel::Sms, Channel::Voice] {
                    if self.random.percent(60) {
                        self.check_a_send(number, caller, channel, &seen);
                    }
                }
            }
        }
        let sessions = self.checker.sessions.names();
        match self.random.index(3) {
            0 => self.check_the_attempts(),
            1 => self.check_the_views(),
            _ => {
                let session = self.random.pick(&sessions).cloned();
                self.check_a_resend(&session.unwrap_or_default());
            }
        }
        for session in sessions {
            self.check_a_check(&session);
        }
        self.check_the_claims();
        self.check_the_turns();
    }

    fn check_a_send(&mut self, number: usize, caller: usize, channel: Channel, seen: &[Session]) {
        let now = self.clock_now().0;
        let next = Next {
            number,
            caller,
            channel,
            now,
            is_known: self.checker.is_known(number, now),
        };
        let moments = self.checker.room_for_send(&self.settings, next, false);
        let step = self.settings.send("probe", (number, caller), channel, None);
        let (low, is_known) = match self.read(&step) {
            Reserved::Reserved(reservation) => {
                self.check_a_reservation(next, &moments, &reservation);
                (
                    reservation.low_conversion().to_vec(),
                    reservation.is_known(),
                )
            }
            Reserved::Wait(wait) => {
                self.check_a_wait(&moments, &wait, now, Some(next));
                let is_known = next.is_known != Some(false) && wait.low_conversion.is_empty();
                (wait.low_conversion, is_known)
            }
            other => return self.checker.violations.push(format!("a send is {other:?}")),
        };
        self.check_conversion(next, is_known, &low, seen);
    }

    pub(crate) fn check_a_reservation(
        &mut self,
        next: Next,
        moments: &Moments,
        told: &SendReservation,
    ) {
        let Next { now, is_known, .. } = next;
        self.check_what_is_spent(next, told);
        self.check_room(next, moments);
        self.check_an_exemption(next, told.is_known(), told.low_conversion());
        let is_low = !told.low_conversion().is_empty() || self.checker.has_tripped;
        let is_right = is_low || is_known.is_none_or(|it| it == told.is_known());
        self.checker.require(is_right, || {
            format!("{} is known: {} at {now}", next.number, told.is_known())
        });
        if !is_right || is_low {
            return;
        }
        let after = self.checker.room_for_send(&self.settings, next, true);
        let told = now + u64::try_from(told.next_in(Millis(now)).as_millis()).unwrap_or(u64::MAX);
        let is_clear = after.iter().all(|(_, at)| at.is_some());
        let room_at = latest(&after);
        let is_right = told == room_at || (!is_clear && told > room_at);
        self.checker.require(is_right, || {
            format!("the next send is told for {told} at {now}, and {after:?}")
        });
    }

    /// A send passes only if there is room and no stop.
    pub(crate) fn check_room(&mut self, next: Next, moments: &Moments) {
        let is_stopped = self.checker.operator.stops(next.channel);
        let (now, room_at) = (next.now, latest(moments));
        self.checker.require(room_at <= now && !is_stopped, || {
            format!("a send passes at {now}, and {moments:?}")
        });
    }

    /// A wait is the longest of those that are due.
    pub(crate) fn check_a_wait(
        &mut self,
        moments: &Moments,
        wait: &Wait,
        now: u64,
        send: Option<Next>,
    ) {
        let told = now + u64::try_from(wait.retry_after.as_millis()).unwrap_or(u64::MAX);
        let moments = &self.unless_exempt(moments, wait, send);
        let room_at = latest(moments);
        let own = moments.iter().find(|(limit, _)| *limit == wait.limit);
        let is_right = match own {
            Some((_, Some(at))) => told == *at && told == room_at && told > now,
            _ => told >= room_at,
        };
        self.checker
            .require(is_right, || format!("{wait:?} at {now}, and {moments:?}"));
        self.check_a_cooldown(wait, now);
        if let Some(next) = send {
            let is_stopped = self.checker.operator.stops(next.channel);
            let stopped_until = now + 30 * 60 * 1_000;
            let is_held = told >= stopped_until || !is_stopped;
            let is_right = is_stopped || wait.limit != Some(Limit::Stopped);
            self.checker.require(is_held && is_right, || {
                format!("{wait:?} at {now}, stopped: {is_stopped}")
            });
        }
    }

    /// What a check of a session would be told.
    fn check_a_check(&mut self, session: &str) {
        let Some(known) = self.checker.sessions.known(session) else {
            return;
        };
        if self.checker.operator.has_forgotten(known.number) {
            return;
        }
        let now = self.clock_now();
        let caller = known.caller;
        let mut step = self.settings.check(session, caller, None);
        let told = self.read(&step);
        step.application = match key_of(caller) {
            // Its own server's call without the key.
            Some(_) => None,
            None => Some(ApplicationId::parse("stranger").expect("an id")),
        };
        let to_a_stranger = self.read(&step);
        let checks = u64::from(self.settings.rules.checks_per_session);
        let used = known.checks;
        let over = if now >= known.ends_at.after(ENDED_FOR) {
            Some(SessionOver::NotFound)
        } else if now >= known.ends_at {
            Some(SessionOver::Expired)
        } else if known.is_verified {
            Some(SessionOver::AlreadyVerified)
        } else if used >= checks {
            Some(SessionOver::ChecksExhausted)
        } else {
            None
        };
        let is_hidden = match (&to_a_stranger, over) {
            (Reserved::Over(SessionOver::NotFound), _) => true,
            (Reserved::Over(told), Some(SessionOver::Expired)) => *told == SessionOver::Expired,
            _ => false,
        };
        self.checker.require(is_hidden, || {
            format!("{session} is open to a stranger: {to_a_stranger:?}")
        });
        if let Some(over) = over.filter(|_| known.is_over) {
            let pair = (known.number, caller);
            let step = self
                .settings
                .resend(session, pair, Channel::Sms, false, None);
            let is_told = matches!(self.read(&step), Reserved::Over(told) if told == over);
            self.checker.require(is_told, || {
                format!("{session} is {over:?}, and takes a resend")
            });
        }
        let moments = self.checker.room_for_check(known.number, caller, now.0);
        match (told, over) {
            (Reserved::Over(told), over) => self.checker.require(Some(told) == over, || {
                format!("{session} is {told:?}, and should be {over:?}: {known:?}")
            }),
            (told, Some(over)) => self.checker.require(false, || {
                format!("{session} is {told:?}, and should be {over:?}: {known:?}")
            }),
            (Reserved::Wait(wait), None) => self.check_a_wait(&moments, &wait, now.0, None),
            (Reserved::Reserved(told), None) => {
                let room_at = latest(&moments);
                let left = u64::from(told.session().checks_left);
                let is_right = room_at <= now.0 && left + 1 + used == checks;
                self.checker.require(is_right, || {
                    format!(
                        "{left} checks of {session} are left of {checks}, {used} used; {moments:?}"
                    )
                });
                let status = told.session().status;
                let is_pending = status == SessionStatus::Pending;
                let plivo = opened(&told.upstream().id);
                self.checker.require(is_pending, || {
                    format!("{session} is {status:?} over {plivo}")
                });
            }
            (Reserved::Repeated(it), None) => self.checker.violations.push(format!("{it:?}")),
        }
    }
}
