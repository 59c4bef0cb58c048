//! Simulated callers: they send, resend, try codes, repeat requests under their key or with
//! another body, and watch sessions.

use std::time::Duration;

use countersign_core::{
    Answer, Repetition, Settlement,
    flow::{CheckEnd, DeliverEnd},
    transitions::CallbackOutcome,
};
use countersign_shared::Channel;
use countersign_store::StoreError;

use crate::{
    border::{Keyed, opened},
    event::Event,
    outcome::Outcome,
    request::{Asked, Callback, Kind, Request, Work},
    world::World,
};

#[derive(Default)]
pub(crate) struct Person {
    pub(crate) actions_left: u64,
    /// Sessions they know, each with its number.
    pub(crate) sessions: Vec<(String, usize)>,
    /// Their requests under keys.
    asked: Vec<Asked>,
}

impl World {
    /// Performs a person's next action, and schedules the one after it.
    pub(crate) fn act(&mut self, person: usize) {
        let it = &mut self.people[person];
        let Some(left) = it.actions_left.checked_sub(1) else {
            return;
        };
        it.actions_left = left;
        let pause = self.settings.pause;
        let after = self.random.millis(0..pause);
        self.schedule(after, Event::Act(person));
        match self.random.within(0..20) {
            0..5 => self.ask_to_send(person),
            5..8 => self.repeat(person),
            8..10 => self.ask_to_resend(person),
            10..13 => self.watch(person),
            _ => self.try_a_code(person),
        }
    }

    fn asked(&mut self, person: usize, number: usize, session: String, kind: Kind) -> Asked {
        let keyed = self.random.percent(60).then(|| self.key());
        let asked = Asked {
            person,
            caller: person % self.settings.callers,
            number,
            session,
            keyed,
            kind,
        };
        if asked.keyed.is_some() {
            self.people[person].asked.push(asked.clone());
        }
        asked
    }

    /// A program that gets no answer repeats the request, perhaps while the first one is
    /// still in progress.
    fn retry(&mut self, asked: &Asked) {
        if asked.keyed.is_none() {
            return;
        }
        while self.random.percent(15) {
            let after = self.random.millis(10..9_000);
            self.schedule(after, Event::Again(asked.clone()));
        }
    }

    /// A caller repeats a request before its answer comes, under its key or as a new one.
    pub(crate) fn lose_patience(&mut self, request: u64, answered_after: Duration) {
        let asked = self.requests.get(&request).and_then(|it| it.asked.clone());
        let Some(mut asked) = asked.filter(|_| self.random.percent(60)) else {
            return;
        };
        if self.random.percent(50) {
            asked.keyed = None;
        }
        let within = u64::try_from(answered_after.as_millis()).unwrap_or_default();
        let after = self.random.millis(0..within);
        self.schedule(after, Event::Again(asked));
    }

    /// Repeats a request under its key.
    pub(crate) fn ask_again(&mut self, mut asked: Asked) {
        if let Kind::Send(_) = asked.kind {
            asked.session = format!("session{}", self.name());
        }
        self.begin(asked);
    }

    fn channel(&mut self) -> Channel {
        let is_voice = self.random.percent(15);
        if is_voice {
            Channel::Voice
        } else {
            Channel::Sms
        }
    }

    fn ask_to_send(&mut self, person: usize) {
        let number = self.random.index(self.settings.numbers);
        let session = format!("session{}", self.name());
        let channel = self.channel();
        let asked = self.asked(person, number, session, Kind::Send(channel));
        self.retry(&asked);
        self.begin(asked);
    }

    pub(crate) fn known_session(&mut self, person: usize) -> Option<(String, usize)> {
        let sessions = &self.people[person].sessions;
        let is_last = self.random.percent(60);
        let session = if is_last {
            sessions.last()
        } else {
            self.random.pick(sessions)
        };
        session.cloned()
    }

    fn ask_to_resend(&mut self, person: usize) {
        let Some((session, number)) = self.known_session(person) else {
            return self.ask_to_send(person);
        };
        let channel = self.channel();
        let asked = self.asked(person, number, session, Kind::Resend(channel));
        self.retry(&asked);
        self.begin(asked);
    }

    /// Tries the right code or a wrong one, sometimes several at once.
    fn try_a_code(&mut self, person: usize) {
        let Some((session, number)) = self.known_session(person) else {
            return self.ask_to_send(person);
        };
        let is_right = self.random.percent(50);
        let received = self.plivo.last_code(number).filter(|_| is_right);
        let code = received.unwrap_or_else(|| self.random.within(0..100_000));
        let at_once = [1, 1, 1, 2, 4][self.random.index(5)];
        let mut asked = self.asked(person, number, session, Kind::Check(code));
        if let Some(keyed) = &mut asked.keyed {
            keyed.body = code.to_string();
        }
        if let Some(last) = self.people[person].asked.last_mut()
            && last.keyed.as_ref().map(|it| &it.name) == asked.keyed.as_ref().map(|it| &it.name)
        {
            last.keyed.clone_from(&asked.keyed);
        }
        self.retry(&asked);
        for _ in 0..at_once {
            self.begin(asked.clone());
        }
    }

    /// Repeats a request under the same key, or with another body.
    fn repeat(&mut self, person: usize) {
        let asked = self.random.pick(&self.people[person].asked).cloned();
        let Some(mut asked) = asked else {
            return self.ask_to_send(person);
        };
        let is_other = self.random.percent(20);
        if let Some(Keyed { name, body }) = asked.keyed.as_mut().filter(|_| is_other) {
            body.push_str(" and more");
            let suspect = &mut self.checker.answers.suspect;
            suspect.insert(name.clone());
        }
        // Some retry with other bodies more often than a key allows.
        let times = if is_other && self.random.percent(30) {
            7
        } else {
            1
        };
        for _ in 0..times {
            self.ask_again(asked.clone());
        }
    }

    /// Handles the answer to a send or resend.
    pub(crate) fn delivery_ended(&mut self, request: &Request, end: &DeliverEnd) {
        self.note(|_| format!("{}: {end:?}", request.id));
        self.checker.delivery_ended(request, end, self.clock_now());
        self.checker.attempts.ended(request, end);
        self.check_what_was_recorded(request, end);
        let Some(asked) = &request.asked else { return };
        let session = match end {
            DeliverEnd::Sent { .. } => asked.session.clone(),
            DeliverEnd::Repeated(Repetition::Answered {
                answer: Answer::Sent(_),
                subject: Some(subject),
            }) => opened(subject),
            _ => return,
        };
        let known = (session, asked.number);
        let sessions = &mut self.people[asked.person].sessions;
        if !sessions.contains(&known) {
            sessions.push(known);
        }
    }

    /// Handles the answer to a check.
    pub(crate) fn check_ended(&mut self, request: &Request, end: &CheckEnd) {
        self.note(|_| format!("{}: {end:?}", request.id));
        self.checker.check_ended(request, end, self.clock_now());
        if let (Some(asked), CheckEnd::Settled(Settlement::Verified)) = (&request.asked, end) {
            self.check_known(asked);
            let is_alone = self.requests.is_empty();
            self.checker.forgives(request.id, asked.number, is_alone);
            let sessions = &mut self.people[asked.person].sessions;
            // Verified; sometimes they try the session again.
            if self.random.percent(50) {
                sessions.retain(|(session, _)| *session != asked.session);
            }
        }
    }

    /// Handles the answer to a callback; if it was not accepted, Plivo repeats it.
    pub(crate) fn called_back(&mut self, callback: Callback, answer: Result<Outcome, StoreError>) {
        match answer {
            Ok(Outcome::Callback(outcome)) => {
                if let CallbackOutcome::Recorded { .. } = outcome {
                    self.check_adoption(&callback);
                }
            }
            _ => self.callback_failed(callback),
        }
    }

    /// A process died while handling this request.
    pub(crate) fn died(&mut self, request: Request) {
        self.checker.died(&request);
        if let Some(asked) = &request.asked {
            self.checker.attempts.lost(asked.number);
        }
        match request.work {
            Work::Callback(callback) => self.callback_failed(callback),
            Work::Operate(operation) => self.operation_lost(&operation),
            _ => {}
        }
    }
}
