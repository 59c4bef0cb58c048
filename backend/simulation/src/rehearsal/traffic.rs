//! The traffic: real users, and an attacker among them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::Duration,
};

use super::service::Asked;
use crate::random::Random;

/// Duration of ordinary traffic before the attack.
pub(super) const ATTACK_BEGINS: Duration = Duration::from_hours(7 * 24);
/// The country that is attacked, and the service's home country.
pub(super) const ATTACKED: &str = "ID";
const HOME: &str = "US";
/// Real users an hour: in the home country, and in the attacked one.
const PER_HOUR: [(&str, u64); 2] = [(HOME, 30), (ATTACKED, 10)];
/// Percentage of real users who return, if anybody was verified before.
const RETURNING: u64 = 40;
/// Percentage of codes that real users enter.
const ENTERED: u64 = 85;
/// Ranges that the real users of a country are spread over; the attacker's are among
/// them.
const RANGES: u64 = 200;

/// The shape of an attack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attack {
    pub(super) days: u32,
    pub(super) per_hour: u64,
    pub(super) hours_a_day: u64,
    /// Each requests a code once or twice, and again when all have had their turn.
    pub(super) addresses: u64,
    pub(super) ranges: u64,
    /// Numbers on which the attacker can read codes.
    pub(super) own_numbers: u64,
}

/// What happens in an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// A real user requests a code.
    Ask,
    /// The attacker requests a code.
    Pump,
    /// The code of that session is entered.
    Verify { session: String, is_attacker: bool },
}

/// One event of the traffic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    pub(super) at: Duration,
    pub(super) asked: Asked,
    pub(super) what: What,
}

pub(super) struct Traffic {
    random: Random,
    events: BinaryHeap<Reverse<Event>>,
    /// Real users who were verified, by country.
    verified: BTreeMap<&'static str, Vec<Asked>>,
    known: BTreeSet<String>,
    /// Number of codes sent to each of the attacker's own numbers.
    own: BTreeMap<u64, u64>,
    has_own_numbers: bool,
}

impl Traffic {
    pub(super) fn new(attack: &Attack) -> Self {
        let mut traffic = Self {
            random: Random::new(27),
            events: BinaryHeap::new(),
            verified: BTreeMap::new(),
            known: BTreeSet::new(),
            own: BTreeMap::new(),
            has_own_numbers: attack.own_numbers > 0,
        };
        let ends = ATTACK_BEGINS + Duration::from_hours(24) * attack.days;
        for (country, per_hour) in PER_HOUR {
            let count = per_hour * ends.as_secs() / 3_600;
            for index in 0..count {
                traffic.ask(country, index, ends);
            }
        }
        traffic.attack(attack);
        traffic
    }

    /// Adds a real user, at a random time.
    fn ask(&mut self, country: &'static str, index: u64, ends: Duration) {
        let at = self.random.millis(0..millis(ends));
        let asked = Asked {
            country,
            range: self.random.within(0..RANGES),
            number: self.random.within(0..10_000),
            address: format!("user-{country}-{index}"),
        };
        self.push(at, asked, What::Ask);
    }

    fn attack(&mut self, attack: &Attack) {
        let (mut address, mut left) = (0, 0);
        for day in 0..attack.days {
            let begins = ATTACK_BEGINS + Duration::from_hours(24) * day;
            let length = Duration::from_hours(attack.hours_a_day);
            for _ in 0..attack.per_hour * attack.hours_a_day {
                if left == 0 {
                    address = (address + 1) % attack.addresses;
                    left = self.random.within(1..3);
                }
                left -= 1;
                let at = begins + self.random.millis(0..millis(length));
                let number = match attack.own_numbers {
                    0 => self.random.within(0..10_000),
                    own => self.random.within(0..own),
                };
                let asked = Asked {
                    country: ATTACKED,
                    range: number % attack.ranges,
                    number,
                    address: format!("bot-{address}"),
                };
                self.push(at, asked, What::Pump);
            }
        }
    }

    fn push(&mut self, at: Duration, asked: Asked, what: What) {
        self.events.push(Reverse(Event { at, asked, what }));
    }

    /// Returns the next event. Some real users turn out to be returning ones.
    pub(super) fn next(&mut self) -> Option<Event> {
        let Reverse(mut event) = self.events.pop()?;
        if event.what == What::Ask && self.random.percent(RETURNING) {
            let known = self.verified.get(event.asked.country);
            let known = known.and_then(|known| self.random.pick(known));
            if let Some(known) = known {
                event.asked = known.clone();
            }
        }
        Some(event)
    }

    pub(super) fn is_known(&self, asked: &Asked) -> bool {
        self.known.contains(&asked.number())
    }

    /// Records that a real user was verified.
    pub(super) fn verified(&mut self, asked: &Asked) {
        if self.known.insert(asked.number()) {
            let known = self.verified.entry(asked.country).or_default();
            known.push(asked.clone());
        }
    }

    /// Schedules the entry of a sent code: real users enter most, a ring one in three
    /// sent to its own numbers.
    pub(super) fn sent(&mut self, at: Duration, asked: &Asked, session: String, what: &What) {
        let is_attacker = *what == What::Pump;
        let is_entered = if is_attacker {
            let sent = self.own.entry(asked.number).or_default();
            *sent += 1;
            self.has_own_numbers && *sent % 3 == 1
        } else {
            self.random.percent(ENTERED)
        };
        if is_entered {
            let after = self.random.millis(15_000..120_000);
            let what = What::Verify {
                session,
                is_attacker,
            };
            self.push(at + after, asked.clone(), what);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
