//! A limit's uses in a sliding window.
//!
//! In no stretch of time as long as the window are more uses admitted than the
//! quota allows: a use counts until a whole window has passed since. A quota of
//! at most [`EXACT`] keeps the moment of each use. A larger one counts uses in
//! [`EXACT`]ths of the window, each from the end of its part on, so it may make a
//! caller wait that much longer and never lets one through too early.

use super::millis::{Millis, length};
use crate::config::Quota;

/// How many moments a window keeps apart.
const EXACT: u64 = 64;

/// One moment, and what happened then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    at: Millis,
    /// How much was used; or, of different things, the hash of one.
    what: u64,
}

/// One use.
#[derive(Clone, Copy, Debug)]
pub(super) enum Used {
    /// So much of it: one, or so many millionths of a dollar.
    Amount(u64),
    /// One of different things, by its hash.
    Different(u64),
}

/// An amount that is known better now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Correction {
    /// What was taken.
    pub(super) before: u64,
    /// What it is.
    pub(super) after: u64,
}

/// The uses within one window, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Window {
    length: Millis,
    marks: Vec<Mark>,
}

/// The uses that one subject made of one limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses(Vec<Window>);

/// How a quota is counted.
struct Rule {
    count: u64,
    length: Millis,
    part: Millis,
}

impl Rule {
    fn of(quota: &Quota) -> Self {
        let count = quota.count.get();
        let length = length(quota.per);
        Self {
            count,
            length,
            part: if count <= EXACT {
                1
            } else {
                (length / EXACT).max(1)
            },
        }
    }

    fn moment(&self, at: Millis) -> Millis {
        at.div_ceil(self.part) * self.part
    }
}

impl Window {
    fn forget(&mut self, now: Millis) {
        let length = self.length;
        self.marks.retain(|mark| mark.at + length > now);
    }

    /// How long until that use fits; nothing when it fits now. What never fits
    /// waits for a whole window.
    fn wait(&self, rule: &Rule, used: Used, now: Millis) -> Millis {
        let (weight, more): (fn(&Mark) -> u64, u64) = match used {
            Used::Amount(amount) => (|mark| mark.what, amount),
            Used::Different(what) if self.marks.iter().any(|mark| mark.what == what) => return 0,
            Used::Different(_) => (|_| 1, 1),
        };
        if more > rule.count {
            return rule.length;
        }
        let known: u64 = self.marks.iter().map(weight).sum();
        let mut excess = (known + more).saturating_sub(rule.count);
        for mark in &self.marks {
            if excess == 0 {
                return 0;
            }
            excess = excess.saturating_sub(weight(mark));
            if excess == 0 {
                return mark.at + rule.length - now;
            }
        }
        0
    }

    /// Answers when this thing was counted before, of different things.
    fn take(&mut self, rule: &Rule, used: Used, now: Millis) -> Option<Millis> {
        match used {
            Used::Different(what) => {
                let before = self.marks.iter().position(|mark| mark.what == what);
                let before = before.map(|place| self.marks.remove(place).at);
                self.marks.push(Mark { at: now, what });
                before
            }
            Used::Amount(amount) => {
                let at = rule.moment(now);
                match self.marks.last_mut() {
                    Some(last) if last.at == at => last.what += amount,
                    _ => self.marks.push(Mark { at, what: amount }),
                }
                None
            }
        }
    }

    /// The thing is counted as it was before; unless it was counted since.
    fn give_different_back(
        &mut self,
        what: u64,
        previous: Option<Millis>,
        taken_at: Millis,
        now: Millis,
    ) {
        let ours = Mark { at: taken_at, what };
        let Some(place) = self.marks.iter().position(|mark| *mark == ours) else {
            return;
        };
        self.marks.remove(place);
        if let Some(at) = previous.filter(|at| at + self.length > now) {
            let place = self.marks.partition_point(|mark| mark.at <= at);
            self.marks.insert(place, Mark { at, what });
        }
    }

    /// What was taken at that moment turns out to be another amount.
    fn correct(&mut self, rule: &Rule, taken_at: Millis, amounts: &Correction, now: Millis) {
        let at = rule.moment(taken_at);
        if at + self.length <= now {
            return;
        }
        let place = self.marks.partition_point(|mark| mark.at < at);
        if self.marks.get(place).is_none_or(|mark| mark.at != at) {
            self.marks.insert(place, Mark { at, what: 0 });
        }
        let what = &mut self.marks[place].what;
        *what = (*what + amounts.after).saturating_sub(amounts.before);
        self.marks.retain(|mark| mark.what > 0);
    }

    fn give_back(&mut self, rule: &Rule, taken_at: Millis, amount: u64, now: Millis) {
        let nothing = Correction {
            before: amount,
            after: 0,
        };
        self.correct(rule, taken_at, &nothing, now);
    }
}

impl Uses {
    /// Fits the windows to the quotas, which may have changed since, and forgets
    /// what no longer counts.
    fn fit(&mut self, quotas: &[Quota], now: Millis) {
        let mut known = std::mem::take(&mut self.0);
        self.0 = quotas
            .iter()
            .map(|quota| {
                let length = Rule::of(quota).length;
                let index = known.iter().position(|window| window.length == length);
                let mut window = index.map_or_else(Window::default, |at| known.swap_remove(at));
                window.length = length;
                window.forget(now);
                window
            })
            .collect();
    }

    /// How long until that fits every quota; zero when it fits now.
    pub(super) fn wait(&mut self, quotas: &[Quota], used: Used, now: Millis) -> Millis {
        self.fit(quotas, now);
        let windows = self.0.iter().zip(quotas);
        windows
            .map(|(window, quota)| window.wait(&Rule::of(quota), used, now))
            .max()
            .unwrap_or_default()
    }

    /// Uses that; answers when this thing was counted before, of different things.
    pub(super) fn take(&mut self, quotas: &[Quota], used: Used, now: Millis) -> Option<Millis> {
        self.fit(quotas, now);
        let windows = self.0.iter_mut().zip(quotas);
        windows
            .filter_map(|(window, quota)| window.take(&Rule::of(quota), used, now))
            .max()
    }

    /// Gives back what was taken at that moment. Of different things `previous`
    /// is when this one was counted before.
    pub(super) fn give_back(
        &mut self,
        quotas: &[Quota],
        (used, previous): (Used, Option<Millis>),
        taken_at: Millis,
        now: Millis,
    ) {
        self.fit(quotas, now);
        for (window, quota) in self.0.iter_mut().zip(quotas) {
            match used {
                Used::Different(what) => {
                    window.give_different_back(what, previous, taken_at, now);
                }
                Used::Amount(amount) => window.give_back(&Rule::of(quota), taken_at, amount, now),
            }
        }
    }

    /// What was taken at that moment turns out to be another amount.
    pub(super) fn correct(
        &mut self,
        quotas: &[Quota],
        taken_at: Millis,
        amounts: &Correction,
        now: Millis,
    ) {
        self.fit(quotas, now);
        for (window, quota) in self.0.iter_mut().zip(quotas) {
            window.correct(&Rule::of(quota), taken_at, amounts, now);
        }
    }

    /// How much is used, of each quota.
    pub(super) fn used(&mut self, quotas: &[Quota], now: Millis) -> Vec<u64> {
        self.fit(quotas, now);
        let used = |window: &Window| window.marks.iter().map(|mark| mark.what).sum();
        self.0.iter().map(used).collect()
    }

    /// When none of it counts any more.
    pub(super) fn over_at(&self) -> Millis {
        let ends = self.0.iter().filter_map(|window| {
            let last = window.marks.iter().map(|mark| mark.at).max()?;
            Some(last + window.length)
        });
        ends.max().unwrap_or_default()
    }

    /// As it is kept.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for window in &self.0 {
            bytes.extend(window.length.to_le_bytes());
            bytes.extend((window.marks.len() as u64).to_le_bytes());
            for mark in &window.marks {
                bytes.extend(mark.at.to_le_bytes());
                bytes.extend(mark.what.to_le_bytes());
            }
        }
        bytes
    }

    /// What was kept; nothing when it is damaged.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, []) = bytes.as_chunks::<8>() else {
            return None;
        };
        let mut numbers = numbers.iter().map(|number| u64::from_le_bytes(*number));
        let mut windows = Vec::new();
        while let Some(length) = numbers.next() {
            let mut marks = Vec::new();
            for _ in 0..numbers.next()? {
                marks.push(Mark {
                    at: numbers.next()?,
                    what: numbers.next()?,
                });
            }
            windows.push(Window { length, marks });
        }
        Some(Self(windows))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const ONE: Used = Used::Amount(1);

    fn quota(count: u64, seconds: u64) -> Quota {
        Quota {
            count: count.try_into().unwrap(),
            per: Duration::from_secs(seconds),
        }
    }

    /// Tries at each of these moments; answers when it was let through.
    fn admitted(uses: &mut Uses, quotas: &[Quota], moments: &[Millis]) -> Vec<Millis> {
        let mut admitted = Vec::new();
        for now in moments.iter().copied() {
            if uses.wait(quotas, ONE, now) == 0 {
                uses.take(quotas, ONE, now);
                admitted.push(now);
            }
        }
        admitted
    }

    fn quotas() -> impl Strategy<Value = Vec<Quota>> {
        let one = (1..200_u64, 1..100_u64).prop_map(|(count, seconds)| quota(count, seconds));
        prop::collection::vec(one, 1..3)
    }

    fn moments() -> impl Strategy<Value = Vec<Millis>> {
        let steps = prop_oneof![3 => Just(0_u64), 3 => 1..50_u64, 1 => 1..30_000_u64];
        prop::collection::vec(steps, 1..600).prop_map(|steps| {
            let mut now = 1_000_000;
            steps
                .into_iter()
                .map(|step| {
                    now += step;
                    now
                })
                .collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// In no window are more admitted than the quota, and who waits as long
        /// as told is let through, hammering or not.
        #[test]
        fn never_too_many_and_the_wait_is_honest(quotas in quotas(), moments in moments()) {
            let mut uses = Uses::default();
            let all = admitted(&mut uses, &quotas, &moments);
            for quota in &quotas {
                let rule = Rule::of(quota);
                for (index, first) in all.iter().enumerate() {
                    let within = all[index..].iter().take_while(|at| **at < first + rule.length);
                    prop_assert!(within.count() as u64 <= rule.count);
                }
            }
            let now = *moments.last().unwrap();
            let wait = uses.wait(&quotas, ONE, now);
            if wait > 0 {
                prop_assert!(uses.clone().wait(&quotas, ONE, now + wait - 1) > 0);
                prop_assert_eq!(uses.wait(&quotas, ONE, now + wait), 0);
            }
        }

        #[test]
        fn what_is_kept_is_read_back(quotas in quotas(), moments in moments()) {
            let mut uses = Uses::default();
            admitted(&mut uses, &quotas, &moments);
            let bytes = uses.to_bytes();
            prop_assert!(bytes.len() <= quotas.len() * (2 * 8 + 66 * 16));
            prop_assert_eq!(Uses::from_bytes(&bytes), Some(uses));
        }
    }

    #[test]
    fn what_is_given_back_can_be_used_again() {
        for quotas in [[quota(2, 60)], [quota(100, 60)]] {
            let mut uses = Uses::default();
            while uses.wait(&quotas, ONE, 5_000) == 0 {
                uses.take(&quotas, ONE, 5_000);
            }
            uses.give_back(&quotas, (ONE, None), 5_000, 6_000);
            assert_eq!(uses.wait(&quotas, ONE, 6_000), 0);
            uses.take(&quotas, ONE, 6_000);
            assert!(uses.wait(&quotas, ONE, 6_000) > 0);
        }
    }

    proptest! {
        /// A cap holds whatever the amounts, and never admits what is more than
        /// all of it.
        #[test]
        fn amounts_never_exceed_the_count(
            cap in 65..5_000_u64,
            steps in prop::collection::vec((0..2_000_u64, 1..6_000_u64), 1..300),
        ) {
            let quotas = [quota(cap, 60)];
            let (mut uses, mut now, mut taken) = (Uses::default(), 1_000_000, Vec::new());
            for (step, amount) in steps {
                now += step;
                if uses.wait(&quotas, Used::Amount(amount), now) == 0 {
                    uses.take(&quotas, Used::Amount(amount), now);
                    taken.push((now, amount));
                }
                let within = taken.iter().filter(|(at, _)| at + 60_000 > now);
                let sum: u64 = within.map(|(_, amount)| amount).sum();
                prop_assert!(sum <= cap);
            }
        }
    }

    #[test]
    fn an_amount_that_is_known_better_counts_as_it_is_at_its_own_moment() {
        let quotas = [quota(1_000, 64)];
        let mut uses = Uses::default();
        uses.take(&quotas, Used::Amount(600), 5_000);
        uses.take(&quotas, Used::Amount(100), 9_000);
        let amounts = |before, after| Correction { before, after };
        uses.correct(&quotas, 5_000, &amounts(600, 250), 20_000);
        assert_eq!(uses.used(&quotas, 20_000), [350]);
        uses.correct(&quotas, 9_000, &amounts(100, 400), 20_000);
        assert_eq!(uses.used(&quotas, 20_000), [650]);
        // The first leaves with its own moment, however late it was corrected.
        assert_eq!(uses.used(&quotas, 69_000), [400]);
        // What does not count any more is left alone.
        uses.correct(&quotas, 5_000, &amounts(250, 900), 69_000);
        assert_eq!(uses.used(&quotas, 69_000), [400]);
        assert_eq!(uses.wait(&quotas, Used::Amount(1_001), 69_000), 64_000);
    }

    #[test]
    fn different_things_count_once_each() {
        let quotas = [quota(2, 60)];
        let mut uses = Uses::default();
        for (what, now) in [(7, 0), (8, 1_000), (7, 2_000)] {
            assert_eq!(uses.wait(&quotas, Used::Different(what), now), 0);
            uses.take(&quotas, Used::Different(what), now);
        }
        // 8 leaves the window first.
        assert_eq!(uses.wait(&quotas, Used::Different(9), 3_000), 58_000);
        assert_eq!(uses.wait(&quotas, Used::Different(7), 3_000), 0);
    }

    #[test]
    fn a_different_thing_that_is_given_back_counts_as_before() {
        let quotas = [quota(2, 60)];
        let mut uses = Uses::default();
        assert_eq!(uses.take(&quotas, Used::Different(7), 0), None);
        assert_eq!(uses.take(&quotas, Used::Different(8), 1_000), None);
        let previous = uses.take(&quotas, Used::Different(7), 2_000);
        assert_eq!(previous, Some(0));
        uses.give_back(&quotas, (Used::Different(8), None), 1_000, 2_000);
        assert_eq!(uses.wait(&quotas, Used::Different(9), 2_000), 0);
        uses.take(&quotas, Used::Different(9), 2_000);
        uses.give_back(&quotas, (Used::Different(7), previous), 2_000, 3_000);
        // 7 leaves as if it had not come again.
        assert_eq!(uses.wait(&quotas, Used::Different(8), 3_000), 57_000);
    }

    #[test]
    fn damaged_bytes_are_not_read() {
        for bytes in [&[1_u8, 2, 3][..], &[0xff; 16], &[0; 9]] {
            assert_eq!(Uses::from_bytes(bytes), None);
        }
    }
}
