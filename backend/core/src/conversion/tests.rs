use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn rule() -> ConversionRule {
    ConversionRule {
        floor: 20,
        min_sends: 30.try_into().unwrap(),
        grace: Duration::from_mins(3),
        cooldown: Duration::from_mins(30),
        enforced: true,
    }
}

const HOUR: u64 = 3_600_000;
const START: u64 = 1_000 * HOUR;

/// One person who asks for a code so long after the one before, and gives it
/// back so long after that, or never.
type Person = (u64, Option<u64>);

/// Lets them come in turn, and says when one would have been stopped.
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
        if row.decide(&rule(), Millis(now)) != ConversionDecision::Pass {
            return Some(now);
        }
        row.sent(&rule(), Millis(now), Millis(now));
        answers.extend(answer.map(|after| (now + after, now)));
    }
    None
}

/// Waits from none at all to a quarter of an hour.
fn waits() -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(0), 4 => 1..20_000_u64, 1 => 1..900_000_u64]
}

/// Four people of whom one gives the code back within the grace; so may the
/// others, or much later, or not at all.
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
    /// One in four within the grace is enough, whenever they come and whatever
    /// the others do.
    #[test]
    fn honest_traffic_is_never_stopped(people in honest()) {
        prop_assert_eq!(stopped(&people), None);
    }

    /// Nobody gives one back: what comes once thirty are older than the grace
    /// is stopped, and nothing before.
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
            // A stretch counts once all of it is old enough.
            None => prop_assert!(end < known_at + STRETCH),
        }
    }

    #[test]
    fn a_row_is_read_back_and_is_small(people in honest()) {
        let (mut row, mut now) = (ConversionRow::default(), START);
        for (wait, answer) in people {
            now += wait;
            row.sent(&rule(), Millis(now), Millis(now));
            if answer.is_some() {
                row.verified(Millis(now));
            }
        }
        let value = row.encode();
        prop_assert!(value.len() < 1024);
        prop_assert_eq!(ConversionRow::decode(&value), Ok(row));
        for length in 0..value.len() {
            prop_assert!(ConversionRow::decode(&value[..length]).is_err());
        }
    }

    /// However the clock jumps, a tripped breaker closes within its cooldown.
    #[test]
    fn no_wait_is_longer_than_the_cooldown(tripped_at: u32, now: u32) {
        let mut row = ConversionRow::default();
        row.trip(Millis(tripped_at.into()));
        let now = Millis(now.into());
        row.clamp(now);
        if let ConversionDecision::Tripped(until) = row.decide(&rule(), now) {
            prop_assert!(now.until(until) <= rule().cooldown);
        }
    }
}

#[test]
fn a_young_send_does_not_count_as_failed() {
    let start = Millis(START);
    let mut row = ConversionRow::default();
    for _ in 0..40 {
        row.sent(&rule(), start, start);
    }
    let decided = |row: &ConversionRow, after| row.decide(&rule(), Millis(START + after));
    assert_eq!(decided(&row, 179_999), ConversionDecision::Pass);
    let trip = |verified| {
        ConversionDecision::Trip(ConversionRate {
            sends: 40,
            verified,
        })
    };
    assert_eq!(decided(&row, 180_000), trip(0));
    for _ in 0..7 {
        row.verified(start);
    }
    assert_eq!(decided(&row, 180_000), trip(7));
    row.verified(start);
    assert_eq!(decided(&row, 180_000), ConversionDecision::Pass);
}

#[test]
fn a_destination_that_was_stopped_has_to_fail_anew() {
    let mut row = ConversionRow::default();
    for _ in 0..40 {
        row.sent(&rule(), Millis(START), Millis(START));
    }
    let now = START + 180_000;
    row.trip(Millis(now));
    let after = now + 1_800_000;
    let decided = |row: &ConversionRow, at| row.decide(&rule(), Millis(at));
    let tripped = ConversionDecision::Tripped(Millis(after));
    assert_eq!(decided(&row, now + 1), tripped);
    // What is sent meanwhile is not counted.
    row.sent(&rule(), Millis(now + 1), Millis(now + 1));
    assert_eq!(decided(&row, after), ConversionDecision::Pass);
    for _ in 0..29 {
        row.sent(&rule(), Millis(after), Millis(after));
    }
    assert_eq!(decided(&row, after + 180_000), ConversionDecision::Pass);
    row.sent(&rule(), Millis(after), Millis(after));
    assert!(matches!(
        decided(&row, after + 180_000),
        ConversionDecision::Trip(ConversionRate { sends: 30, .. })
    ));
    // An hour later nothing of it counts.
    assert_eq!(decided(&row, after + HOUR), ConversionDecision::Pass);
}

#[test]
fn after_the_clock_was_set_back_what_lies_ahead_counts_as_now() {
    let mut row = ConversionRow::default();
    for minutes in [0, 10, 20] {
        let at = Millis(START + minutes * 60_000);
        row.sent(&rule(), at, at);
    }
    let now = Millis(START + 60_000);
    assert!(row.clamp(now));
    assert!(!row.clone().clamp(now));
    assert_eq!(row.ends_at(&rule()), now.after(WINDOW));
    let sends: u32 = row.stretches.iter().map(|it| it.1).sum();
    assert_eq!(sends, 3);
}
