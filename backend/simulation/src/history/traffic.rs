//! Codes to three ranges of two countries over weeks: whether each send finds the
//! conversion breakers as the model has them.

mod codes;
mod expected;
mod time;

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use countersign_core::{
    ApplicationId, ConversionRule, Destination, EndUserKeys, Limit, LowConversion, Millis,
    NewSession, Owner, Route, Sealed, SessionRules, keys,
    transitions::{ReserveSend, Reserved, SendLimits},
};
use countersign_shared::Channel;

use super::{
    breaker::{Breaker, Judged},
    plain_rules, run,
    service::Service,
};
use crate::random::Random;

/// The country of each range.
const COUNTRIES: [&str; 3] = ["US", "US", "GB"];
/// Numbers of each range that are sent to again and again.
const REGULARS: usize = 3;
const LIFETIME: Duration = Duration::from_mins(10);

/// A number that was verified.
#[derive(Clone, Copy)]
struct Known {
    at: u64,
    until: u64,
    /// Sends since then.
    open: u32,
}

/// A code on its way.
struct Code {
    session: String,
    number: String,
    range: usize,
    at: u64,
    is_known: bool,
}

/// How people behave for a while.
struct Mood {
    /// How many of a hundred enter the code that they get, for each range.
    entered: [u64; 3],
    /// Longest pause between two sends, in milliseconds.
    pause: u64,
    range: usize,
}

struct Traffic<'a> {
    random: &'a mut Random,
    service: Service,
    rules: Arc<SessionRules>,
    rule: ConversionRule,
    breakers: BTreeMap<String, Breaker>,
    known: BTreeMap<String, Known>,
    codes: Vec<Code>,
    names: u64,
    mood: Mood,
    is_steady: bool,
    violations: Vec<String>,
}

pub(super) fn play(random: &mut Random) -> Vec<String> {
    let mut few =
        || NonZeroU32::new([3, 5, 10, 25][random.index(4)]).filter(|_| random.percent(80));
    let rule = ConversionRule {
        min_per_country: few(),
        min_per_range: few(),
        floor: [20, 50][random.index(2)],
        grace: Duration::from_secs([0, 30, 600][random.index(3)]),
        cooldown: Duration::from_mins([1, 20, 360, 1800][random.index(4)]),
        enforced: random.percent(50),
    };
    let known_for = [20, 40 * 60, 30 * 24 * 3600][random.index(3)];
    let mut traffic = Traffic {
        service: Service::new(),
        rules: Arc::new(SessionRules {
            session_lifetime: LIFETIME,
            known_numbers_for: Some(Duration::from_secs(known_for)),
            conversion: Some(rule),
            ..plain_rules()
        }),
        rule,
        breakers: BTreeMap::new(),
        known: BTreeMap::new(),
        codes: Vec::new(),
        names: 0,
        mood: Mood {
            entered: [90; 3],
            pause: 60_000,
            range: 0,
        },
        is_steady: random.percent(25),
        violations: Vec::new(),
        random,
    };
    let more = if traffic.is_steady { 200 } else { 0 };
    let steps = more + traffic.random.within(20..250);
    run(steps, || {
        traffic.step();
        traffic.violations.is_empty()
    });
    traffic.violations
}

impl Traffic<'_> {
    fn step(&mut self) {
        let random = &mut *self.random;
        if !self.is_steady && random.percent(5) {
            let pauses = [500, 30_000, 600_000, 2_400_000, 20 * 3_600_000];
            self.mood = Mood {
                entered: [0, 1, 2].map(|_| [0, 0, 15, 40, 70, 100][random.index(6)]),
                pause: pauses[random.index(5)],
                range: random.index(3),
            };
        }
        if self.is_steady && random.percent(2) {
            // Dozens of sends each day, most of which are entered on many days.
            let mut entered = || [20, 45, 70, 100, 100, 100][random.index(6)];
            self.mood.entered = [entered(), entered(), entered()];
            self.mood.pause = 2_400_000;
        }
        let by = random.within(0..self.mood.pause);
        self.service.pass(by);
        if self.random.percent(10) {
            self.pass_to_a_moment();
        }
        if self.random.percent(3) {
            self.set_the_clock();
        }
        let range = if self.random.percent(70) {
            self.mood.range
        } else {
            self.random.index(3)
        };
        let is_regular = self.random.percent(30);
        let who = if is_regular {
            self.random.index(REGULARS).to_string()
        } else {
            format!("stranger{}", self.name())
        };
        self.send(range, &format!("{range}-{who}"));
        if !self.codes.is_empty() && self.random.percent(20) {
            let index = self.random.index(self.codes.len());
            let code = self.codes.swap_remove(index);
            self.enter(&code);
        }
    }

    fn name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    fn now(&self) -> u64 {
        self.service.now().0
    }

    fn breaker(&mut self, limit: Limit, name: &str) -> &mut Breaker {
        let rule = self.rule;
        let breaker = self.breakers.entry(name.to_owned());
        breaker.or_insert_with(|| Breaker::new(rule, limit))
    }

    fn send(&mut self, range: usize, number: &str) {
        let expected = self.expected(range, number);
        let session = format!("session{}", self.name());
        let new = NewSession {
            key: keys::session(&session),
            number: keys::number(number),
            contact: Sealed(Vec::new()),
            channel: Channel::Sms,
            owner: Owner {
                application: ApplicationId::parse("shop").expect("an id"),
                with_key: false,
            },
            end_user: EndUserKeys::default(),
        };
        let step = ReserveSend {
            page: None,
            new: new.clone(),
            limits: SendLimits {
                number: keys::number(number),
                checks: Vec::new(),
                known_reserve: None,
                destination: destination(range),
                route: Route {
                    country: COUNTRIES[range].to_owned(),
                    channel: Channel::Sms,
                },
                is_allowed: false,
            },
            claim: None,
            request_id: String::new(),
            rules: self.rules.clone(),
        };
        let now = self.now();
        let (told, reservation) = match self.service.run(&step) {
            Reserved::Reserved(it) => (
                (it.low_conversion().to_vec(), None, it.is_known()),
                Some(it),
            ),
            Reserved::Wait(wait) => {
                let until = Millis(now).after(wait.retry_after).0;
                let until = wait.limit.map(|limit| (until, limit));
                ((wait.low_conversion, until, expected.2), None)
            }
            other => unreachable!("{other:?}"),
        };
        if told != expected {
            let breakers = &self.breakers;
            self.violations.push(format!(
                "a send is told {told:?}, and not {expected:?}: {breakers:?}"
            ));
            return;
        }
        if let Some(reservation) = reservation {
            self.sent(range, number, session, &new, reservation);
        }
    }
}

fn told(limit: Limit, judged: Judged) -> Option<LowConversion> {
    let tripped_by = match judged {
        Judged::Enough => return None,
        Judged::Open => None,
        Judged::Trips(reason) => Some(reason),
    };
    Some(LowConversion { limit, tripped_by })
}

fn destination(range: usize) -> Destination {
    let country = COUNTRIES[range];
    Destination {
        country: keys::conversion(country),
        range: keys::conversion(&format!("range {range}")),
        known: keys::conversion(&format!("known {country}")),
    }
}

fn millis(duration: Option<Duration>) -> u64 {
    let millis = duration.unwrap_or_default().as_millis();
    millis.try_into().unwrap_or(u64::MAX)
}
