use super::*;

#[test]
fn a_thousand_distinct_things_are_below_16_kilobytes_and_one_more_waits() {
    let quotas = [quota(1_000, 30 * 86_400), quota(1_000, 86_400)];
    let mut counter = Counter::default();
    let mut now = START;
    for thing in 0..2_000_u64 {
        // Spread over most of a month, so that the deltas are large.
        now += 2_500_000;
        let mark = thing.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let taken = attempt(&mut counter, &quotas, Use::Distinct(mark), Millis(now));
        assert_eq!(taken.is_some(), thing < 1_000, "{thing}");
        if thing == 1_000 {
            break;
        }
    }
    let value = LimitRow(counter.clone()).encode();
    assert!(value.len() < 16 * 1024, "{} bytes", value.len());
    assert_eq!(LimitRow::decode(&value), Ok(LimitRow(counter)));
}

#[test]
fn a_corrected_amount_counts_at_its_original_time() {
    let quotas = [quota(1_000, 64)];
    let mut counter = Counter::default();
    attempt(&mut counter, &quotas, Use::Amount(600), Millis(5_000));
    attempt(&mut counter, &quotas, Use::Amount(100), Millis(9_000));
    let used = |counter: &mut Counter, now| {
        counter.fit(&quotas, false, Millis(now));
        counter.used(&quotas, Millis(now))
    };
    counter.correct(Millis(5_000), 600, 250, Millis(20_000));
    assert_eq!(used(&mut counter, 20_000), [350]);
    counter.correct(Millis(9_000), 100, 400, Millis(20_000));
    assert_eq!(used(&mut counter, 20_000), [650]);
    // The first one expires by its own time, however late it was corrected.
    assert_eq!(used(&mut counter, 69_000), [400]);
    // An expired use is not corrected.
    counter.correct(Millis(5_000), 250, 900, Millis(69_000));
    assert_eq!(used(&mut counter, 69_000), [400]);
    let never = wait(&counter, &quotas, Use::Amount(1_001), Millis(69_000));
    assert_eq!(never, 64_000);
}

#[test]
fn a_use_from_before_the_clock_was_set_back_is_not_released() {
    let quotas = [quota(3, 60)];
    let mut counter = Counter::default();
    let taken = attempt(&mut counter, &quotas, ONE, Millis(90_000)).unwrap();
    attempt(&mut counter, &quotas, ONE, Millis(50_000)).unwrap();
    attempt(&mut counter, &quotas, ONE, Millis(92_000)).unwrap();
    // The use now counts at 50,000; the one at 92,000 is another caller's.
    counter.fit(&quotas, false, Millis(95_000));
    counter.release(&taken, Millis(95_000));
    assert_eq!(wait(&counter, &quotas, ONE, Millis(95_000)), 15_000);
    counter.fit(&quotas, false, Millis(111_000));
    assert_eq!(counter.used(&quotas, Millis(111_000)), [1]);
}

#[test]
fn a_new_quota_starts_empty_and_an_unchanged_one_is_kept() {
    let mut counter = Counter::default();
    attempt(&mut counter, &[quota(1, 60)], ONE, Millis(1_000));
    let changed = [quota(5, 30), quota(1, 60)];
    assert_eq!(wait(&counter, &changed, ONE, Millis(2_000)), 59_000);
    assert_eq!(wait(&counter, &changed[..1], ONE, Millis(2_000)), 0);
}

#[test]
fn a_thing_used_twice_at_the_same_time_is_not_released() {
    let quotas = [quota(1, 60)];
    let mut counter = Counter::default();
    let [first, _] =
        [0, 1].map(|_| attempt(&mut counter, &quotas, Use::Distinct(6), Millis(1_000)).unwrap());
    counter.release(&first, Millis(1_000));
    assert_eq!(counter.used(&quotas, Millis(1_000)), [1]);
    assert_eq!(
        wait(&counter, &quotas, Use::Distinct(8), Millis(1_000)),
        60_000
    );
    assert_eq!(wait(&counter, &quotas, Use::Distinct(6), Millis(1_000)), 0);
}
