//! Invariants that must hold whatever happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use countersign_core::{
    Limits, Millis, SessionRules, Verdict,
    transitions::{CheckReservation, SendReservation},
};
use countersign_shared::Channel;

use crate::{
    answers::Answers,
    attempts::Attempts,
    claims::Claims,
    deliveries::Deliveries,
    operator::Operator,
    request::{Asked, Kind, Phase, Request},
    rows::UsedCodes,
    sessions::Sessions,
    settings::Settings,
    told::Told,
    trips::Trip,
    turns::Turns,
    usage::{OneUse, Usage},
};

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Checker {
    pub(crate) violations: Vec<String>,
    pub(crate) rules: Arc<SessionRules>,
    pub(crate) limits: Limits,
    pub(crate) check_kept_for: Duration,
    pub(crate) operator: Operator,
    pub(crate) sends: Usage,
    pub(crate) checks: Usage,
    /// Requests with another body under a known key, which count as checks.
    pub(crate) mismatches: Usage,
    /// Checks that Plivo rejected, or whose outcome is unknown.
    pub(crate) wrong: Usage,
    /// Requests that called Plivo.
    pub(crate) calls: BTreeMap<u64, Asked>,
    /// Sends to each number that lengthen its resend backoff.
    pub(crate) ladders: BTreeMap<usize, Vec<(u64, u64)>>,
    /// Numbers with such sends that are unclear.
    pub(crate) unclear: BTreeSet<usize>,
    /// Whether a send was released whose number was used by its caller before and after.
    pub(crate) is_distinct_unclear: bool,
    /// When Plivo accepted the code of each check.
    pub(crate) accepted_at: BTreeMap<u64, u64>,
    /// Plivo's verdict on each check, and how many of its session had been made by then.
    pub(crate) settling: BTreeMap<u64, (Verdict, u64)>,
    /// Between which moments each number became known last.
    pub(crate) became_known: BTreeMap<usize, (u64, u64)>,
    /// When the conversion of a destination was found too low, and how often.
    pub(crate) trips: BTreeMap<&'static str, Trip>,
    pub(crate) turns: Turns,
    /// Plivo's session that each check was sent to.
    pub(crate) asked_about: BTreeMap<u64, String>,
    /// Checks of each session that were sent to Plivo.
    pub(crate) checks_asked: BTreeMap<String, u64>,
    pub(crate) answers: Answers,
    pub(crate) sessions: Sessions,
    /// When the effect under each key was reserved, by the store's clock.
    pub(crate) effects: BTreeMap<String, Vec<(u64, u64)>>,
    reserved_at: BTreeMap<u64, u64>,
    /// When each key was last claimed.
    pub(crate) claimed_at: BTreeMap<String, u64>,
    pub(crate) claims: Claims,
    pub(crate) told: Told,
    pub(crate) attempts: Attempts,
    pub(crate) deliveries: Deliveries,
    pub(crate) used_codes: UsedCodes,
    pub(crate) nonces: BTreeSet<String>,
    /// Reported deliveries for each attempt.
    pub(crate) arrivals: BTreeMap<(usize, usize), u32>,
    /// Reported statuses of each attempt.
    pub(crate) ranks: BTreeMap<(usize, usize), BTreeSet<u8>>,
    /// Charges booked for each of Plivo's sessions: for attempts, for validation.
    pub(crate) charged: BTreeMap<String, (u64, u64)>,
    /// Charges for validation booked for the applications.
    pub(crate) validated_for: BTreeMap<usize, u64>,
    /// Checks of each session that Plivo accepted.
    pub(crate) accepted: BTreeMap<String, Vec<(u64, Asked)>>,
    /// When a code of each number was accepted last.
    pub(crate) verified_at: BTreeMap<usize, Millis>,
    pub(crate) has_tripped: bool,
    pub(crate) has_lied: bool,
    pub(crate) was_set: bool,
    pub(crate) released: u64,
    /// Steps whose outcome is unknown.
    pub(crate) in_doubt: u64,
    pub(crate) commits: u64,
    pub(crate) conflicts: u64,
}

impl Checker {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            violations: Vec::new(),
            rules: settings.rules.clone(),
            limits: settings.limits.clone(),
            check_kept_for: settings.check_kept_for,
            operator: Operator::new(settings),
            sends: Usage::default(),
            checks: Usage::default(),
            mismatches: Usage::default(),
            wrong: Usage::default(),
            calls: BTreeMap::new(),
            ladders: BTreeMap::new(),
            unclear: BTreeSet::new(),
            is_distinct_unclear: false,
            accepted_at: BTreeMap::new(),
            settling: BTreeMap::new(),
            became_known: BTreeMap::new(),
            trips: BTreeMap::new(),
            turns: Turns::default(),
            asked_about: BTreeMap::new(),
            checks_asked: BTreeMap::new(),
            answers: Answers::default(),
            sessions: Sessions::default(),
            effects: BTreeMap::new(),
            reserved_at: BTreeMap::new(),
            claimed_at: BTreeMap::new(),
            claims: Claims::default(),
            told: Told::default(),
            attempts: Attempts::default(),
            deliveries: Deliveries::default(),
            used_codes: UsedCodes::default(),
            nonces: BTreeSet::new(),
            arrivals: BTreeMap::new(),
            ranks: BTreeMap::new(),
            charged: BTreeMap::new(),
            validated_for: BTreeMap::new(),
            accepted: BTreeMap::new(),
            verified_at: BTreeMap::new(),
            has_tripped: false,
            has_lied: false,
            was_set: false,
            released: 0,
            in_doubt: 0,
            commits: 0,
            conflicts: 0,
        }
    }

    pub(crate) fn require(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(what());
        }
    }

    pub(crate) fn lied(&mut self) {
        self.has_lied = true;
    }

    pub(crate) fn clock_was_set(&mut self, before: Millis, now: Millis) {
        self.was_set = true;
        for usage in [
            &mut self.sends,
            &mut self.checks,
            &mut self.mismatches,
            &mut self.wrong,
        ] {
            usage.set_clock(before.0, now.0);
        }
    }

    /// A process died while handling this request.
    pub(crate) fn died(&mut self, request: &Request) {
        self.in_doubt += u64::from(request.phase != Phase::Plivo);
    }

    pub(crate) fn send_reserved(
        &mut self,
        request: &Request,
        reservation: &SendReservation,
        now: Millis,
    ) {
        let Some(asked) = &request.asked else { return };
        let at = reservation.reserved_at().0;
        self.counted(request, asked, at);
        self.told.sent(request.id, reservation);
        self.not_stopped(request, reservation.channel());
        self.tripped(request, reservation.low_conversion(), now);
        let ladder = self.ladders.entry(asked.number).or_default();
        ladder.push((request.id, at));
        // Answers may overtake each other.
        ladder.sort_by_key(|(_, at)| *at);
        // A moment in the future dates from before the clock was set back.
        if at <= now.0 {
            self.sends.add(OneUse {
                request: request.id,
                at,
                number: asked.number,
                caller: asked.caller,
                is_call: reservation.channel() == Channel::Voice,
                is_first: matches!(asked.kind, Kind::Send(_)),
                is_known: reservation.is_known(),
                forgotten: 0,
                is_freed: self.operator.may_be_freed(asked.number, at),
            });
        }
        if reservation.is_known() && !self.operator.allows(asked.number) {
            self.spared(asked.number);
            self.known(asked.number, Millis(at));
        }
    }

    pub(crate) fn check_reserved(
        &mut self,
        request: &Request,
        reservation: &CheckReservation,
        upstream_id: String,
    ) {
        let Some(asked) = &request.asked else { return };
        let at = reservation.reserved_at().0;
        let lives = reservation.session().expires_at.0 > at;
        self.require(lives, || format!("{} has ended", asked.session));
        self.counted(request, asked, at);
        self.asked_about.insert(request.id, upstream_id);
        self.sessions.checked(request.id, asked);
        let one = OneUse {
            request: request.id,
            at,
            number: asked.number,
            caller: asked.caller,
            is_call: false,
            is_first: false,
            is_known: false,
            forgotten: 0,
            is_freed: self.operator.may_be_freed(asked.number, at),
        };
        if !self.was_set {
            self.checks.add(one);
            self.wrong.add(one);
        }
    }

    fn counted(&mut self, request: &Request, asked: &Asked, at: u64) {
        self.reserved_in(request, asked);
        self.reserved_at.insert(request.id, at);
        if let Some(keyed) = &asked.keyed {
            self.claimed(keyed, at);
            self.claims.claimed(asked, &keyed.name);
            self.told.claimed(&keyed.name, request.id);
        }
    }

    /// Records that a call to Plivo has left.
    pub(crate) fn asked(&mut self, requests: &BTreeMap<u64, Request>, id: u64) {
        let Some(asked) = requests.get(&id).and_then(|it| it.asked.clone()) else {
            return;
        };
        if let Kind::Check(_) = asked.kind {
            let checks = self.checks_asked.entry(asked.session.clone()).or_default();
            *checks += 1;
            let is_within = *checks <= u64::from(self.rules.checks_per_session);
            self.require(is_within, || {
                format!("too many checks of {}", asked.session)
            });
        }
        if let Some(keyed) = &asked.keyed {
            let kept_for = self.key_kept_for(&asked);
            let at = self.reserved_at.get(&id).copied().unwrap_or_default();
            let effects = self.effects.entry(keyed.name.clone()).or_default();
            let mut near = effects
                .iter()
                .filter(|(_, other)| Duration::from_millis(other.abs_diff(at)) < kept_for);
            let other = near.next().map(|(other, _)| *other);
            effects.push((id, at));
            let is_one = other.is_none() || self.was_set;
            let name = keyed.name.clone();
            self.require(is_one, || {
                format!("{name} has two effects: {id} and {other:?}")
            });
        }
        self.calls.insert(id, asked);
    }

    /// What follows an answer of Plivo's, or its absence: what was done is recorded, what
    /// never left is released, and everything else stays counted.
    pub(crate) fn follows(&mut self, id: u64, is_right: bool) {
        self.require(is_right, || format!("{id} goes on with a wrong step"));
    }

    /// A reservation may be released only if the call never left.
    pub(crate) fn releases(&mut self, request: &Request) {
        let (id, has_left) = (request.id, request.has_left);
        self.require(!has_left, || format!("{id} is released and may have left"));
        self.released += 1;
        self.frees_key(request);
        self.is_distinct_unclear |= self.sends.is_followed(id);
        for usage in [&mut self.sends, &mut self.checks, &mut self.wrong] {
            usage.remove(id);
        }
        self.sessions.released(id);
        // A later send keeps its own wait.
        for ladder in self.ladders.values_mut() {
            ladder.pop_if(|(last, _)| *last == id);
        }
    }

    /// When a request was reserved.
    pub(crate) fn reserved_at(&self, request: u64) -> Option<u64> {
        self.reserved_at.get(&request).copied()
    }
}
