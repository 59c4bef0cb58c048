//! The operator beside the service: stops and starts sends, frees numbers or has them
//! forgotten. What holds from then on.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use countersign_core::{
    Key, Limit, Millis, Stop,
    transitions::{FreeNumber, Reserved, SetStop},
};
use countersign_shared::Channel;

use crate::{
    border::number_key,
    checker::Checker,
    event::Event,
    outcome::{Answered, Outcome},
    request::{Kind, Phase, Request, Work},
    settings::Settings,
    world::World,
};

/// How much later than its reservation a session may be recorded.
const MAX_LATER: Duration = Duration::from_secs(15);

/// What the operator does.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Something is stopped from now on, or not.
    Set(Stop, bool),
    /// A number is freed.
    Free {
        number: usize,
        forget: bool,
        /// Whether it was forgotten before.
        is_again: bool,
    },
}

/// What is known of what the operator did.
#[derive(Default)]
pub(crate) struct Operator {
    /// The number that is let through as if it were known.
    allowed: Option<usize>,
    operations_left: u64,
    /// No request was in progress when the last operation began.
    began_quietly: bool,
    /// What is stopped for every request after that one.
    surely: BTreeSet<Stop>,
    /// What may be stopped.
    perhaps: BTreeSet<Stop>,
    since: u64,
    /// Up to when each number's uses may be freed.
    freed: BTreeMap<usize, Millis>,
    forgotten: BTreeSet<usize>,
}

impl Operator {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            allowed: (0..settings.numbers).find(|it| settings.is_allowed(*it)),
            operations_left: settings.operations,
            ..Self::default()
        }
    }

    pub(crate) fn allows(&self, number: usize) -> bool {
        self.allowed == Some(number)
    }

    /// Whether sends on that channel are stopped, with nothing in doubt.
    pub(crate) fn stops(&self, channel: Channel) -> bool {
        holds(&self.surely, channel)
    }

    pub(crate) fn has_freed(&self, number: usize) -> bool {
        self.freed.contains_key(&number)
    }

    /// Whether a use of that moment may be freed.
    pub(crate) fn may_be_freed(&self, number: usize, at: u64) -> bool {
        self.freed.get(&number).is_some_and(|until| until.0 >= at)
    }

    pub(crate) fn has_forgotten(&self, number: usize) -> bool {
        self.forgotten.contains(&number)
    }

    pub(crate) fn has_forgotten_any(&self) -> bool {
        !self.forgotten.is_empty()
    }
}

/// Every send of a schedule goes to the US.
fn holds(stops: &BTreeSet<Stop>, channel: Channel) -> bool {
    stops.iter().any(|stop| match stop {
        Stop::All => true,
        Stop::Country(code) => code == "US",
        Stop::Channel(name) => name == channel.as_str(),
    })
}

impl Checker {
    /// A send was reserved: it must not have begun after it was stopped.
    pub(crate) fn not_stopped(&mut self, request: &Request, channel: Channel) {
        let it = &self.operator;
        let is_stopped = request.id > it.since && holds(&it.surely, channel);
        self.require(!is_stopped, || {
            format!("{} is sent, and {channel} is stopped", request.id)
        });
    }

    /// A request was refused because of a stop: it must be a send that may be stopped.
    pub(crate) fn stopped(&mut self, request: &Request) {
        let channel = match request.asked.as_ref().map(|it| it.kind) {
            Some(Kind::Send(channel) | Kind::Resend(channel)) => Some(channel),
            _ => None,
        };
        let it = &self.operator;
        let may_be = |channel| request.id <= it.since || holds(&it.perhaps, channel);
        let is_right = channel.is_some_and(may_be);
        self.require(is_right, || format!("{} is not stopped", request.id));
    }

    fn freed(&mut self, number: usize, forget: bool, until: Millis) {
        self.sends.free(number);
        self.wrong.free(number);
        self.operator.freed.insert(number, until);
        if forget {
            self.operator.forgotten.insert(number);
        }
    }
}

impl World {
    /// The operator does the next thing a while after the last one. What is in doubt has
    /// happened by then, or never will.
    pub(crate) fn operator_waits(&mut self, is_in_doubt: bool) {
        let pause = self.settings.pause * self.settings.actions / (self.settings.operations + 1);
        let least = if is_in_doubt { 2_000 } else { 0 };
        let after = self.random.millis(least..least + pause + 1);
        if self.checker.operator.operations_left > 0 {
            self.schedule(after, Event::Operate);
        }
    }

    pub(crate) fn operate(&mut self) {
        let Some(left) = self.checker.operator.operations_left.checked_sub(1) else {
            return;
        };
        self.checker.operator.operations_left = left;
        let number = self.random.index(self.settings.numbers);
        let forget = self.settings.forgets && self.random.percent(50);
        let operation = match self.random.within(0..10) {
            0..3 => Operation::Free {
                number,
                forget,
                is_again: self.checker.operator.has_forgotten(number),
            },
            3..7 => Operation::Set(self.some_stop(), true),
            _ => Operation::Set(self.some_stop(), false),
        };
        self.begin_operation(operation);
    }

    fn some_stop(&mut self) -> Stop {
        match self.random.within(0..10) {
            0..3 => Stop::All,
            3..6 => Stop::Country("US".to_owned()),
            6 => Stop::Country("GB".to_owned()),
            7..9 => Stop::Channel("sms".to_owned()),
            _ => Stop::Channel("voice".to_owned()),
        }
    }

    fn begin_operation(&mut self, operation: Operation) {
        let it = &mut self.checker.operator;
        it.began_quietly = self.requests.is_empty();
        match &operation {
            Operation::Set(stop, true) => drop(it.perhaps.insert(stop.clone())),
            Operation::Set(stop, false) => drop(it.surely.remove(stop)),
            Operation::Free { .. } => {}
        }
        self.note(|_| format!("the operator: {operation:?}"));
        let id = self.admit(None, Work::Operate(operation.clone()), Phase::Only);
        match operation {
            Operation::Set(stop, is_stopped) => {
                let change = Some((stop, is_stopped));
                self.submit(id, SetStop { change }, Outcome::Stops);
            }
            Operation::Free { number, forget, .. } => {
                // From here on it may be free.
                let until = self.clock_now();
                self.checker.freed(number, forget, until);
                let step = FreeNumber {
                    number: number_key(number),
                    forget,
                    rules: self.settings.rules.clone(),
                };
                self.submit(id, step, |_| Outcome::Done);
            }
        }
    }

    pub(crate) fn operated(&mut self, request: &Request, operation: &Operation, answer: Answered) {
        let is_in_doubt = answer.is_err();
        match (operation, answer) {
            (Operation::Set(..), Ok(Outcome::Stops(stops))) => {
                let since = self.checker.answers.newest_request;
                let it = &mut self.checker.operator;
                it.surely = stops.iter().cloned().collect();
                it.perhaps.clone_from(&it.surely);
                it.since = since;
            }
            (
                Operation::Free {
                    number,
                    forget,
                    is_again,
                },
                answer,
            ) => {
                // Also of sends that were reserved meanwhile.
                let until = self.clock_now();
                self.checker.freed(*number, *forget, until);
                let is_quiet =
                    self.checker.answers.newest_request == request.id && self.requests.is_empty();
                if is_quiet && answer.is_ok() {
                    // What was on its way when it was forgotten begins all the same, and
                    // nothing leads to it.
                    let is_forgotten = *forget && !is_again && self.checker.operator.began_quietly;
                    self.check_that_it_is_free(*number, is_forgotten);
                }
            }
            _ => {}
        }
        self.operator_waits(is_in_doubt);
    }

    /// The process died that was to do it.
    pub(crate) fn operation_lost(&mut self, operation: &Operation) {
        if let Operation::Free { number, forget, .. } = operation {
            // It may be on its way to the store.
            let until = self.clock_now().after(Duration::from_secs(1));
            self.checker.freed(*number, *forget, until);
        }
        self.operator_waits(true);
    }

    /// A number that was freed owes no wait for anything of its own; one that was forgotten
    /// has no session.
    fn check_that_it_is_free(&mut self, number: usize, forget: bool) {
        let mut step = self
            .settings
            .send("probe", (number, 0), Channel::Voice, None);
        step.limits.checks.retain(|check| {
            let limit = check.limit;
            matches!(limit, Limit::SendsPerNumber | Limit::VoicePerNumber)
        });
        let waits = match self.read(&step) {
            Reserved::Wait(wait) => matches!(
                wait.limit,
                None | Some(Limit::SendsPerNumber | Limit::VoicePerNumber)
            ),
            _ => false,
        };
        self.checker
            .require(!waits, || format!("{number} is freed, and waits"));
        let is_known = self
            .store
            .rows()
            .contains_key(&Key::new(&format!("known/{number}")));
        self.checker.require(!(forget && is_known), || {
            format!("{number} is forgotten, and is known")
        });
        let are_few = self.checker.sends.of_number(number) <= 8;
        if forget && are_few && !self.checker.was_set {
            let sessions = self.checker.sessions.names_of(number);
            // One that was recorded long after it was reserved ends a while after that
            // is forgotten, and then by itself.
            let lives = |name: &String| {
                let seen = self.view(name);
                seen.is_some_and(|seen| seen.expires_in() > MAX_LATER)
            };
            let left = sessions.iter().find(|name| lives(name));
            let left = left.cloned();
            self.checker.require(left.is_none(), || {
                format!("{number} is forgotten, and {left:?} is there")
            });
        }
    }

    /// At the end of a schedule: nothing is stopped any more.
    pub(crate) fn start_everything(&mut self) {
        self.pass(Duration::from_secs(5));
        for stop in self.checker.operator.perhaps.clone() {
            self.begin_operation(Operation::Set(stop, false));
            self.run();
        }
        let is_nothing = self.checker.operator.perhaps.is_empty();
        self.checker
            .require(is_nothing, || "something stays stopped".to_owned());
    }
}
