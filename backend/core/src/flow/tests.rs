//! Every path through the flows, and the rows that each must leave behind.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use countersign_shared::Channel;

use super::*;
use crate::{
    Answer, ApplicationId, Destination, EndUserKeys, IdempotencyClaim, Key, Millis, NewSession,
    Owner, Route, Rows, Sealed, SessionRules, Settlement, StoredRow, Transition, Upstream,
    UpstreamOutcome, Verdict, Write, keys,
    transitions::{ReserveCheck, ReserveSend, SendLimits},
};

#[derive(Default)]
struct Store(BTreeMap<Key, StoredRow>);

/// The store failed.
#[derive(Debug)]
struct Down;

impl Store {
    fn run<T: Transition>(&mut self, step: &T, fails: bool) -> Result<T::Outcome, Down> {
        if fails {
            return Err(Down);
        }
        let (now, mut base) = (Millis(1_000_000), BTreeMap::new());
        for _ in 0..2 {
            let named = step.keys(&Rows::new(&base, now)).unwrap();
            base.extend(
                named
                    .into_iter()
                    .map(|key| (key.clone(), self.0.get(&key).cloned())),
            );
        }
        let mut rows = Rows::new(&base, now);
        let outcome = step.apply(&mut rows).unwrap();
        for (key, write) in rows.into_writes() {
            match write {
                Write::Put(row) => drop(self.0.insert(key, row)),
                Write::Delete => drop(self.0.remove(&key)),
            }
        }
        Ok(outcome)
    }

    fn has(&self, kind: &str) -> bool {
        self.0.keys().any(|key| key.as_str().starts_with(kind))
    }
}

fn claim(key: &str) -> IdempotencyClaim {
    IdempotencyClaim {
        key: keys::idempotency(key),
        body: "body".to_owned(),
        kept_for: Duration::from_mins(10),
        subject: None,
        mismatch: Vec::new(),
    }
}

fn destination() -> Destination {
    Destination {
        country: keys::conversion("country"),
        range: keys::conversion("range"),
        known: keys::conversion("known"),
    }
}

fn send() -> Reserve {
    Reserve::Send(ReserveSend {
        page: None,
        new: NewSession {
            key: keys::session("one"),
            number: keys::number("number"),
            contact: Sealed(Vec::new()),
            channel: Channel::Sms,
            owner: Owner {
                application: ApplicationId::parse("shop").unwrap(),
                with_key: false,
            },
            end_user: EndUserKeys::default(),
        },
        limits: SendLimits {
            number: keys::number("number"),
            checks: Vec::new(),
            known_reserve: None,
            destination: destination(),
            route: Route {
                country: "US".to_owned(),
                channel: Channel::Sms,
            },
            is_allowed: false,
        },
        claim: Some(claim("key")),
        request_id: String::new(),
        rules: Arc::new(SessionRules::sample()),
    })
}

fn upstream() -> Upstream {
    Upstream {
        key: keys::upstream("plivo"),
        id: Sealed(Vec::new()),
    }
}

fn failed(outcome: UpstreamOutcome) -> Answer {
    Answer::Sealed(Sealed(outcome.as_str().as_bytes().to_vec()))
}

/// Runs a send to its end; the store fails from its `fails_at`th step on.
fn deliver(
    store: &mut Store,
    answer: &Result<Upstream, UpstreamOutcome>,
    fails_at: usize,
) -> DeliverEnd {
    let reserve = send();
    let mut flow = DeliverFlow::new(&reserve);
    let mut step = flow.reserved(store.run(&reserve, fails_at == 0));
    let mut calls = 0;
    loop {
        step = match step {
            DeliverStep::Call(_) => {
                calls += 1;
                assert_eq!(calls, 1, "Plivo is asked once");
                flow.called(answer.clone(), failed)
            }
            DeliverStep::Record(it) => flow.recorded(store.run(&it, fails_at == 1), failed),
            DeliverStep::Release(it) => flow.released(store.run(&it, fails_at == 1)),
            DeliverStep::Close(it) => flow.kept(store.run(&it, fails_at == 1)),
            DeliverStep::KeepAnswer(it) => flow.kept(store.run(&it, fails_at == 1)),
            DeliverStep::Finish(end) => return end,
        }
    }
}

const NEVER: usize = usize::MAX;

#[test]
fn a_send_that_plivo_accepted_is_recorded() {
    let mut store = Store::default();
    let end = deliver(&mut store, &Ok(upstream()), NEVER);
    assert!(matches!(end, DeliverEnd::Sent { .. }));
    assert!(store.has("upstream/"));
    assert!(matches!(
        deliver(&mut store, &Ok(upstream()), NEVER),
        DeliverEnd::Repeated(_)
    ));
}

#[test]
fn a_send_that_never_left_is_released_and_any_other_failure_stays_counted() {
    for outcome in UpstreamOutcome::ALL {
        let mut store = Store::default();
        let end = deliver(&mut store, &Err(outcome), NEVER);
        assert!(matches!(end, DeliverEnd::Failed(it) if it == outcome));
        assert_eq!(store.0.is_empty(), outcome.never_left(), "{outcome:?}");
        if outcome.is_temporary() {
            // The key is free; the number has its wait.
            let again = deliver(&mut store, &Ok(upstream()), NEVER);
            assert!(matches!(again, DeliverEnd::Wait(_)), "{again:?}");
        } else if !outcome.never_left() {
            let again = deliver(&mut store, &Ok(upstream()), NEVER);
            let DeliverEnd::Repeated(crate::Repetition::Answered { answer, .. }) = again else {
                panic!("{again:?}")
            };
            assert_eq!(answer, failed(outcome));
        }
    }
}

#[test]
fn without_a_store_no_send_reaches_plivo_and_a_lost_record_is_unsettled() {
    let mut store = Store::default();
    let end = deliver(&mut store, &Ok(upstream()), 0);
    assert!(matches!(end, DeliverEnd::NotReserved));
    let end = deliver(&mut store, &Ok(upstream()), 1);
    assert!(matches!(end, DeliverEnd::Unsettled));
    assert!(store.has("session/"));
    let end = deliver(&mut Store::default(), &Err(UpstreamOutcome::Unreachable), 1);
    assert!(matches!(
        end,
        DeliverEnd::Failed(UpstreamOutcome::Unreachable)
    ));
}

#[test]
fn plivos_session_of_another_number_is_an_invalid_response_that_stays_counted() {
    let mut store = Store::default();
    deliver(&mut store, &Ok(upstream()), NEVER);
    let rename = |key: &Key| key.as_str().starts_with("upstream/");
    store.0.retain(|key, _| rename(key));
    let row = store.0.values_mut().next().unwrap();
    let text = String::from_utf8(row.value.clone()).unwrap();
    row.value = text.replace("number/number", "number/other").into_bytes();
    let end = deliver(&mut store, &Ok(upstream()), NEVER);
    assert!(matches!(
        end,
        DeliverEnd::Failed(UpstreamOutcome::InvalidResponse)
    ));
    assert!(store.has("number/"));
    let again = deliver(&mut store, &Ok(upstream()), NEVER);
    assert!(matches!(
        again,
        DeliverEnd::Repeated(crate::Repetition::Answered { .. })
    ));
}

/// Runs a check to its end.
fn check(store: &mut Store, answer: Result<Verdict, UpstreamOutcome>, fails_at: usize) -> CheckEnd {
    let reserve = ReserveCheck {
        application: None,
        session: keys::session("one"),
        wrong_per_number: Vec::new(),
        checks: Vec::new(),
        claim: Some(claim("check")),
        rules: Arc::new(SessionRules::sample()),
    };
    let mut flow = CheckFlow::new(&reserve);
    let mut step = flow.reserved(store.run(&reserve, fails_at == 0));
    let mut calls = 0;
    loop {
        step = match step {
            CheckStep::Call(_) => {
                calls += 1;
                assert_eq!(calls, 1, "Plivo is asked once");
                let proof = Some(Sealed(b"proof".to_vec()));
                flow.called(answer, proof, destination(), failed)
            }
            CheckStep::Settle(it) => {
                assert_eq!(it.proof.is_some(), it.verdict == Verdict::Accepted);
                flow.settled(store.run(&it, fails_at == 1))
            }
            CheckStep::Release(it) => flow.released(store.run(&it, fails_at == 1)),
            CheckStep::KeepAnswer(it) => flow.kept(store.run(&it, fails_at == 1)),
            CheckStep::Finish(end) => return end,
        }
    }
}

fn sent() -> Store {
    let mut store = Store::default();
    deliver(&mut store, &Ok(upstream()), NEVER);
    store
}

#[test]
fn only_plivos_success_verifies() {
    let settled = |answer| match check(&mut sent(), answer, NEVER) {
        CheckEnd::Settled(settlement) => settlement,
        other => panic!("{other:?}"),
    };
    assert_eq!(settled(Ok(Verdict::Accepted)), Settlement::Verified);
    let incorrect = Settlement::Incorrect { checks_left: 4 };
    assert_eq!(settled(Ok(Verdict::Incorrect)), incorrect);
    assert_eq!(settled(Ok(Verdict::CodeUsed)), Settlement::CodeUsed);
    for outcome in [UpstreamOutcome::Done, UpstreamOutcome::Rejected] {
        assert_eq!(settled(Err(outcome)), incorrect);
    }
}

#[test]
fn a_check_that_never_left_is_released_and_any_other_failure_stays_counted() {
    for outcome in UpstreamOutcome::ALL {
        let mut store = sent();
        let before = store.0.clone();
        match check(&mut store, Err(outcome), NEVER) {
            CheckEnd::Failed(it) => assert_eq!(it, outcome),
            CheckEnd::Settled(_) => continue,
            other => panic!("{other:?}"),
        }
        assert_eq!(store.0 == before, outcome.never_left(), "{outcome:?}");
    }
}

#[test]
fn without_a_store_no_check_reaches_plivo_and_a_lost_settlement_is_unsettled() {
    let mut store = sent();
    let end = check(&mut store, Ok(Verdict::Accepted), 0);
    assert!(matches!(end, CheckEnd::NotReserved));
    let end = check(&mut store, Ok(Verdict::Accepted), 1);
    assert!(matches!(end, CheckEnd::Unsettled));
    // It may be requested again; the result of the first one is unknown.
    let end = check(&mut store, Ok(Verdict::Accepted), NEVER);
    assert!(matches!(
        end,
        CheckEnd::Repeated(crate::Repetition::UnderWay)
    ));
    let nobody = check(&mut Store::default(), Ok(Verdict::Accepted), NEVER);
    assert!(matches!(nobody, CheckEnd::Over(_)));
}
