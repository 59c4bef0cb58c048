//! Sends and checks of several callers under limits, one after the other: every wait,
//! count, answer and charge.

mod bills;
mod checks;
mod counting;
mod keyed;
mod limits;
mod sends;
mod sent;
mod time;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use countersign_core::{Limit, SessionRules, transitions::FreeNumber};

use self::{
    bills::{Bill, Book},
    checks::Check,
    sends::Send,
};
use super::{
    accounts::{Backoff, Number, Session},
    claims::Claims,
    counter::{Counted, Counter},
    plain_rules,
    quotas::{PLACES, Quotas},
    run,
    service::Service,
};
use crate::{border, random::Random};

/// The limits that are counted in a number's own row.
const OF_NUMBERS: [&str; 3] = [
    "sends_per_number",
    "voice_per_number",
    "wrong_checks_per_number",
];

/// A use that a step has counted.
type Taken = (Limit, String, Counted);

/// A step that Plivo has yet to answer.
enum Pending {
    Send(Send),
    Check(Check),
}

pub(super) struct Limited<'a> {
    random: &'a mut Random,
    service: Service,
    rules: Arc<SessionRules>,
    quotas: Quotas,
    counters: BTreeMap<(&'static str, String), Counter>,
    numbers: Vec<Number>,
    sessions: Vec<Session>,
    claims: Claims,
    bills: BTreeMap<String, Bill>,
    books: BTreeMap<String, Book>,
    pending: Vec<Pending>,
    /// Whether the first number is allowed.
    allows: bool,
    check_kept_for: u64,
    names: u64,
    /// When something ended last.
    ended_at: u64,
    /// Longest pause, in milliseconds.
    pause: u64,
    is_busy: bool,
    pub(super) violations: Vec<String>,
}

pub(super) fn play(random: &mut Random) -> Vec<String> {
    let is_busy = random.percent(15);
    let waits = [&[0][..], &[1, 5], &[10, 10, 900], &[0, 30]];
    let waits = waits[if is_busy { 0 } else { random.index(4) }];
    let quotas = Quotas::draw(random, is_busy);
    let known_for = [None, Some(20), Some(3_000)][random.index(3)];
    let mut it = Limited {
        service: Service::new(),
        rules: Arc::new(SessionRules {
            checks_per_session: [1, 2, 5][random.index(3)],
            resend_waits: waits.iter().copied().map(Duration::from_secs).collect(),
            known_numbers_for: known_for.map(Duration::from_secs),
            ..plain_rules()
        }),
        quotas,
        counters: BTreeMap::new(),
        numbers: vec![Number::default(); PLACES.len()],
        sessions: Vec::new(),
        claims: Claims::default(),
        bills: BTreeMap::new(),
        books: BTreeMap::new(),
        pending: Vec::new(),
        allows: random.percent(20),
        check_kept_for: [4_000, 60_000][random.index(2)],
        names: 0,
        ended_at: 0,
        pause: 1_000,
        is_busy,
        violations: Vec::new(),
        random,
    };
    let more = if is_busy { 300 } else { 0 };
    let steps = more + it.random.within(10..200);
    run(steps, || {
        it.step();
        it.violations.is_empty()
    });
    it.violations
}

impl Limited<'_> {
    fn step(&mut self) {
        if self.random.percent(8) {
            // In a busy history there are more uses than are kept one by one.
            let pauses = [1, 20, 300, 5_000, 60_000, 1_500_000];
            let most = if self.is_busy { 3 } else { pauses.len() };
            self.pause = pauses[self.random.index(most)];
        }
        let by = self.random.within(0..self.pause);
        self.service.pass(by);
        if self.random.percent(15) {
            self.pass_to_a_moment();
        }
        if self.random.percent(4) {
            self.set_the_clock();
        }
        self.note_what_ended();
        let is_send = self.is_busy && self.random.percent(60);
        match self.random.within(0..20) {
            _ if is_send => self.send(),
            0..6 => self.send(),
            6..11 => self.check(),
            11..15 => self.resolve(),
            15..18 => self.bill(),
            18 => self.free(),
            _ => self.resend(),
        }
        self.compare_a_count();
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

    /// The operator frees a number.
    fn free(&mut self) {
        let number = self.random.index(PLACES.len());
        self.service.run(&FreeNumber {
            number: border::number_key(number),
            forget: false,
            rules: self.rules.clone(),
        });
        let now = self.now();
        if !self.is_there(number) {
            return;
        }
        for it in self.counters_of(number) {
            it.reset();
        }
        let number = &mut self.numbers[number];
        number.backoff = Backoff::default();
        number.freed_at = Some(now);
    }

    /// Plivo answers some step.
    fn resolve(&mut self) {
        if self.pending.is_empty() {
            return self.send();
        }
        let index = self.random.index(self.pending.len());
        match self.pending.swap_remove(index) {
            Pending::Send(send) => self.resolve_send(&send),
            Pending::Check(check) => self.resolve_check(&check),
        }
    }
}
