mod examples;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{Row, rate_limit::LimitRow};

const ONE: Use = Use::Amount(1);
const START: u64 = 1_764_000_000_000;

fn quota(count: u64, seconds: u64) -> Quota {
    Quota {
        count: count.try_into().unwrap(),
        per: Duration::from_secs(seconds),
    }
}

fn quotas(counts: std::ops::Range<u64>) -> impl Strategy<Value = Vec<Quota>> {
    let one = (counts, 1..100_u64).prop_map(|(count, seconds)| quota(count, seconds));
    prop::collection::vec(one, 1..3).prop_filter("different times", |quotas| {
        quotas.len() == 1 || quotas[0].per != quotas[1].per
    })
}

/// Times from close together to half a minute apart.
fn moments() -> impl Strategy<Value = Vec<Millis>> {
    let steps = prop_oneof![3 => Just(0_u64), 3 => 1..50_u64, 1 => 1..30_000_u64];
    prop::collection::vec(steps, 1..300).prop_map(|steps| {
        let mut now = START;
        let moments = steps.into_iter().map(|step| {
            now += step;
            Millis(now)
        });
        moments.collect()
    })
}

/// Tries to use the limit at `now`, and counts the use if it fits.
fn attempt(counter: &mut Counter, quotas: &[Quota], used: Use, now: Millis) -> Option<Taken> {
    counter.fit(quotas, matches!(used, Use::Distinct(_)), now);
    (counter.wait(quotas, used, now) == 0).then(|| counter.take(used, now))
}

fn wait(counter: &Counter, quotas: &[Quota], used: Use, now: Millis) -> u64 {
    let mut counter = counter.clone();
    counter.fit(quotas, matches!(used, Use::Distinct(_)), now);
    counter.wait(quotas, used, now)
}

/// The oracle: a plain list of what was admitted, summed over each window that ends with
/// a use.
fn assert_no_window_is_exceeded(admitted: &[(u64, u64)], quotas: &[Quota]) {
    for quota in quotas {
        let length = quota.milliseconds();
        for (end, _) in admitted {
            let within = admitted
                .iter()
                .filter(|(at, _)| at <= end && at + length > *end);
            let sum: u64 = within.map(|(_, amount)| amount).sum();
            assert!(sum <= quota.count.get(), "{sum} in {quota:?}");
        }
    }
}

/// How long until one more fits, computed from the plain list alone.
fn exact_wait(admitted: &[(u64, u64)], quotas: &[Quota], now: u64) -> u64 {
    let fits = |at: u64| {
        quotas.iter().all(|quota| {
            let counts = |(used_at, _): &&(u64, u64)| used_at + quota.milliseconds() > at;
            (admitted.iter().filter(counts).count() as u64) < quota.count.get()
        })
    };
    let leave = admitted.iter().flat_map(|(at, _)| {
        let ends = quotas.iter().map(|quota| at + quota.milliseconds());
        ends.collect::<Vec<_>>()
    });
    let mut candidates: Vec<u64> = leave.filter(|at| *at > now).chain([now]).collect();
    candidates.sort_unstable();
    let passes = candidates.into_iter().find(|at| fits(*at));
    passes.unwrap() - now
}

proptest! {
    /// Up to 64 uses everything is exact: what is admitted, and how long the others wait.
    #[test]
    fn small_quotas_are_exact(quotas in quotas(1..65), moments in moments()) {
        let (mut counter, mut admitted) = (Counter::default(), Vec::new());
        for now in moments {
            let reported = wait(&counter, &quotas, ONE, now);
            prop_assert_eq!(reported, exact_wait(&admitted, &quotas, now.0));
            if attempt(&mut counter, &quotas, ONE, now).is_some() {
                admitted.push((now.0, 1));
            }
        }
        assert_no_window_is_exceeded(&admitted, &quotas);
    }

    /// Whatever the quota: no window is exceeded, and a caller who waits as long as
    /// reported passes at exactly that time.
    #[test]
    fn large_quotas_are_never_exceeded_and_their_waits_are_exact(
        quotas in quotas(1..200), steps in prop::collection::vec(0..40_u64, 1..400),
    ) {
        let longest = quotas.iter().map(Quota::milliseconds).max().unwrap();
        let (mut counter, mut admitted, mut now) = (Counter::default(), Vec::new(), START);
        for step in steps {
            now += step;
            let reported = wait(&counter, &quotas, ONE, Millis(now));
            prop_assert!(reported <= longest);
            if reported > 0 {
                prop_assert!(wait(&counter, &quotas, ONE, Millis(now + reported - 1)) > 0);
                now += reported;
            }
            prop_assert!(attempt(&mut counter, &quotas, ONE, Millis(now)).is_some());
            admitted.push((now, 1));
        }
        assert_no_window_is_exceeded(&admitted, &quotas);
    }

    /// The cap on money holds whatever the amounts, and whatever is released meanwhile.
    #[test]
    fn amounts_never_exceed_their_cap(
        cap in 65..5_000_u64,
        steps in prop::collection::vec((0..2_000_u64, 1..6_000_u64, 0..4_u8), 1..300),
    ) {
        let quotas = [quota(cap, 60)];
        let (mut counter, mut now) = (Counter::default(), START);
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        let mut held: Vec<(Taken, usize)> = Vec::new();
        for (step, amount, what) in steps {
            now += step;
            if what == 0 && let Some((taken, index)) = held.pop() {
                counter.fit(&quotas, false, Millis(now));
                counter.release(&taken, Millis(now));
                admitted[index].1 = 0;
            } else {
                if what == 1 {
                    // Waits exactly as long as reported.
                    now += wait(&counter, &quotas, Use::Amount(amount), Millis(now));
                }
                let taken = attempt(&mut counter, &quotas, Use::Amount(amount), Millis(now));
                let Some(taken) = taken else { continue };
                held.push((taken, admitted.len()));
                admitted.push((now, amount));
            }
            assert_no_window_is_exceeded(&admitted, &quotas);
        }
    }

    /// A released use leaves no trace: up to 64 uses the counter is identical.
    #[test]
    fn a_released_use_leaves_no_trace(
        quotas in quotas(1..65), moments in moments(), later in 0..5_000_u64,
    ) {
        let mut counter = Counter::default();
        for now in &moments {
            attempt(&mut counter, &quotas, ONE, *now);
        }
        let now = *moments.last().unwrap();
        let mut with = counter.clone();
        let Some(taken) = attempt(&mut with, &quotas, ONE, now) else { return Ok(()) };
        let later = Millis(now.0 + later);
        with.fit(&quotas, false, later);
        with.release(&taken, later);
        counter.fit(&quotas, false, later);
        prop_assert_eq!(with, counter);
    }

    /// Distinct things count once each, by their last use; releasing one restores the use
    /// before.
    #[test]
    fn distinct_things_are_counted_once(
        count in 1..8_u64,
        steps in prop::collection::vec((0..30_000_u64, 0..12_u64, any::<bool>()), 1..80),
    ) {
        let quotas = [quota(count, 60), quota(count + 2, 90)];
        let (mut counter, mut now) = (Counter::default(), START);
        let mut used: Vec<(u64, u64)> = Vec::new();
        for (step, thing, is_released) in steps {
            now += step;
            let fits = quotas.iter().all(|quota| {
                let within = used.iter().filter(|(at, _)| at + quota.milliseconds() > now);
                let mut things: Vec<u64> = within.map(|(_, thing)| *thing).chain([thing]).collect();
                things.sort_unstable();
                things.dedup();
                let is_known = used.iter().any(|(at, it)| *it == thing && at + quota.milliseconds() > now);
                is_known || things.len() as u64 <= quota.count.get()
            });
            let is_twice = used.contains(&(now, thing));
            let thing = thing * 2;
            let before = counter.clone();
            let taken = attempt(&mut counter, &quotas, Use::Distinct(thing), Millis(now));
            prop_assert_eq!(taken.is_some(), fits);
            match taken {
                Some(taken) if is_released && !is_twice => {
                    counter.release(&taken, Millis(now));
                    let mut before = before;
                    before.fit(&quotas, true, Millis(now));
                    prop_assert_eq!(&counter, &before);
                }
                Some(_) => used.push((now, thing / 2)),
                None => {
                    let reported = wait(&counter, &quotas, Use::Distinct(thing), Millis(now));
                    prop_assert!(reported > 0 && reported <= 90_000);
                    let passes = wait(&counter, &quotas, Use::Distinct(thing), Millis(now + reported));
                    prop_assert_eq!(passes, 0);
                }
            }
        }
    }

    /// However the clock jumps: no wait is longer than its window, and a counter is
    /// shifted only once.
    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait_longer(
        quotas in quotas(1..100), moments in moments(), back in 0..10_000_000_u64,
        is_distinct: bool,
    ) {
        let used = |index: usize| if is_distinct { Use::Distinct(index as u64) } else { ONE };
        let mut counter = Counter::default();
        for (index, now) in moments.iter().enumerate() {
            attempt(&mut counter, &quotas, used(index), *now);
        }
        let now = Millis(moments.last().unwrap().0 - back);
        let mut again = counter.clone();
        again.fit(&quotas, is_distinct, now);
        prop_assert!(!again.clone().fit(&quotas, is_distinct, now));
        for (index, quota) in quotas.iter().enumerate() {
            let reported = wait(&counter, std::slice::from_ref(quota), used(usize::MAX - index), now);
            prop_assert!(reported <= quota.milliseconds());
        }
        let longest = quotas.iter().map(Quota::milliseconds).max().unwrap();
        prop_assert!(again.ends_at().0 <= now.0 + longest);
    }

    /// The row is read back and is below a kilobyte per window; a truncated one is not
    /// readable.
    #[test]
    fn a_row_is_small_and_read_back(
        amounts in prop::collection::vec((0..60_000_000_u64, 1..150_000_000_000_u64), 1..200),
    ) {
        let quotas = [quota(10_000_000_000_000, 30 * 86_400)];
        let (mut counter, mut now) = (Counter::default(), START);
        for (step, amount) in amounts {
            now += step;
            attempt(&mut counter, &quotas, Use::Amount(amount), Millis(now));
        }
        let row = LimitRow(counter);
        let value = row.encode();
        prop_assert!(value.len() < 1024, "{} bytes", value.len());
        for length in 0..value.len() {
            prop_assert!(LimitRow::decode(&value[..length]).is_err());
        }
        prop_assert_eq!(LimitRow::decode(&value), Ok(row));
    }
}
