//! Simulated attacks: what SMS pumping of known patterns costs, and how real users fare
//! meanwhile, with each protection off and on.
//!
//! First comes a week of ordinary traffic, in which some numbers become known and the
//! country's usual conversion rate is established; then five days of attack. The same
//! seed gives the same rehearsal.

mod service;
mod traffic;

use std::{fmt::Write, num::NonZeroU64, time::Duration};

use countersign_core::{Budget, ConversionRule, Limits, Prices, Quota, SessionRules};
use countersign_shared::{Channel, Locale};

use self::{
    service::Service,
    traffic::{Attack, Event, Traffic, What},
};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// Prices of a code: in the service's home country, and in the attacked one.
const PRICES: &str = "country,channel,price\nUS,sms,0.0079\n*,sms,0.31\n";

/// The protections that are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protections {
    /// `KNOWN_NUMBERS_FOR`.
    pub known_numbers: bool,
    /// `CONVERSION_BREAKER=enforce`.
    pub breaker: bool,
    /// `SPEND_CAP=150/1d`.
    pub cap: bool,
}

/// The result of an attack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Codes sent to the attacker.
    pub pumped: u64,
    /// What they cost, in millionths of a dollar.
    pub pumped_cost: u64,
    /// Real users who got a code.
    pub served: u64,
    /// Real users of the attacked country, not verified before, who got none.
    pub strangers_refused: u64,
    /// The same, with numbers that were verified before.
    pub known_refused: u64,
    /// Real users elsewhere who got none.
    pub others_refused: u64,
}

/// The protections that are compared.
const VARIANTS: [(&str, Protections); 5] = [
    (
        "limits alone",
        Protections {
            known_numbers: false,
            breaker: false,
            cap: false,
        },
    ),
    (
        "and known numbers",
        Protections {
            known_numbers: true,
            breaker: false,
            cap: false,
        },
    ),
    (
        "and the breaker",
        Protections {
            known_numbers: false,
            breaker: true,
            cap: false,
        },
    ),
    (
        "and both",
        Protections {
            known_numbers: true,
            breaker: true,
            cap: false,
        },
    ),
    (
        "and a cap of $150 a day",
        Protections {
            known_numbers: true,
            breaker: true,
            cap: true,
        },
    ),
];

/// The attacks that are rehearsed, each of that many days.
fn attacks(days: u32) -> [(&'static str, Attack); 3] {
    [
        (
            "Slow: 40 codes an hour, 300 addresses, 8 ranges",
            Attack {
                days,
                per_hour: 40,
                hours_a_day: 24,
                addresses: 300,
                ranges: 8,
                own_numbers: 0,
            },
        ),
        (
            "By night: 400 codes an hour for 4 hours, 800 addresses, 25 ranges",
            Attack {
                days,
                per_hour: 400,
                hours_a_day: 4,
                addresses: 800,
                ranges: 25,
                own_numbers: 0,
            },
        ),
        (
            "A ring that verifies 150 numbers of its own first and every third code after that, 40 codes an hour",
            Attack {
                days,
                per_hour: 40,
                hours_a_day: 24,
                addresses: 300,
                ranges: 8,
                own_numbers: 150,
            },
        ),
    ]
}

/// Runs every attack for that many days with each protection off and on; returns a table
/// in Markdown.
pub fn table(days: u32) -> String {
    let mut text = String::new();
    for (name, attack) in attacks(days) {
        writeln!(
            text,
            "**{name}.**\n\n\
             | protection | codes pumped | they cost | real users served | strangers turned away there | known ones turned away there | turned away elsewhere |\n\
             |---|---:|---:|---:|---:|---:|---:|"
        )
        .expect("a String takes all text");
        for (name, protections) in VARIANTS {
            let it = rehearse(&attack, protections);
            writeln!(
                text,
                "| {name} | {} | ${} | {} | {} | {} | {} |",
                it.pumped,
                it.pumped_cost.div_ceil(1_000_000),
                it.served,
                it.strangers_refused,
                it.known_refused,
                it.others_refused
            )
            .expect("a String takes all text");
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Runs the slow attack with these protections.
pub fn slow(days: u32, protections: Protections) -> Report {
    rehearse(&attacks(days)[0].1, protections)
}

/// Runs the attack by night with these protections.
pub fn by_night(days: u32, protections: Protections) -> Report {
    rehearse(&attacks(days)[1].1, protections)
}

/// Runs the ring with these protections.
pub fn ring(days: u32, protections: Protections) -> Report {
    rehearse(&attacks(days)[2].1, protections)
}

fn rehearse(attack: &Attack, protections: Protections) -> Report {
    let mut service = Service::new(rules(protections), limits(), budget(protections));
    let mut traffic = Traffic::new(attack);
    let mut report = Report::default();
    let mut swept = Duration::ZERO;
    let budget = budget(protections);
    while let Some(Event { at, asked, what }) = traffic.next() {
        service.pass_until(at);
        if at > swept + 6 * HOUR {
            service.sweep();
            swept = at;
        }
        if let What::Verify {
            session,
            is_attacker,
        } = what
        {
            if service.verify(&asked, &session) && !is_attacker {
                traffic.verified(&asked);
            }
            continue;
        }
        let is_known = traffic.is_known(&asked);
        let sent = service.send(&asked);
        let is_attack = at >= traffic::ATTACK_BEGINS;
        let counted = match (&what, &sent) {
            (What::Pump, Some(_)) => {
                report.pumped_cost += budget.prices.of(asked.country, Channel::Sms).0;
                &mut report.pumped
            }
            (What::Pump, None) => continue,
            (_, Some(_)) => &mut report.served,
            (_, None) if asked.country != traffic::ATTACKED => &mut report.others_refused,
            (_, None) if is_known => &mut report.known_refused,
            (_, None) => &mut report.strangers_refused,
        };
        *counted += u64::from(is_attack || matches!(what, What::Pump));
        if let Some(session) = sent {
            traffic.sent(at, &asked, session, &what);
        }
    }
    report
}

fn rules(protections: Protections) -> SessionRules {
    let min = |count: u32| Some(count.try_into().expect("a count"));
    let breaker = ConversionRule {
        floor: 20,
        min_per_country: min(100),
        min_per_range: min(10),
        grace: Duration::from_mins(3),
        cooldown: Duration::from_mins(30),
        enforced: true,
    };
    SessionRules {
        otp_length: 6,
        session_lifetime: Duration::from_mins(10),
        checks_per_session: 5,
        resend_waits: [30, 60, 120, 300].map(Duration::from_secs).to_vec(),
        default_locale: Locale::parse("en").expect("English is a language"),
        verified_owes_no_wait: false,
        known_numbers_for: protections.known_numbers.then_some(90 * DAY),
        conversion: protections.breaker.then_some(breaker),
    }
}

/// The service's default limits in live mode.
fn limits() -> Limits {
    let list = |quotas: &[(u64, u64)]| -> Vec<Quota> {
        let quota = |(count, minutes): &(u64, u64)| Quota {
            count: NonZeroU64::new(*count).expect("a count"),
            per: Duration::from_mins(*minutes),
        };
        quotas.iter().map(quota).collect()
    };
    Limits {
        sends_per_number: list(&[(3, 10), (5, 60), (10, 1440)]),
        voice_per_number: list(&[(2, 60), (4, 1440)]),
        wrong_checks_per_number: list(&[(10, 60), (20, 1440)]),
        sends_per_address: list(&[(5, 10)]),
        checks_per_address: list(&[(20, 10)]),
        numbers_per_address: list(&[(5, 60)]),
        sends_per_user: Vec::new(),
        sends_without_address: Vec::new(),
        checks_without_address: Vec::new(),
        sends_per_range: list(&[(20, 60)]),
        sends_per_country: list(&[(500, 60), (2000, 1440)]),
        sends_total: list(&[(1000, 60), (5000, 1440)]),
    }
}

fn budget(protections: Protections) -> Budget {
    let cap = Quota {
        count: NonZeroU64::new(150_000_000).expect("a cap"),
        per: DAY,
    };
    Budget {
        prices: Prices::parse(PRICES, &[Channel::Sms]).expect("a table of prices"),
        caps: protections.cap.then_some(cap).into_iter().collect(),
        alert_at: 80,
    }
}
