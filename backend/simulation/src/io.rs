//! The network to the store and to Plivo, with its faults.

use std::time::Duration;

use countersign_core::{
    AttemptUpdate, Sealed, UpstreamAttempt, UpstreamOutcome, Verdict,
    flow::{CheckStep, DeliverStep},
};
use countersign_shared::session::AttemptStatus;
use countersign_store::{CommitOutcome, Unavailable, committer::Event as CommitterEvent};

use crate::{
    border::{destination, upstream},
    event::{Event, Fate, Io, PlivoAnswer},
    outcome::Outcome,
    request::{Callback, Kind, Phase, Work},
    steps::failed,
    world::World,
};

impl World {
    pub(crate) fn store_reached(&mut self, instance: usize, generation: u32, io: Io) {
        let event = match io {
            Io::Load(keys) => {
                let fails = self.random.percent(self.settings.faults.load_fails);
                let snapshot = self.store.load_now(&keys);
                CommitterEvent::Loaded(if fails {
                    Err(Unavailable)
                } else {
                    Ok(snapshot)
                })
            }
            Io::Commit(commit) => {
                let faults = &self.settings.faults;
                let random = &mut self.random;
                let outcome = if random.percent(faults.commit_not_run) {
                    CommitOutcome::NotRun
                } else if random.percent(faults.commit_lost_before) {
                    CommitOutcome::Unreachable
                } else if random.percent(faults.commit_rejected) && commit.write.len() > 6 {
                    CommitOutcome::Rejected
                } else {
                    let is_lost = random.percent(faults.commit_lost_after);
                    let outcome = self.store.commit_now(&commit);
                    self.checker.committed(&commit, &outcome);
                    let is_done = outcome == CommitOutcome::Done;
                    if is_lost && is_done {
                        CommitOutcome::Unreachable
                    } else {
                        outcome
                    }
                };
                CommitterEvent::Committed(outcome)
            }
        };
        if self.random.percent(2) {
            self.store.sweep();
        }
        let way = self.way(instance);
        self.schedule(way, Event::StoreAnswered(instance, generation, event));
    }

    /// Calls Plivo, once.
    pub(crate) fn call_plivo(&mut self, id: u64) {
        let faults = &self.settings.faults;
        let random = &mut self.random;
        let is_send = self.requests.get(&id).and_then(|it| it.asked.as_ref());
        let is_send = is_send.is_some_and(|it| !matches!(it.kind, Kind::Check(_)));
        if random.percent(faults.plivo_never_left) {
            let outcomes = [UpstreamOutcome::Unreachable, UpstreamOutcome::NotAsked];
            let outcome = outcomes[random.index(2)];
            let answer = if is_send {
                PlivoAnswer::Created(Err(outcome))
            } else {
                PlivoAnswer::Validated(Err(outcome))
            };
            // Connecting may take its time, too.
            let is_slow = random.percent(60);
            let after = random.millis(if is_slow { 2_000..9_000 } else { 0..300 });
            if is_slow {
                self.lose_patience(id, after);
            }
            return self.schedule(after, Event::PlivoAnswered(id, answer));
        }
        let lost = [
            UpstreamOutcome::Timeout,
            UpstreamOutcome::ConnectionReset,
            UpstreamOutcome::Failed,
            UpstreamOutcome::InvalidResponse,
        ];
        let refused = [
            UpstreamOutcome::Rejected,
            UpstreamOutcome::Refused,
            UpstreamOutcome::Throttled,
            UpstreamOutcome::Failed,
        ];
        let fate = if random.percent(faults.plivo_lost_before) {
            Fate::LostBefore(lost[random.index(2)])
        } else if random.percent(faults.plivo_lost_after) {
            Fate::LostAfter(lost[random.index(lost.len())])
        } else if random.percent(faults.plivo_refuses) {
            let which = random.index(refused.len());
            Fate::Refused(refused[which])
        } else if random.percent(faults.plivo_lies) {
            Fate::Lie
        } else {
            Fate::Good
        };
        let is_slow = random.percent(10);
        let after = random.millis(if is_slow { 2_000..7_000 } else { 20..400 });
        if let Some(request) = self.requests.get_mut(&id) {
            request.has_left = true;
        }
        self.checker.asked(&self.requests, id);
        self.schedule(after, Event::PlivoReached { request: id, fate });
    }

    /// The call has reached Plivo, whatever happened to its caller.
    pub(crate) fn plivo_reached(&mut self, id: u64, fate: Fate) {
        let Some(asked) = self.checker.calls.get(&id).cloned() else {
            return;
        };
        let is_done = matches!(fate, Fate::Good | Fate::LostAfter(_) | Fate::Lie);
        let answer = match asked.kind {
            Kind::Send(channel) | Kind::Resend(channel) => {
                let attempt =
                    is_done.then(|| self.plivo.create(asked.number, channel, self.elapsed));
                if let Some((plivo, index)) = attempt {
                    self.checker.attempts.made(id, plivo, index);
                    self.schedule_callbacks(id, plivo, index);
                }
                let of = |plivo: usize| format!("plivo{plivo}");
                PlivoAnswer::Created(match (fate, attempt) {
                    (Fate::Good, Some((plivo, _))) => Ok(of(plivo)),
                    (Fate::Lie, Some((plivo, _))) => {
                        self.checker.lied();
                        let index = self.random.index(self.plivo.sessions.len() + 1);
                        let other = self.plivo.sessions.get(index).filter(|_| index != plivo);
                        Ok(other.map_or_else(|| format!("unknown{id}"), |it| it.id.clone()))
                    }
                    (Fate::Refused(it) | Fate::LostBefore(it) | Fate::LostAfter(it), _) => Err(it),
                    (Fate::Good | Fate::Lie, None) => Err(UpstreamOutcome::InvalidResponse),
                })
            }
            Kind::Check(code) => {
                let upstream_id = self
                    .checker
                    .asked_about
                    .get(&id)
                    .cloned()
                    .unwrap_or_default();
                let elapsed = self.elapsed;
                let verdict = is_done.then(|| self.plivo.validate(&upstream_id, code, elapsed));
                PlivoAnswer::Validated(match (fate, verdict) {
                    (Fate::Good, Some(verdict)) => Ok(verdict),
                    (Fate::Lie, _) => {
                        self.checker.lied();
                        Ok(Verdict::Accepted)
                    }
                    (Fate::Refused(it) | Fate::LostBefore(it) | Fate::LostAfter(it), _) => Err(it),
                    (Fate::Good, None) => Err(UpstreamOutcome::InvalidResponse),
                })
            }
        };
        let is_timeout = matches!(
            fate,
            Fate::LostBefore(UpstreamOutcome::Timeout) | Fate::LostAfter(UpstreamOutcome::Timeout)
        );
        let after = self
            .random
            .millis(if is_timeout { 8_000..8_001 } else { 10..200 });
        self.note(|_| format!("{id}: Plivo, {fate:?}"));
        self.schedule(after, Event::PlivoAnswered(id, answer));
    }

    /// Passes Plivo's answer to its caller, if that is still alive.
    pub(crate) fn plivo_answered(&mut self, id: u64, answer: PlivoAnswer) {
        let Some(mut request) = self.requests.remove(&id) else {
            return;
        };
        if let PlivoAnswer::Created(Err(failure)) | PlivoAnswer::Validated(Err(failure)) = &answer {
            self.checker.told.failed(id, *failure);
        }
        match (&mut request.work, answer) {
            (Work::Deliver(flow), PlivoAnswer::Created(answer)) => {
                request.created = answer.as_ref().ok().cloned();
                let answer = answer.map(|id| upstream(&id));
                let is_created = answer.is_ok();
                let is_throttled = matches!(answer, Err(UpstreamOutcome::Throttled));
                let is_refused = matches!(
                    answer,
                    Err(UpstreamOutcome::Rejected
                        | UpstreamOutcome::Refused
                        | UpstreamOutcome::Throttled)
                );
                let step = flow.called(answer, failed);
                let is_right = match &step {
                    DeliverStep::Record(_) => is_created,
                    DeliverStep::Release(_) => !is_created && !request.has_left,
                    DeliverStep::Close(step) => is_refused && step.may_retry == is_throttled,
                    _ => !is_created && !is_refused && request.has_left,
                };
                self.checker.follows(id, is_right);
                self.next_of_delivery(request, step);
            }
            (Work::Check(flow), PlivoAnswer::Validated(answer)) => {
                let number = request.asked.as_ref().map_or(0, |it| it.number);
                let is_accepted = answer == Ok(Verdict::Accepted);
                let proof = is_accepted.then(|| Sealed(format!("proof{id}").into_bytes()));
                let verdict = answer.unwrap_or(Verdict::Incorrect);
                let is_decided = answer.is_ok() || answer == Err(UpstreamOutcome::Rejected);
                let step = flow.called(answer, proof, destination(number), failed);
                let is_right = match &step {
                    CheckStep::Settle(step) => is_decided && step.verdict == verdict,
                    CheckStep::Release(_) => !is_decided && !request.has_left,
                    _ => !is_decided && request.has_left,
                };
                self.checker.follows(id, is_right);
                self.next_of_check(request, step);
            }
            _ => {}
        }
    }

    fn schedule_callbacks(&mut self, request: u64, plivo: usize, index: usize) {
        let channel = self.plivo.sessions[plivo].attempts[index].channel;
        let last = [AttemptStatus::Delivered, AttemptStatus::Undelivered][self.random.index(2)];
        for status in [AttemptStatus::Queued, AttemptStatus::Sent, last] {
            if self.random.percent(self.settings.faults.callback_lost) {
                continue;
            }
            let callback = Callback {
                nonce: format!("nonce{}", self.name()),
                plivo,
                update: AttemptUpdate {
                    index,
                    attempt: UpstreamAttempt {
                        channel,
                        status,
                        reason: None,
                    },
                },
                request,
                retries_left: 3,
            };
            let is_repeated = self.random.percent(self.settings.faults.callback_repeated);
            let is_late = self.random.percent(20);
            let latest = if is_late { 400_000 } else { 5_000 };
            for _ in 0..=usize::from(is_repeated) {
                let mut callback = callback.clone();
                if is_repeated && self.random.percent(50) {
                    callback.nonce = format!("nonce{}", self.name());
                }
                let after = self.random.millis(5..latest);
                self.schedule(after, Event::Called(callback));
            }
        }
    }

    /// Admits a callback from Plivo.
    pub(crate) fn callback(&mut self, callback: Callback) {
        let plivo = &self.plivo.sessions[callback.plivo];
        let (id, number) = (plivo.id.clone(), plivo.number);
        let step = self
            .settings
            .callback(&callback.nonce, &id, number, callback.update);
        let channel = callback.update.attempt.channel;
        self.checker.deliveries.called_back(number, channel);
        let (plivo, now) = (id, self.clock_now());
        let id = self.admit(None, Work::Callback(callback), Phase::Only);
        self.checker.turns.callback(id, &plivo, now);
        self.submit(id, step, Outcome::Callback);
    }

    /// Plivo repeats a callback that was not answered.
    pub(crate) fn callback_failed(&mut self, callback: Callback) {
        if let Some(retries_left) = callback.retries_left.checked_sub(1) {
            let callback = Callback {
                retries_left,
                ..callback
            };
            self.schedule(Duration::from_mins(1), Event::Called(callback));
        }
    }
}
