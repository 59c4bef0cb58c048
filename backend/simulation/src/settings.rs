//! Settings of one schedule: its limits, and the rates of faults. Drawn for each schedule,
//! so that some have few faults and others many.

use std::{sync::Arc, time::Duration};

use countersign_core::{
    AccessPolicy, Application, Budget, ConversionRule, Limits, Prices, Quota, SessionRules,
};
use countersign_shared::{Channel, Locale};

use crate::{border::application_id, random::Random};

/// Expected price of a code, in millionths of a dollar.
pub(crate) const PRICE: u64 = 7;
/// Plivo's charge for a code.
pub(crate) const CHARGE: u64 = 5;
/// Plivo's charge for a code that is entered.
pub(crate) const VALIDATION_CHARGE: u64 = 2;
/// How long a caller waits for the store.
pub(crate) const STORE_DEADLINE: Duration = Duration::from_millis(1500);

/// Probabilities of faults, in percent.
#[derive(Debug)]
pub(crate) struct Faults {
    pub(crate) load_fails: u64,
    pub(crate) commit_not_run: u64,
    pub(crate) commit_rejected: u64,
    pub(crate) commit_lost_before: u64,
    pub(crate) commit_lost_after: u64,
    pub(crate) crash: u64,
    pub(crate) clock_jump: u64,
    pub(crate) plivo_never_left: u64,
    pub(crate) plivo_lost_before: u64,
    pub(crate) plivo_lost_after: u64,
    pub(crate) plivo_refuses: u64,
    pub(crate) plivo_lies: u64,
    pub(crate) callback_lost: u64,
    pub(crate) callback_repeated: u64,
}

impl Faults {
    pub(crate) fn none() -> Self {
        Self::up_to(0, &mut Random::new(0))
    }

    fn up_to(most: u64, random: &mut Random) -> Self {
        // Some faults are frequent, the others never happen.
        let mut often = |most: u64| match random.within(0..3) {
            0 => random.within(0..most + 1),
            _ => 0,
        };
        Self {
            load_fails: often(most / 2),
            commit_not_run: often(most),
            commit_rejected: often(most / 2),
            commit_lost_before: often(most / 2),
            commit_lost_after: often(most / 2),
            crash: often(most / 6),
            clock_jump: often(most / 6),
            plivo_never_left: often(most * 3),
            plivo_lost_before: often(most),
            plivo_lost_after: often(most),
            plivo_refuses: often(most),
            plivo_lies: often(most),
            callback_lost: often(most),
            callback_repeated: often(most * 2),
        }
    }
}

pub(crate) struct Settings {
    pub(crate) instances: usize,
    pub(crate) people: usize,
    pub(crate) numbers: usize,
    pub(crate) callers: usize,
    /// Number of actions of one person.
    pub(crate) actions: u64,
    /// Longest pause between two of them, in milliseconds.
    pub(crate) pause: u64,
    /// Longest latency from each instance to the store, in milliseconds.
    pub(crate) distance: Vec<u64>,
    pub(crate) faults: Faults,
    pub(crate) rules: Arc<SessionRules>,
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    /// The application of each caller.
    pub(crate) applications: Vec<Application>,
    /// How long a check's answer is kept; in some schedules shorter than its call of Plivo
    /// may take.
    pub(crate) check_kept_for: Duration,
    /// How often the operator stops or starts something, or frees a number.
    pub(crate) operations: u64,
    /// Whether some freed numbers are forgotten.
    pub(crate) forgets: bool,
    /// Whether the operator lets the first number through as if it were known.
    pub(crate) allows: bool,
}

impl Settings {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let instances = random.index(3) + 1;
        let most = [0, 10, 30][random.index(3)];
        let checks_per_session = [2, 3, 5][random.index(3)];
        let waits: &[u64] = [&[1, 5][..], &[3], &[0, 10, 30]][random.index(3)];
        let rule = ConversionRule {
            floor: [20, 50][random.index(2)],
            min_per_country: few(random),
            min_per_range: few(random),
            grace: Duration::from_secs(random.within(0..60)),
            cooldown: Duration::from_mins([1, 5][random.index(2)]),
            enforced: random.percent(50),
        };
        let callers = random.index(2) + 1;
        Self {
            instances,
            people: random.index(4) + 1,
            numbers: random.index(2) + 1,
            callers,
            applications: (0..callers).map(|it| application(it, random)).collect(),
            actions: random.within(3..10),
            pause: [50, 3_000, 40_000][random.index(3)],
            distance: (0..instances).map(|_| random.within(2..21)).collect(),
            faults: Faults::up_to(most, random),
            rules: Arc::new(SessionRules {
                otp_length: 6,
                session_lifetime: Duration::from_mins(10),
                checks_per_session,
                resend_waits: waits.iter().copied().map(Duration::from_secs).collect(),
                default_locale: Locale::parse("en").expect("English is a language"),
                known_numbers_for: random
                    .percent(50)
                    .then(|| Duration::from_secs([20, 7_200][random.index(2)])),
                conversion: random.percent(60).then_some(rule),
                verified_owes_no_wait: random.percent(15),
            }),
            limits: limits(random),
            budget: Budget {
                prices: Prices::parse(
                    "country,channel,price\n*,sms,0.000007\n*,voice,0.000007",
                    &[Channel::Sms, Channel::Voice],
                )
                .expect("a table of prices"),
                caps: random
                    .percent(80)
                    .then(|| quota(PRICE * random.within(3..30), 3_600))
                    .into_iter()
                    .collect(),
                alert_at: 80,
            },
            check_kept_for: Duration::from_secs([60, 60, 4][random.index(3)]),
            operations: [0, 0, 1, 4][random.index(4)],
            forgets: random.percent(25),
            allows: random.percent(15),
        }
    }
}

fn few(random: &mut Random) -> Option<std::num::NonZeroU32> {
    std::num::NonZeroU32::new([3, 4, 5, 8][random.index(4)])
}

fn application(caller: usize, random: &mut Random) -> Application {
    let policy = AccessPolicy {
        countries: None,
        channels: vec![Channel::Sms, Channel::Voice],
        fictitious_numbers: true,
    };
    let mut application = Application::new(application_id(caller), policy);
    let mut some = |count: u64| {
        let is_set = random.percent(30);
        is_set.then(|| quota(count * random.within(3..12), 1_500))
    };
    application.sends = some(1).into_iter().collect();
    application.spend_caps = some(PRICE).into_iter().collect();
    application
}

fn limits(random: &mut Random) -> Limits {
    // Shorter or longer than that of wrong checks.
    let checks_within = [300, 1_200][random.index(2)];
    let mut some = |range: std::ops::Range<u64>, seconds: u64| {
        let is_set = random.percent(70);
        let count = random.within(range);
        if is_set {
            vec![quota(count, seconds)]
        } else {
            Vec::new()
        }
    };
    Limits {
        sends_per_number: some(2..6, 600),
        voice_per_number: some(1..3, 600),
        wrong_checks_per_number: some(3..9, 900),
        sends_per_address: some(3..9, 600),
        checks_per_address: some(4..12, checks_within),
        numbers_per_address: some(1..3, 900),
        sends_per_range: some(4..12, 600),
        sends_per_country: some(2..16, 1_200),
        sends_total: some(5..20, 1_800),
        ..Limits::default()
    }
}

fn quota(count: u64, seconds: u64) -> Quota {
    Quota {
        count: count.try_into().unwrap_or(std::num::NonZeroU64::MIN),
        per: Duration::from_secs(seconds),
    }
}
