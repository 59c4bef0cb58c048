//! The service as a rehearsal needs it: the real transitions through the real committer
//! over the memory store, one request after the other, in simulated time.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use countersign_core::{
    ApplicationId, Budget, Destination, EndUserKeys, Key, Limit, Limits, NewSession, Owner, Route,
    Sealed, SendKeys, SessionRules, Transition, Upstream, Verdict, keys,
    transitions::{
        RecordSent, Recorded, ReserveCheck, ReserveSend, Reserved, SendLimits, SettleCheck,
        Settlement,
    },
};
use countersign_shared::Channel;
use countersign_store::{
    Committer, MemoryStore,
    committer::{Command, Event},
    member,
};

use crate::clock::SimClock;

/// Timeout of a step; none waits here.
const DEADLINE: Duration = Duration::from_secs(2);

/// A number that requests a code, and the address the request comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    pub(super) country: &'static str,
    pub(super) range: u64,
    pub(super) number: u64,
    pub(super) address: String,
}

impl Asked {
    fn range(&self) -> String {
        format!("{}-{}", self.country, self.range)
    }

    pub(super) fn number(&self) -> String {
        format!("{}-{}", self.range(), self.number)
    }

    pub(super) fn destination(&self) -> Destination {
        Destination {
            country: keys::conversion(self.country),
            range: keys::conversion(&self.range()),
            known: keys::conversion(&format!("known-{}", self.country)),
        }
    }
}

pub(super) struct Service {
    clock: SimClock,
    store: MemoryStore,
    committer: Committer,
    base: Instant,
    elapsed: Duration,
    rules: Arc<SessionRules>,
    limits: Limits,
    budget: Budget,
    sessions: u64,
}

impl Service {
    pub(super) fn new(rules: SessionRules, limits: Limits, budget: Budget) -> Self {
        let (clock, base) = (SimClock::new(), Instant::now());
        Self {
            store: MemoryStore::new(Arc::new(clock.clone())),
            clock,
            committer: Committer::new([0; 8], base),
            base,
            elapsed: Duration::ZERO,
            rules: Arc::new(rules),
            limits,
            budget,
            sessions: 0,
        }
    }

    /// Advances the time to that moment.
    pub(super) fn pass_until(&mut self, moment: Duration) {
        let by = moment.saturating_sub(self.elapsed);
        self.elapsed += by;
        self.clock.advance(by);
    }

    pub(super) fn sweep(&self) {
        self.store.sweep();
    }

    /// Sends a code; returns its session, or `None` if it was refused.
    pub(super) fn send(&mut self, asked: &Asked) -> Option<String> {
        self.sessions += 1;
        let session = self.sessions.to_string();
        let new = NewSession {
            key: keys::session(&session),
            number: keys::number(&asked.number()),
            contact: Sealed(Vec::new()),
            channel: Channel::Sms,
            owner: Owner {
                application: ApplicationId::parse("shop").expect("an id"),
                with_key: false,
            },
            end_user: caller(asked),
        };
        let reserve = ReserveSend {
            new: new.clone(),
            limits: self.send_limits(asked),
            page: None,
            claim: None,
            request_id: String::new(),
            rules: self.rules.clone(),
        };
        let Reserved::Reserved(reservation) = self.run(reserve) else {
            return None;
        };
        let record = RecordSent {
            new,
            upstream: Upstream {
                key: keys::upstream(&session),
                id: Sealed(Vec::new()),
            },
            reservation: Arc::new(reservation),
            rules: self.rules.clone(),
        };
        let recorded = self.run(record);
        assert!(matches!(recorded, Recorded::Sent { .. }), "{recorded:?}");
        Some(session)
    }

    /// Enters the right code.
    pub(super) fn verify(&mut self, asked: &Asked, session: &str) -> bool {
        let reserve = ReserveCheck {
            session: keys::session(session),
            application: None,
            wrong_per_number: self.limits.wrong_checks_per_number.clone(),
            checks: self.limits.of_check(&caller(asked)),
            claim: None,
            rules: self.rules.clone(),
        };
        let Reserved::Reserved(reservation) = self.run(reserve) else {
            return false;
        };
        let settle = SettleCheck {
            reservation: Arc::new(reservation),
            verdict: Verdict::Accepted,
            proof: None,
            destination: asked.destination(),
            rules: self.rules.clone(),
        };
        self.run(settle) == Settlement::Verified
    }

    fn send_limits(&self, asked: &Asked) -> SendLimits {
        let keys = SendKeys {
            number: keys::number(&asked.number()),
            range: keys::limit(Limit::SendsPerRange, &asked.range()),
            country: keys::limit(Limit::SendsPerCountry, asked.country),
            known_country: keys::limit(Limit::KnownPerCountry, asked.country),
            total: keys::limit(Limit::SendsTotal, "all"),
            end_user: caller(asked),
            number_mark: 2 * (1 + asked.range * 10_000 + asked.number),
        };
        let mut checks = self.limits.of_send(&keys, Channel::Sms);
        let row = keys::limit(Limit::Budget, "all");
        checks.extend(self.budget.of_send(&row, asked.country, Channel::Sms));
        SendLimits {
            known_reserve: self.limits.known_reserve(&keys),
            number: keys.number,
            checks,
            destination: asked.destination(),
            route: Route {
                country: asked.country.to_owned(),
                channel: Channel::Sms,
            },
            is_allowed: false,
        }
    }

    /// Runs a step through the committer, as its driver does.
    fn run<T: Transition>(&mut self, step: T) -> T::Outcome {
        let now = self.base + self.elapsed;
        let (member, mut answer) = member(step);
        let deadline = now + DEADLINE;
        let mut events = VecDeque::from([Event::Submitted { member, deadline }]);
        while let Some(event) = events.pop_front() {
            for command in self.committer.handle(event, now) {
                match command {
                    Command::Load(keys) => {
                        let keys: Vec<Key> = keys;
                        events.push_back(Event::Loaded(Ok(self.store.load_now(&keys))));
                    }
                    Command::Commit { commit, .. } => {
                        let outcome = self.store.commit_now(&commit);
                        events.push_back(Event::Committed(outcome));
                    }
                    Command::Answer(member, result) => member.answer(result),
                    Command::WakeAt(_) => {}
                }
            }
        }
        let answer = answer.try_recv().expect("a step is answered");
        answer.expect("the memory store does not fail")
    }
}

fn caller(asked: &Asked) -> EndUserKeys {
    EndUserKeys {
        address: Some(asked.address.clone()),
        ..EndUserKeys::default()
    }
}
