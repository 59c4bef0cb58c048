//! A circuit breaker: Plivo is not called for a while if at least half of the recent calls
//! failed, or after it asked for a pause.
//!
//! A state machine without a clock of its own. Only failures of Plivo open it; a wrong code
//! or a refused number is an answer like any other, so nobody can take the service down by
//! typing.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use countersign_metrics::BreakerState;
use countersign_platform::clock::until;

/// Window of the calls that count.
const WINDOW: Duration = Duration::from_secs(10);
/// At most this many of the newest calls count.
const MAX_JUDGED: usize = 200;
/// With fewer failures it stays closed.
const MIN_FAILURES: usize = 5;
/// How long it stays open before one call is tried.
pub(crate) const OPEN_FOR: Duration = Duration::from_secs(5);
/// `Retry-After` while one call is tried.
const PROBE_WAIT: Duration = Duration::from_secs(1);
/// The longest pause that Plivo can ask for.
pub(crate) const MAX_PAUSE: Duration = Duration::from_secs(30);

/// What a call says about Plivo's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallHealth {
    /// Plivo answered, whatever it was.
    Worked,
    /// It failed.
    Failed,
    /// Cancelled: the end is not known.
    Unknown,
}

/// A ticket for one call.
#[derive(Debug)]
#[must_use = "every call is settled"]
pub(crate) struct Ticket {
    /// The closed or half-open period it belongs to: a call that ends in a later one does
    /// not count.
    epoch: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: SystemTime,
    },
    /// One call is under way.
    HalfOpen,
}

/// The circuit breaker in front of Plivo.
#[derive(Debug)]
pub(crate) struct CircuitBreaker {
    state: State,
    epoch: u64,
    /// When calls ended, and whether they failed.
    judged: VecDeque<(SystemTime, bool)>,
    paused_until: SystemTime,
}

impl CircuitBreaker {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Closed,
            epoch: 0,
            judged: VecDeque::new(),
            paused_until: SystemTime::UNIX_EPOCH,
        }
    }

    /// The current state.
    pub(crate) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen => BreakerState::HalfOpen,
        }
    }

    /// Whether a call would pass, without making one; otherwise for how long none does.
    pub(crate) fn look(&self, now: SystemTime) -> Result<(), Duration> {
        let wait = match self.state {
            State::Closed => Duration::ZERO,
            State::Open { until: end } => until(end, now),
            State::HalfOpen => PROBE_WAIT,
        };
        match wait.max(until(self.paused_until, now)) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        }
    }

    /// A ticket for a call, or for how long there is none. The first call after an open
    /// period is the probe.
    pub(crate) fn admit(&mut self, now: SystemTime) -> Result<Ticket, Duration> {
        self.look(now)?;
        if let State::Open { .. } = self.state {
            self.enter(State::HalfOpen);
        }
        Ok(Ticket { epoch: self.epoch })
    }

    /// A call has ended.
    pub(crate) fn settle(&mut self, ticket: &Ticket, health: CallHealth, now: SystemTime) {
        if ticket.epoch != self.epoch {
            return;
        }
        let reopened = State::Open {
            until: now + OPEN_FOR,
        };
        match (self.state, health) {
            (State::Closed, CallHealth::Worked | CallHealth::Failed) => {
                self.judge(health == CallHealth::Failed, now);
                if self.is_failing() {
                    self.enter(reopened);
                }
            }
            (State::HalfOpen, CallHealth::Worked) => self.enter(State::Closed),
            (State::HalfOpen, CallHealth::Failed) => self.enter(reopened),
            // Another one may be tried at once.
            (State::HalfOpen, CallHealth::Unknown) => self.enter(State::Open { until: now }),
            (State::Closed, CallHealth::Unknown) | (State::Open { .. }, _) => {}
        }
    }

    /// Plivo asked for a pause.
    pub(crate) fn pause(&mut self, wait: Duration, now: SystemTime) {
        let end = now + wait.min(MAX_PAUSE);
        self.paused_until = self.paused_until.max(end);
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
        self.judged.clear();
    }

    fn judge(&mut self, failed: bool, now: SystemTime) {
        self.judged.push_back((now, failed));
        let is_old = |at: SystemTime| at + WINDOW < now;
        while self.judged.len() > MAX_JUDGED
            || self.judged.front().is_some_and(|(at, _)| is_old(*at))
        {
            self.judged.pop_front();
        }
    }

    fn is_failing(&self) -> bool {
        let failures = self.judged.iter().filter(|(_, failed)| *failed).count();
        failures >= MIN_FAILURES && failures * 2 >= self.judged.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    #[derive(Clone, Copy, Debug)]
    enum Event {
        Begin,
        /// A call under way, by its index.
        End(usize, CallHealth),
        Pass(u64),
        Pause(u64),
    }

    fn verdicts() -> impl Strategy<Value = CallHealth> {
        prop_oneof![
            Just(CallHealth::Worked),
            Just(CallHealth::Failed),
            Just(CallHealth::Unknown)
        ]
    }

    fn events(verdicts: impl Strategy<Value = CallHealth>) -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            6 => Just(Event::Begin),
            6 => (0..64_usize, verdicts).prop_map(|(place, verdict)| Event::End(place, verdict)),
            1 => (0..7_000_u64).prop_map(Event::Pass),
            1 => (0..90_u64).prop_map(Event::Pause),
        ];
        prop::collection::vec(event, 0..400)
    }

    proptest! {
        /// In whatever order calls begin and end: while it is not closed, at most one call
        /// passes; and in the end it lets calls through again.
        #[test]
        fn two_are_never_tried_at_once(events in events(verdicts())) {
            let (mut breaker, mut now) = (CircuitBreaker::new(), START);
            let mut under_way: Vec<Ticket> = Vec::new();
            for event in events {
                match event {
                    Event::Begin => {
                        let looked = breaker.look(now);
                        let admitted = breaker.admit(now);
                        prop_assert_eq!(looked.err(), admitted.as_ref().err().copied());
                        under_way.extend(admitted);
                    }
                    Event::End(place, verdict) if !under_way.is_empty() => {
                        let ticket = under_way.swap_remove(place % under_way.len());
                        breaker.settle(&ticket, verdict, now);
                    }
                    Event::End(..) => {}
                    Event::Pass(milliseconds) => now += Duration::from_millis(milliseconds),
                    Event::Pause(seconds) => breaker.pause(Duration::from_secs(seconds), now),
                }
                let tried = under_way.iter().filter(|it| it.epoch == breaker.epoch).count();
                match breaker.state() {
                    BreakerState::Closed => {}
                    BreakerState::Open => prop_assert_eq!(tried, 0),
                    BreakerState::HalfOpen => prop_assert_eq!(tried, 1),
                }
            }
            for ticket in under_way {
                breaker.settle(&ticket, CallHealth::Unknown, now);
            }
            now += OPEN_FOR.max(MAX_PAUSE);
            let ticket = breaker.admit(now).unwrap();
            breaker.settle(&ticket, CallHealth::Worked, now);
            prop_assert!(breaker.admit(now).is_ok());
        }

        /// Answers, wrong codes included, never open it, nor do cancelled calls.
        #[test]
        fn answers_never_open_it(
            events in events(prop_oneof![Just(CallHealth::Worked), Just(CallHealth::Unknown)])
        ) {
            let (mut breaker, mut now) = (CircuitBreaker::new(), START);
            let mut under_way: Vec<Ticket> = Vec::new();
            for event in events {
                match event {
                    Event::Begin => under_way.push(breaker.admit(now).unwrap()),
                    Event::End(place, verdict) if !under_way.is_empty() => {
                        let ticket = under_way.swap_remove(place % under_way.len());
                        breaker.settle(&ticket, verdict, now);
                    }
                    Event::Pass(milliseconds) => now += Duration::from_millis(milliseconds),
                    Event::End(..) | Event::Pause(_) => {}
                }
                prop_assert_eq!(breaker.state(), BreakerState::Closed);
            }
        }
    }

    fn call(breaker: &mut CircuitBreaker, health: CallHealth, now: SystemTime) {
        let ticket = breaker.admit(now).unwrap();
        breaker.settle(&ticket, health, now);
    }

    #[test]
    fn it_opens_when_half_of_the_calls_fail_and_a_few_at_least() {
        let mut breaker = CircuitBreaker::new();
        for _ in 0..4 {
            call(&mut breaker, CallHealth::Failed, START);
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
        // Those no longer count.
        let later = START + WINDOW + Duration::from_millis(1);
        for _ in 0..6 {
            call(&mut breaker, CallHealth::Worked, later);
        }
        for _ in 0..5 {
            call(&mut breaker, CallHealth::Failed, later);
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
        call(&mut breaker, CallHealth::Failed, later);
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.admit(later).unwrap_err(), OPEN_FOR);
        let tried = breaker.admit(later + OPEN_FOR).unwrap();
        assert_eq!(breaker.admit(later + OPEN_FOR * 2).unwrap_err(), PROBE_WAIT);
        breaker.settle(&tried, CallHealth::Failed, later + OPEN_FOR);
        assert_eq!(breaker.look(later + OPEN_FOR), Err(OPEN_FOR));
    }

    #[test]
    fn a_pause_is_honoured_and_has_an_end() {
        let mut breaker = CircuitBreaker::new();
        breaker.pause(Duration::from_secs(7), START);
        breaker.pause(Duration::from_secs(2), START);
        assert_eq!(breaker.look(START), Err(Duration::from_secs(7)));
        breaker.pause(Duration::from_hours(1), START);
        assert_eq!(breaker.look(START), Err(MAX_PAUSE));
        assert_eq!(breaker.look(START + MAX_PAUSE), Ok(()));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
}
