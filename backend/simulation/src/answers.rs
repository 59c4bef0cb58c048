//! Checks proofs that were returned, and answers under idempotency keys.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use countersign_core::{
    Answer, Millis, Repetition, SentAnswer, Settlement,
    flow::{CheckEnd, DeliverEnd},
};

use crate::{
    border::{Keyed, opened},
    checker::Checker,
    request::{Asked, Request},
    usage::OneUse,
};

/// Maximum duration of a request, with some slack for its repetition.
const MAX_UNDER_WAY: Duration = Duration::from_secs(35);

/// The first answer under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum First {
    Sent { session: String, answer: SentAnswer },
    Proof(String),
    Settled(Settlement),
}

/// The first answer, when it was given, and the newest request at that moment.
struct Given {
    first: First,
    body: String,
    at: Millis,
    /// This request and all before it had begun.
    newest_request: u64,
}

#[derive(Default)]
pub(crate) struct Answers {
    of_session: BTreeMap<String, BTreeSet<String>>,
    of_plivo: BTreeMap<String, BTreeSet<String>>,
    of_key: BTreeMap<String, Given>,
    /// The body that each key was claimed with.
    bodies: BTreeMap<String, String>,
    /// How often a key was refused because of another body, and the newest request at
    /// that time: after five the key refuses everything.
    mismatches: BTreeMap<String, (u32, u64)>,
    /// Keys that were used with another body, whatever the answer.
    pub(crate) suspect: BTreeSet<String>,
    pub(crate) newest_request: u64,
    pub(crate) proofs: u64,
    pub(crate) found_again: u64,
    /// Refusals of a key because of another body.
    pub(crate) reused: u64,
    /// Requests made under each key, and when each of them began.
    begun: BTreeMap<String, Vec<(u64, Millis)>>,
}

/// Maximum requests with another body that a key compares; later ones are refused without
/// a comparison.
const MAX_COMPARED: usize = 5;

impl Answers {
    pub(crate) fn is_mismatched(&self, key: &str) -> bool {
        self.suspect.contains(key)
    }

    pub(crate) fn has_proof(&self, session: &str) -> bool {
        self.of_session.contains_key(session)
    }
}

impl Checker {
    pub(crate) fn delivery_ended(&mut self, request: &Request, end: &DeliverEnd, now: Millis) {
        let Some(asked) = &request.asked else { return };
        match end {
            DeliverEnd::Sent { session, answer } => {
                self.recorded(asked, session);
                self.sent(request.id, asked, session, *answer);
                let plivo = opened(&session.upstream.id);
                let is_answered = request.created.as_deref() == Some(plivo.as_str());
                self.require(is_answered, || format!("{} is of {plivo}", asked.session));
                let first = First::Sent {
                    session: asked.session.clone(),
                    answer: *answer,
                };
                self.given(asked, first, now);
            }
            DeliverEnd::Wait(wait) => self.waits(request, wait, now),
            DeliverEnd::Repeated(repetition) => self.repeated(request, repetition, now),
            DeliverEnd::Failed(failure) => self.failed(request, *failure),
            DeliverEnd::NotReserved => self.not_reserved(request),
            _ => {}
        }
        if !matches!(end, DeliverEnd::Unsettled) {
            self.ended(request, matches!(end, DeliverEnd::Wait(_)));
        }
        self.nothing_new(
            request,
            !matches!(end, DeliverEnd::Repeated(_) | DeliverEnd::NotReserved),
            now,
        );
    }

    pub(crate) fn check_ended(&mut self, request: &Request, end: &CheckEnd, now: Millis) {
        let Some(asked) = &request.asked else { return };
        if let CheckEnd::Settled(settlement) = end {
            self.settled(asked, *settlement);
            self.settlement(request.id, asked, *settlement);
        }
        match end {
            CheckEnd::Settled(Settlement::Verified) => {
                if let Some(plivo) = self.asked_about.get(&request.id).cloned() {
                    self.used(&plivo);
                }
                self.verified(request.id, asked.number, now);
                self.deliveries.entered(request.id, asked);
                let proof = format!("proof{}", request.id);
                self.proof(asked, &proof);
                self.given(asked, First::Proof(proof), now);
            }
            CheckEnd::Settled(settlement) => self.given(asked, First::Settled(*settlement), now),
            CheckEnd::Wait(wait) => self.waits(request, wait, now),
            CheckEnd::Repeated(repetition) => self.repeated(request, repetition, now),
            CheckEnd::Failed(failure) => self.failed(request, *failure),
            CheckEnd::NotReserved => self.not_reserved(request),
            _ => {}
        }
        if !matches!(end, CheckEnd::Unsettled) {
            self.ended(request, matches!(end, CheckEnd::Wait(_)));
        }
        self.nothing_new(
            request,
            !matches!(end, CheckEnd::Repeated(_) | CheckEnd::NotReserved),
            now,
        );
    }

    /// Checks a returned proof: it must be the only one of its session and of its code.
    pub(crate) fn proof(&mut self, asked: &Asked, proof: &str) {
        self.answers.proofs += 1;
        let request = proof.strip_prefix("proof").and_then(|id| id.parse().ok());
        let plivo = request.and_then(|id: u64| self.asked_about.get(&id).cloned());
        let answers = &mut self.answers;
        let of_session = answers.of_session.entry(asked.session.clone()).or_default();
        of_session.insert(proof.to_owned());
        let of_plivo = answers.of_plivo.entry(plivo.clone().unwrap_or_default());
        let of_plivo = of_plivo.or_default();
        of_plivo.insert(proof.to_owned());
        let (session, code) = (of_session.len(), of_plivo.len());
        let name = &asked.session;
        self.require(session == 1, || format!("{session} proofs of {name}"));
        // Plivo's session may have expired from the store after the clock was set.
        let is_one = code == 1 || self.was_set;
        self.require(is_one, || format!("{code} proofs of the code of {plivo:?}"));
    }

    fn given(&mut self, asked: &Asked, first: First, now: Millis) {
        if let Some(keyed) = &asked.keyed {
            let newest_request = self.answers.newest_request;
            let given = Given {
                first,
                body: keyed.body.clone(),
                at: now,
                newest_request,
            };
            self.answers.of_key.insert(keyed.name.clone(), given);
        }
    }

    /// Records that a request has begun.
    pub(crate) fn begun(&mut self, request: u64, asked: &Asked, now: Millis) {
        if let Some(keyed) = &asked.keyed {
            let begun = self.answers.begun.entry(keyed.name.clone());
            begun.or_default().push((request, now));
        }
    }

    /// A request refused because of another body counts as a check by its caller, made at
    /// some moment since it began, unless the key may have refused it without comparing.
    fn mismatched(&mut self, request: &Request, asked: &Asked, key: &str) {
        let of_key = self.answers.begun.get(key).map_or(&[][..], Vec::as_slice);
        let this = of_key.iter().find(|(id, _)| *id == request.id);
        let Some((_, at)) = this.filter(|_| of_key.len() <= MAX_COMPARED) else {
            return;
        };
        if !self.was_set {
            self.mismatches.add(OneUse {
                request: request.id,
                at: at.0,
                number: asked.number,
                caller: asked.caller,
                is_call: false,
                is_first: false,
                is_known: false,
                forgotten: 0,
                is_freed: false,
            });
        }
    }

    /// A repetition may get anything but a refusal only with the body that claimed the
    /// key, and only before too many others were tried.
    fn may_answer(&mut self, request: &Request, keyed: &Keyed, now: Millis) {
        let name = keyed.name.clone();
        let claimed_at = self.claimed_at.get(&name).copied().map(Millis);
        let kept_for = request.asked.as_ref().map(|asked| self.kept_for(asked));
        // Otherwise the key may have been claimed again, by a request whose answer was
        // lost.
        let is_known = claimed_at.zip(kept_for);
        if is_known.is_none_or(|(at, kept_for)| at.until(now) >= kept_for) {
            return;
        }
        let body = self.answers.bodies.get(&name);
        let is_same = body.is_none_or(|body| *body == keyed.body) || self.was_set;
        let mismatches = self.answers.mismatches.get(&name).copied();
        let (times, newest) = mismatches.unwrap_or_default();
        let is_refused = times >= 5 && request.id > newest && !self.was_set;
        self.require(is_same && !is_refused, || {
            format!("{name} answers {}, after {times} others", keyed.body)
        });
    }

    /// Records that a key was claimed.
    pub(crate) fn claimed(&mut self, keyed: &Keyed, at: u64) {
        self.claimed_at.insert(keyed.name.clone(), at);
        self.answers.mismatches.remove(&keyed.name);
        let bodies = &mut self.answers.bodies;
        bodies.insert(keyed.name.clone(), keyed.body.clone());
    }

    /// A request was repeated under a known key.
    fn repeated(&mut self, request: &Request, repetition: &Repetition, now: Millis) {
        let Some(asked) = &request.asked else { return };
        let Some(keyed) = &asked.keyed else { return };
        if *repetition == Repetition::Reused {
            self.answers.reused += 1;
            self.claims.compared(&keyed.name);
            let newest = self.answers.newest_request;
            let mismatches = self.answers.mismatches.entry(keyed.name.clone());
            let mismatches = mismatches.or_default();
            *mismatches = (mismatches.0 + 1, newest);
            self.mismatched(request, asked, &keyed.name);
            return;
        }
        self.may_answer(request, keyed, now);
        let Repetition::Answered { answer, subject } = repetition else {
            let claimed_at = self.claimed_at.get(&keyed.name).copied();
            let age = claimed_at.map(|at| Millis(at).until(now));
            let ages = MAX_UNDER_WAY..self.kept_for(asked);
            let is_old = age.is_some_and(|age| ages.contains(&age)) && !self.was_set;
            let is_lost = *repetition != Repetition::UnderWay;
            let name = keyed.name.clone();
            self.require(!is_old || is_lost, || {
                format!("{name} is under way for ever")
            });
            return self.nothing_new(request, true, now);
        };
        let found = match answer {
            Answer::Sent(answer) => First::Sent {
                session: subject.as_ref().map(opened).unwrap_or_default(),
                answer: *answer,
            },
            Answer::Settled(settlement) => First::Settled(*settlement),
            Answer::Sealed(sealed) => {
                let text = opened(sealed);
                if text.starts_with("proof") {
                    self.proof(asked, &text);
                    First::Proof(text)
                } else {
                    return;
                }
            }
        };
        self.answers.found_again += 1;
        let kept_for = self.kept_for(asked);
        let given = self.answers.of_key.get(&keyed.name);
        if let Some(given) = given.filter(|given| given.at.until(now) < kept_for) {
            let (is_same, first) = (given.first == found || self.was_set, given.first.clone());
            let name = keyed.name.clone();
            self.require(is_same, || {
                format!("{name}: {found:?} in the place of {first:?}")
            });
        }
    }

    /// A request that begins after its key was answered must find that answer.
    fn nothing_new(&mut self, request: &Request, is_other: bool, now: Millis) {
        let Some(asked) = request.asked.as_ref().filter(|_| is_other) else {
            return;
        };
        let Some(keyed) = &asked.keyed else { return };
        let kept_for = self.kept_for(asked);
        let Some(given) = self.answers.of_key.get(&keyed.name) else {
            return;
        };
        if given.body != keyed.body {
            // Another body: the key refuses it, or its caller has to wait.
            return;
        }
        // It may have expired while this request was in progress.
        let is_kept = given.at.until(now) < kept_for;
        let began_after = request.id > given.newest_request;
        if is_kept && began_after && !self.was_set {
            let name = keyed.name.clone();
            self.require(false, || {
                format!("{name} was answered, and {} did not find it", request.id)
            });
        }
    }
}
