use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn rule() -> ConversionRule {
    ConversionRule {
        floor: 20,
        min_per_country: Some(30.try_into().unwrap()),
        min_per_range: Some(30.try_into().unwrap()),
        grace: Duration::from_mins(3),
        cooldown: Duration::from_mins(30),
        enforced: true,
    }
}

fn trip_by(sends: u32, verified: u32) -> ConversionDecision {
    let rate = ConversionRate { sends, verified };
    ConversionDecision::Trip(TrippedBy { rate, required: 20 })
}

const LIMIT: Limit = Limit::ConversionPerCountry;

fn decided(row: &ConversionRow, now: u64) -> ConversionDecision {
    row.decide(&rule(), LIMIT, Usual::default(), Millis(now))
}

const HOUR: u64 = 3_600_000;
const START: u64 = 1_000 * HOUR;

/// One person: milliseconds since the previous person's request, and until they enter the
/// code; `None` if they never do.
type Person = (u64, Option<u64>);

/// Plays the people in order; returns when one would have been stopped.
fn stopped(people: &[Person]) -> Option<u64> {
    let (mut row, mut now) = (ConversionRow::default(), START);
    let mut answers: Vec<(u64, u64)> = Vec::new();
    for (wait, answer) in people {
        now += wait;
        answers.retain(|(due, at)| {
            let is_due = *due <= now;
            if is_due {
                row.verified(Millis(*at));
            }
            !is_due
        });
        if decided(&row, now) != ConversionDecision::Pass {
            return Some(now);
        }
        row.sent(&rule(), LIMIT, Millis(now), Millis(now));
        answers.extend(answer.map(|after| (now + after, now)));
    }
    None
}

/// Waits from zero to a quarter of an hour.
fn waits() -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(0), 4 => 1..20_000_u64, 1 => 1..900_000_u64]
}

/// Groups of four people, of whom one enters the code within the grace period; the others
/// may do so too, or much later, or not at all.
fn honest() -> impl Strategy<Value = Vec<Person>> {
    let answer = || prop_oneof![Just(None), (0..1_200_000_u64).prop_map(Some)];
    let other = move || (waits(), answer());
    let four = (
        (waits(), 0..=180_000_u64),
        [other(), other(), other()],
        0..4_usize,
    );
    let four = four.prop_map(|((wait, after), others, index)| {
        let mut four = others.to_vec();
        four.insert(index.min(3), (wait, Some(after)));
        four
    });
    prop::collection::vec(four, 1..150).prop_map(|fours| fours.concat())
}

proptest! {
    /// One in four within the grace period is enough, whenever they come and whatever the
    /// others do.
    #[test]
    fn honest_traffic_is_never_stopped(people in honest()) {
        prop_assert_eq!(stopped(&people), None);
    }

    /// Nobody enters a code: sends are stopped once thirty are older than the grace
    /// period, and not before.
    #[test]
    fn a_pump_is_stopped(waits in prop::collection::vec(0..5_000_u64, 30..400)) {
        let people: Vec<Person> = waits.iter().map(|wait| (*wait, None)).collect();
        let moments: Vec<u64> = waits
            .iter()
            .scan(START, |now, wait| {
                *now += wait;
                Some(*now)
            })
            .collect();
        let end = moments[moments.len() - 1];
        let known_at = moments[29] + 180_000;
        match stopped(&people) {
            Some(at) => prop_assert!(at >= known_at),
            // A bucket counts once all of it is old enough.
            None => prop_assert!(end < known_at + BUCKET),
        }
    }

    #[test]
    fn a_row_is_read_back_and_is_small(people in honest()) {
        let (mut row, mut now) = (ConversionRow::default(), START);
        for (wait, answer) in people {
            now += wait;
            row.sent(&rule(), LIMIT, Millis(now), Millis(now));
            if answer.is_some() {
                row.verified(Millis(now));
            }
        }
        let value = row.encode();
        prop_assert!(value.len() < 2048);
        prop_assert_eq!(ConversionRow::decode(&value), Ok(row));
        for length in 0..value.len() {
            prop_assert!(ConversionRow::decode(&value[..length]).is_err());
        }
    }

    /// However the clock jumps, a tripped breaker closes within the longest cooldown.
    #[test]
    fn no_wait_is_longer_than_the_cooldown(tripped_at: u32, now: u32) {
        let mut row = ConversionRow::default();
        row.trip(Millis(tripped_at.into()));
        let now = Millis(now.into());
        row.clamp(now);
        if let ConversionDecision::Tripped(until) = decided(&row, now.0) {
            prop_assert!(now.until(until) <= rule().max_cooldown());
        }
    }
}

#[test]
fn a_young_send_does_not_count_as_failed() {
    let start = Millis(START);
    let mut row = ConversionRow::default();
    for _ in 0..40 {
        row.sent(&rule(), LIMIT, start, start);
    }
    let decided = |row: &ConversionRow, after| self::decided(row, START + after);
    assert_eq!(decided(&row, 179_999), ConversionDecision::Pass);
    let trip = |verified| trip_by(40, verified);
    assert_eq!(decided(&row, 180_000), trip(0));
    for _ in 0..5 {
        row.verified(start);
    }
    assert_eq!(decided(&row, 180_000), trip(5));
    row.verified(start);
    assert_eq!(decided(&row, 180_000), ConversionDecision::Pass);
}

#[test]
fn a_tripped_breaker_starts_counting_from_zero() {
    let mut row = ConversionRow::default();
    for _ in 0..40 {
        row.sent(&rule(), LIMIT, Millis(START), Millis(START));
    }
    let now = START + 180_000;
    row.trip(Millis(now));
    let after = now + 1_800_000;
    let decided = |row: &ConversionRow, at| self::decided(row, at);
    let tripped = ConversionDecision::Tripped(Millis(after));
    assert_eq!(decided(&row, now + 1), tripped);
    // Sends while the breaker is open are not counted.
    row.sent(&rule(), LIMIT, Millis(now + 1), Millis(now + 1));
    assert_eq!(decided(&row, after), ConversionDecision::Pass);
    // Half as many are enough now, and the breaker stays open for twice as long.
    for _ in 0..14 {
        row.sent(&rule(), LIMIT, Millis(after), Millis(after));
    }
    assert_eq!(decided(&row, after + 180_000), ConversionDecision::Pass);
    row.sent(&rule(), LIMIT, Millis(after), Millis(after));
    assert_eq!(decided(&row, after + 180_000), trip_by(15, 0));
    row.trip(Millis(after + 180_000));
    let again = ConversionDecision::Tripped(Millis(after + 180_000 + 3_600_000));
    assert_eq!(decided(&row, after + 180_001), again);
}

#[test]
fn sends_that_lie_ahead_after_a_clock_change_count_as_now() {
    let mut row = ConversionRow::default();
    for minutes in [0, 10, 20] {
        let at = Millis(START + minutes * 60_000);
        row.sent(&rule(), LIMIT, at, at);
    }
    let now = Millis(START + 60_000);
    assert!(row.clamp(now));
    assert!(!row.clone().clamp(now));
    assert_eq!(row.ends_at(&rule()), now.after(WEEK));
    assert_eq!(row.buckets.sends(), 3);
}

/// Plays `per_hour` people an hour, of whom `percent` in a hundred enter the code;
/// returns when one would have been stopped.
fn play(
    row: &mut ConversionRow,
    from: u64,
    hours: u64,
    per_hour: u64,
    percent: u64,
) -> Option<u64> {
    let mut answered = 0;
    for index in 0..hours * per_hour {
        let now = from + index * HOUR / per_hour;
        row.clamp(Millis(now));
        let usual = row.usual(&rule(), Millis(now));
        row.recover(&rule(), LIMIT, usual, Millis(now));
        if row.decide(&rule(), LIMIT, usual, Millis(now)) != ConversionDecision::Pass {
            return Some(now);
        }
        row.sent(&rule(), LIMIT, Millis(now), Millis(now));
        if answered * 100 < (index + 1) * percent {
            row.verified(Millis(now));
            answered += 1;
        }
    }
    None
}

#[test]
fn a_slow_attack_is_detected_within_the_day() {
    let mut row = ConversionRow::default();
    // Four an hour: no hour reaches thirty.
    let stopped = play(&mut row, START, 24, 4, 0);
    assert!(
        stopped.is_some_and(|at| at <= START + 8 * HOUR),
        "{stopped:?}"
    );
    let mut row = ConversionRow::default();
    assert_eq!(play(&mut row, START, 72, 4, 30), None);
}

#[test]
fn a_country_is_compared_with_its_usual_rate() {
    let mut row = ConversionRow::default();
    assert_eq!(play(&mut row, START, 72, 40, 90), None);
    // A third is above the floor, but below half of the usual rate.
    let now = START + 72 * HOUR;
    let stopped = play(&mut row, now, 6, 100, 33);
    assert!(stopped.is_some_and(|at| at < now + 2 * HOUR), "{stopped:?}");
    let value = row.encode();
    assert!(value.len() < 2048, "{}", value.len());
    // Slightly above half is accepted: seasons change.
    let mut row = ConversionRow::default();
    assert_eq!(play(&mut row, START, 72, 40, 90), None);
    assert_eq!(play(&mut row, now, 72, 40, 50), None);
}

#[test]
fn a_passed_judgement_resets_the_trips() {
    for (percent, trips) in [(50, 0), (16, 2)] {
        let mut row = ConversionRow::default();
        row.trip(Millis(START));
        row.trip(Millis(START));
        let now = START + 2 * HOUR;
        assert_eq!(play(&mut row, now, 1, 60, percent), None);
        assert_eq!(row.trips, trips);
    }
}

#[test]
fn a_limit_without_minimum_sends_is_not_judged() {
    let never = ConversionRule {
        min_per_country: None,
        ..rule()
    };
    let mut row = ConversionRow::default();
    for _ in 0..100 {
        row.sent(&never, LIMIT, Millis(START), Millis(START));
    }
    let decision = row.decide(&never, LIMIT, Usual::default(), Millis(START + HOUR / 2));
    assert_eq!(decision, ConversionDecision::Pass);
}

#[test]
fn sends_to_a_tripped_range_are_forgotten_though_its_country_has_counted_on() {
    let (mut country, mut range) = (ConversionRow::default(), ConversionRow::default());
    let rule = rule();
    for minute in 0..40 {
        let at = Millis(START + minute * 60_000);
        country.sent(&rule, LIMIT, at, at);
        range.sent(&rule, Limit::ConversionPerRange, at, at);
    }
    // Another range of the country moves the country's buckets on.
    let later = Millis(START + 2 * HOUR);
    country.sent(&rule, LIMIT, later, later);
    country.forget(&range);
    let left = country.rate_of_day(&rule, later.after(rule.grace));
    assert_eq!(left.sends, 1);
}
