//! Runs requests step by step, as the service does.

use countersign_core::{
    Answer, Sealed, Transition, UpstreamOutcome,
    flow::{CheckFlow, CheckStep, DeliverFlow, DeliverStep, Reserve},
};
use countersign_store::{StoreError, committer::Event as CommitterEvent, member};

use crate::{
    border::opened,
    event::Event,
    outcome::{Answered, Outcome},
    request::{Asked, Kind, Phase, Request, Work},
    settings::STORE_DEADLINE,
    world::World,
};

impl World {
    /// Admits a request at an instance.
    pub(crate) fn begin(&mut self, asked: Asked) {
        let pair = (asked.number, asked.caller);
        let keyed = asked.keyed.clone();
        let session = asked.session.clone();
        match asked.kind {
            Kind::Send(channel) => {
                let step = self.settings.send(&session, pair, channel, keyed.as_ref());
                self.deliver(asked, Reserve::Send(step));
            }
            Kind::Resend(channel) => {
                let at_once = self.random.percent(20);
                let keyed = keyed.as_ref();
                let step = self
                    .settings
                    .resend(&session, pair, channel, at_once, keyed);
                self.deliver(asked, Reserve::Resend(step));
            }
            Kind::Check(_) => {
                let step = self.settings.check(&session, asked.caller, keyed.as_ref());
                let work = Work::Check(CheckFlow::new(&step));
                let id = self.admit(Some(asked), work, Phase::Reserve);
                self.submit(id, step, Outcome::ReservedCheck);
            }
        }
    }

    fn deliver(&mut self, asked: Asked, mut step: Reserve) {
        let work = Work::Deliver(DeliverFlow::new(&step));
        let number = asked.number;
        let id = self.admit(Some(asked), work, Phase::Reserve);
        self.checker.attempts.begun(id, number);
        let request_id = format!("request{id}");
        match &mut step {
            Reserve::Send(step) => step.request_id = request_id,
            Reserve::Resend(step) => step.request_id = request_id,
        }
        self.submit(id, step, Outcome::ReservedSend);
    }

    pub(crate) fn admit(&mut self, asked: Option<Asked>, work: Work, phase: Phase) -> u64 {
        let id = self.name();
        let instance = self.random.index(self.instances.len());
        self.note(|_| format!("{id}: on {instance}, {asked:?}"));
        self.checker.answers.newest_request = id;
        if let Some(asked) = &asked {
            let now = self.clock_now();
            self.checker.begun(id, asked, now);
            self.checker.sessions.begun(asked);
        }
        if let Some(asked) = asked.as_ref().filter(|it| it.keyed.is_some()) {
            let after = self.random.millis(1_000..20_000);
            self.schedule(after, Event::Probe(asked.clone()));
        }
        self.requests.insert(
            id,
            Request {
                id,
                instance,
                asked,
                work,
                phase,
                steps: 0,
                answer: None,
                created: None,
                has_left: false,
            },
        );
        id
    }

    /// Submits a step to the request's committer.
    pub(crate) fn submit<T: Transition>(
        &mut self,
        id: u64,
        step: T,
        wrap: fn(T::Outcome) -> Outcome,
    ) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        request.steps += 1;
        let (member, mut answer) = member(step);
        let receive = move || answer.try_recv().ok().map(|it| it.map(wrap));
        request.answer = Some(Box::new(receive));
        let (instance, steps) = (request.instance, request.steps);
        let deadline = self.instant() + STORE_DEADLINE;
        self.schedule(STORE_DEADLINE, Event::Deadline { request: id, steps });
        self.tell(instance, CommitterEvent::Submitted { member, deadline });
    }

    /// Ends a step whose deadline has passed; whether it was committed is unknown.
    pub(crate) fn deadline(&mut self, id: u64, steps: u32) {
        let request = self.requests.get(&id);
        let is_late = request.is_some_and(|it| it.steps == steps && it.phase != Phase::Plivo);
        if is_late {
            self.progress(id, Err(StoreError::Unreachable));
        }
    }

    pub(crate) fn deliver_answers(&mut self) {
        let ready = |request: &mut Request| request.answer.as_mut().and_then(|it| it());
        loop {
            let requests = self.requests.iter_mut();
            let answers = requests.filter_map(|(id, it)| Some((*id, ready(it)?)));
            let answers: Vec<_> = answers.collect();
            if answers.is_empty() {
                return;
            }
            for (id, answer) in answers {
                self.progress(id, answer);
            }
        }
    }

    /// Advances a request whose step has ended.
    fn progress(&mut self, id: u64, answer: Answered) {
        let Some(mut request) = self.requests.remove(&id) else {
            return;
        };
        request.answer = None;
        self.note(|_| format!("{id}: {:?} ended: {answer:?}", request.phase));
        self.checker.step_ended(&request, &answer);
        let phase = request.phase;
        match (&mut request.work, phase, answer) {
            (Work::Deliver(flow), Phase::Reserve, answer) => {
                let step = flow.reserved(answer.map(|it| match it {
                    Outcome::ReservedSend(outcome) => outcome,
                    other => unreachable!("{other:?}"),
                }));
                self.next_of_delivery(request, step);
            }
            (Work::Deliver(flow), Phase::Record, answer) => {
                let recorded = answer.map(|it| match it {
                    Outcome::Recorded(outcome) => outcome,
                    other => unreachable!("{other:?}"),
                });
                let step = flow.recorded(recorded, failed);
                self.next_of_delivery(request, step);
            }
            (Work::Deliver(flow), phase, answer) => {
                let answer = answer.map(drop);
                let is_released = phase == Phase::Release && answer.is_ok();
                let is_closed = phase == Phase::Close && answer.is_ok();
                let step = match phase {
                    Phase::Release => flow.released(answer),
                    _ => flow.kept(answer),
                };
                if is_closed {
                    self.check_withdrawn(&request);
                    self.check_freed(&request);
                }
                if is_released {
                    self.check_release(&request);
                    self.has_released = true;
                }
                self.next_of_delivery(request, step);
            }
            (Work::Check(flow), Phase::Reserve, answer) => {
                let step = flow.reserved(answer.map(|it| match it {
                    Outcome::ReservedCheck(outcome) => outcome,
                    other => unreachable!("{other:?}"),
                }));
                self.next_of_check(request, step);
            }
            (Work::Check(flow), Phase::Settle, answer) => {
                let step = flow.settled(answer.map(|it| match it {
                    Outcome::Settled(outcome) => outcome,
                    other => unreachable!("{other:?}"),
                }));
                self.next_of_check(request, step);
            }
            (Work::Check(flow), phase, answer) => {
                let answer = answer.map(drop);
                let is_released = phase == Phase::Release && answer.is_ok();
                let step = match phase {
                    Phase::Release => flow.released(answer),
                    _ => flow.kept(answer),
                };
                if let Some(asked) = request.asked.clone().filter(|_| is_released) {
                    self.check_claim(&request, &asked);
                    self.check_reopened(&asked);
                    self.has_released = true;
                }
                self.next_of_check(request, step);
            }
            (Work::Callback(callback), _, answer) => {
                let callback = callback.clone();
                self.called_back(callback, answer);
            }
            (Work::Operate(operation), _, answer) => {
                let operation = operation.clone();
                self.operated(&request, &operation, answer);
            }
            (Work::Watch(session, plivo, since), _, answer) => {
                let (session, plivo, since) = (session.clone(), plivo.clone(), *since);
                self.watched(&session, &plivo, since, answer);
            }
        }
    }

    pub(crate) fn next_of_delivery(&mut self, mut request: Request, step: DeliverStep) {
        let id = request.id;
        match step {
            DeliverStep::Call(reservation) => {
                self.checker
                    .send_reserved(&request, &reservation, self.clock_now());
                request.phase = Phase::Plivo;
                self.requests.insert(id, request);
                self.call_plivo(id);
            }
            DeliverStep::Record(mut step) => {
                step.charge = Some(self.settings.charge(id));
                request.phase = Phase::Record;
                self.requests.insert(id, request);
                self.submit(id, step, Outcome::Recorded);
            }
            DeliverStep::Release(step) => {
                self.release_begins(&request);
                self.release_beside_others(&request);
                self.checker.releases(&request);
                request.phase = Phase::Release;
                self.requests.insert(id, request);
                self.submit(id, step, |()| Outcome::Done);
            }
            DeliverStep::Close(step) => {
                let number = request.asked.as_ref().map_or(0, |it| it.number);
                self.checker.deliveries.closed(id, number);
                if step.may_retry {
                    self.checker.frees_key(&request);
                }
                request.phase = Phase::Close;
                self.requests.insert(id, request);
                self.submit(id, step, |()| Outcome::Done);
            }
            DeliverStep::KeepAnswer(step) => {
                request.phase = Phase::Keep;
                self.requests.insert(id, request);
                self.submit(id, step, |()| Outcome::Done);
            }
            DeliverStep::Finish(end) => self.delivery_ended(&request, &end),
        }
    }

    pub(crate) fn next_of_check(&mut self, mut request: Request, step: CheckStep) {
        let id = request.id;
        match step {
            CheckStep::Call(reservation) => {
                let upstream_id = opened(&reservation.upstream().id);
                self.checker
                    .check_reserved(&request, &reservation, upstream_id);
                request.phase = Phase::Plivo;
                self.requests.insert(id, request);
                self.call_plivo(id);
            }
            CheckStep::Settle(step) => {
                let now = self.clock_now();
                self.checker.settles(&request, step.verdict, now);
                request.phase = Phase::Settle;
                self.requests.insert(id, request);
                self.submit(id, step, Outcome::Settled);
            }
            CheckStep::Release(step) => {
                self.checker.releases(&request);
                request.phase = Phase::Release;
                self.requests.insert(id, request);
                self.submit(id, step, |()| Outcome::Done);
            }
            CheckStep::KeepAnswer(step) => {
                request.phase = Phase::Keep;
                self.requests.insert(id, request);
                self.submit(id, step, |()| Outcome::Done);
            }
            CheckStep::Finish(end) => self.check_ended(&request, &end),
        }
    }
}

/// The sealed answer for a failure at Plivo.
pub(crate) fn failed(outcome: UpstreamOutcome) -> Answer {
    Answer::Sealed(Sealed(outcome.as_str().as_bytes().to_vec()))
}
