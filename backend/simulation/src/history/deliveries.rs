//! Codes on their way: what Plivo's callbacks report, which sends they adopt, and what is
//! told about each delivery.

mod answers;
mod callbacks;
mod plivo;
mod steps;
mod views;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use countersign_core::{
    Millis, NewSession, SessionRules, keys,
    transitions::{FreeNumber, PollTurn, SendReservation},
};
use countersign_shared::Channel;

use self::{callbacks::Callback, plivo::Plivo};
use super::{
    accounts::Session,
    claims::{Claims, Keyed},
    plain_rules, run,
    service::Service,
};
use crate::{border, random::Random};

const NUMBERS: usize = 2;
const LIFETIME: u64 = 600_000;
/// How long Plivo's session, or a session's id, is stored.
const ENDED_FOR: u64 = 3_600_000;
/// Interval between two polls.
const INTERVAL: u64 = 3_000;

/// A send that a callback may be about.
#[derive(Clone)]
struct Reserved {
    session: usize,
    channel: Channel,
    at: u64,
    next_at: u64,
    keyed: Option<Keyed>,
    request: String,
}

/// A send that is not answered yet.
struct Send {
    reserved: Reserved,
    reservation: Arc<SendReservation>,
    new: Option<NewSession>,
    /// Plivo's session, if it has reached Plivo.
    plivo: Option<usize>,
}

pub(super) struct Deliveries<'a> {
    random: &'a mut Random,
    service: Service,
    rules: Arc<SessionRules>,
    sessions: Vec<Session>,
    /// The last sends to each number.
    reserved: Vec<Vec<Reserved>>,
    claims: Claims,
    /// What is stored about each of Plivo's sessions.
    known: BTreeMap<usize, Plivo>,
    /// Plivo's sessions: the number and the channels of their attempts.
    plivo: Vec<(usize, Vec<Channel>)>,
    callbacks: Vec<Callback>,
    /// Nonces, and until when they are remembered.
    nonces: BTreeMap<String, u64>,
    pending: Vec<Send>,
    names: u64,
    pause: u64,
    ended_at: u64,
    violations: Vec<String>,
}

pub(super) fn play(random: &mut Random) -> Vec<String> {
    let mut it = Deliveries {
        service: Service::new(),
        rules: Arc::new(SessionRules {
            session_lifetime: Duration::from_millis(LIFETIME),
            checks_per_session: 200,
            ..plain_rules()
        }),
        sessions: Vec::new(),
        reserved: vec![Vec::new(); NUMBERS],
        claims: Claims::default(),
        known: BTreeMap::new(),
        plivo: Vec::new(),
        callbacks: Vec::new(),
        nonces: BTreeMap::new(),
        pending: Vec::new(),
        names: 0,
        pause: 1_000,
        ended_at: 0,
        violations: Vec::new(),
        random,
    };
    let steps = it.random.within(10..120);
    run(steps, || {
        it.step();
        it.violations.is_empty()
    });
    it.violations
}

impl Deliveries<'_> {
    fn step(&mut self) {
        if self.random.percent(8) {
            self.pause = [1, 3_000, 60_000, 1_000_000][self.random.index(4)];
        }
        let by = self.random.within(0..self.pause);
        self.service.pass(by);
        if self.random.percent(15) {
            let now = self.now();
            let mut moments = self.moments();
            moments.retain(|it| *it > now + 1 && *it < now + 2 * self.pause);
            if let Some(at) = self.random.pick(&moments) {
                self.service.pass(at - 1 + self.random.within(0..3) - now);
            }
        }
        self.expire();
        if self.random.percent(2) {
            let now = self.now();
            let by = self.random.within(1..300_000);
            let to = now.saturating_sub(by).max(self.ended_at);
            self.service.set(Millis(to));
        }
        match self.random.within(0..20) {
            0..4 => self.send(),
            4..7 => self.resend(),
            7..11 => self.resolve(),
            11..16 => self.call_back(),
            16 => self.verify(),
            17..19 => self.poll(),
            _ => self.free(),
        }
        self.compare();
    }

    fn name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    fn now(&self) -> u64 {
        self.service.now().0
    }

    fn require(&mut self, is_right: bool, what: impl FnOnce() -> String) {
        if !is_right {
            self.violations.push(what());
        }
    }

    fn moments(&self) -> Vec<u64> {
        let known = self.known.values();
        let known =
            known.flat_map(|it| [it.until, it.began_at + LIFETIME, it.polled_at + INTERVAL]);
        let sessions = self.sessions.iter();
        let sessions = sessions.flat_map(|it| [it.ends_at, it.ends_at + ENDED_FOR]);
        let reserved = self.reserved.iter().flatten().map(|it| it.at + LIFETIME);
        let nonces = self.nonces.values().copied();
        let all = known.chain(sessions).chain(reserved).chain(nonces);
        all.chain(self.claims.moments()).collect()
    }

    /// Drops what is over.
    fn expire(&mut self) {
        let now = self.now();
        let ended = self.moments().into_iter().filter(|it| *it <= now);
        self.ended_at = ended.fold(self.ended_at, u64::max);
        self.sessions.iter_mut().for_each(|it| it.expire(now));
        self.known.retain(|_, it| it.until > now);
        self.nonces.retain(|_, until| *until > now);
        self.claims.expire(now);
        for reserved in &mut self.reserved {
            // The number's row lasts as long as its last send.
            if reserved.last().is_none_or(|it| it.at + LIFETIME <= now) {
                reserved.clear();
            }
        }
    }

    /// What is stored about one of Plivo's sessions.
    fn known(&mut self, plivo: usize) -> &mut Plivo {
        let now = self.now();
        self.known.entry(plivo).or_insert_with(|| Plivo {
            until: now,
            began_at: now,
            ..Plivo::default()
        })
    }

    fn saved(&mut self, plivo: usize) -> &mut Plivo {
        let until = self.now() + LIFETIME + ENDED_FOR;
        let known = self.known(plivo);
        known.until = until;
        known
    }

    /// Somebody watches deliveries: one of them polls Plivo.
    fn poll(&mut self) {
        if self.plivo.is_empty() {
            return;
        }
        let (now, plivo) = (self.now(), self.random.index(self.plivo.len()));
        let told = self.service.run(&PollTurn {
            upstream: keys::upstream(&name(plivo)),
            interval: Duration::from_millis(INTERVAL),
            rules: self.rules.clone(),
        });
        let known = self.known(plivo).clone();
        let is_turn = known.polled_at > now || known.polled_at + INTERVAL <= now;
        let is_right = told.is_turn == is_turn && told.attempts == known.attempts;
        self.require(is_right, || format!("{told:?} at {now}, and {known:?}"));
        if is_turn {
            self.saved(plivo).polled_at = now;
        } else {
            self.known.retain(|_, it| it.until > now);
        }
    }

    /// The operator frees a number, of which sends are still on their way.
    fn free(&mut self) {
        let number = self.random.index(NUMBERS);
        self.service.run(&FreeNumber {
            number: border::number_key(number),
            forget: false,
            rules: self.rules.clone(),
        });
    }
}

fn name(plivo: usize) -> String {
    format!("plivo{plivo}")
}
