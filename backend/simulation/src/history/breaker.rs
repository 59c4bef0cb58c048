//! A model of one destination's conversion breaker: what was sent and entered, by day,
//! hour and two minutes.

use std::collections::BTreeMap;

use countersign_core::{ConversionRate, ConversionRule, Limit, TrippedBy};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
/// Lengths of the slots that sends are counted in: those of the last hour, those of the
/// last day, and the older ones.
const SLOTS: [u64; 3] = [120_000, HOUR, DAY];
/// How old the newest send of a slot is when the slot joins a longer one, or is dropped.
const AGES: [u64; 3] = [HOUR, DAY, WEEK];
/// Sends that make a rate usual.
const MIN_USUAL: u64 = 30;

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    newest: u64,
    sent: u64,
    entered: u64,
}

/// Usual rates in percent, from before the last hour and from before the last day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usual([Option<u64>; 2]);

/// What a judgement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Enough,
    Open,
    Trips(TrippedBy),
}

#[derive(Clone, Debug)]
pub(super) struct Breaker {
    rule: ConversionRule,
    limit: Limit,
    /// By kind of slot, and its number.
    tallies: BTreeMap<(usize, u64), Tally>,
    tripped_at: Option<u64>,
    /// How often it tripped since it was last passed.
    times: u32,
}

impl Breaker {
    pub(super) fn new(rule: ConversionRule, limit: Limit) -> Self {
        Self {
            rule,
            limit,
            tallies: BTreeMap::new(),
            tripped_at: None,
            times: 0,
        }
    }

    /// Some step reads it: everything is forgotten once nothing counts any more, and what
    /// lies ahead happened now.
    pub(super) fn read_at(&mut self, now: u64) {
        self.expire(now);
        self.tripped_at = self.tripped_at.map(|at| at.min(now));
        let ahead = self.tallies.extract_if(.., |_, it| it.newest > now);
        for ((kind, _), tally) in ahead.collect::<Vec<_>>() {
            let newest = now;
            self.add(kind, Tally { newest, ..tally });
        }
    }

    pub(super) fn expire(&mut self, now: u64) {
        if self.ends_at() <= now {
            *self = Self::new(self.rule, self.limit);
        }
    }

    fn ends_at(&self) -> u64 {
        let newest = self.tallies.values().map(|it| it.newest + WEEK).max();
        let longest = DAY.max(millis(self.rule.cooldown));
        let tripped = self.tripped_at.map(|at| at + longest + DAY);
        newest.max(tripped).unwrap_or_default()
    }

    fn add(&mut self, kind: usize, new: Tally) {
        let slot = self.tallies.entry((kind, new.newest / SLOTS[kind]));
        let slot = slot.or_default();
        slot.newest = slot.newest.max(new.newest);
        slot.sent += new.sent;
        slot.entered += new.entered;
    }

    /// Until when it is open, if it is.
    pub(super) fn open_until(&self, now: u64) -> Option<u64> {
        let longest = match self.limit {
            Limit::ConversionPerRange => DAY,
            _ => 4 * HOUR,
        };
        let first = millis(self.rule.cooldown);
        let doubled = first * 2_u64.pow(self.times.saturating_sub(1).min(8));
        let until = self.tripped_at? + doubled.min(longest.max(first));
        (until > now).then_some(until)
    }

    /// Sent and entered in the slots of these kinds that are younger than `age`. A young
    /// one counts only what was entered.
    fn rate(&self, kinds: std::ops::Range<usize>, age: u64, now: u64) -> (u64, u64) {
        let of_kinds = self
            .tallies
            .iter()
            .filter(|((it, _), _)| kinds.contains(it));
        let mut rate = (0, 0);
        for (_, it) in of_kinds.filter(|(_, it)| it.newest + age > now) {
            let is_old = it.newest + millis(self.rule.grace) <= now;
            rate.0 += if is_old { it.sent } else { it.entered };
            rate.1 += it.entered;
        }
        rate
    }

    pub(super) fn usual(&self, now: u64) -> Usual {
        let days = self.tallies.iter().filter(|((kind, _), _)| *kind == 2);
        let days = days.filter(|(_, it)| it.newest + WEEK > now && it.sent >= MIN_USUAL);
        let best = days.map(|(_, it)| it.entered * 100 / it.sent).max();
        let (sent, entered) = self.rate(1..2, DAY, now);
        let hours = (sent >= MIN_USUAL).then(|| entered * 100 / sent);
        Usual([best.max(hours), best])
    }

    fn least(&self) -> Option<u64> {
        let least = match self.limit {
            Limit::ConversionPerCountry => self.rule.min_per_country,
            _ => self.rule.min_per_range,
        };
        least.map(|it| it.get().into())
    }

    /// A send is evaluated: the breaker may close for good, or trip.
    pub(super) fn judge(&mut self, usual: Usual, now: u64) -> Judged {
        if self.open_until(now).is_some() {
            return Judged::Open;
        }
        let Some(least) = self.least() else {
            return Judged::Enough;
        };
        let floor = u64::from(self.rule.floor);
        let [hour, day] = usual.0.map(|it| floor.max(it.unwrap_or_default() / 2));
        let last_day = self.rate(0..2, DAY, now);
        if self.times > 0 && last_day.0 >= least && last_day.1 * 100 >= last_day.0 * day {
            (self.times, self.tripped_at) = (0, None);
        }
        let least = if self.times > 0 {
            least.div_ceil(2)
        } else {
            least
        };
        for (rate, required) in [(self.rate(0..1, HOUR, now), hour), (last_day, day)] {
            if rate.0 >= least && is_below(rate, required) {
                self.tripped_at = Some(now);
                self.times += 1;
                self.tallies.retain(|(kind, _), _| *kind == 2);
                let [sends, verified] =
                    [rate.0, rate.1].map(|it| it.try_into().unwrap_or(u32::MAX));
                return Judged::Trips(TrippedBy {
                    rate: ConversionRate { sends, verified },
                    required: required.try_into().unwrap_or(u8::MAX),
                });
            }
        }
        Judged::Enough
    }

    /// A code was sent at `at`, and is recorded now.
    pub(super) fn sent(&mut self, at: u64, now: u64) {
        self.read_at(now);
        if self.open_until(now).is_some() {
            return;
        }
        for (kind, age) in AGES.into_iter().enumerate() {
            let is_old = |it: &Tally| it.newest + age <= now;
            let range = (kind, 0)..(kind + 1, 0);
            let old = self.tallies.extract_if(range, |_, it| is_old(it));
            for (_, tally) in old.collect::<Vec<_>>() {
                if kind < 2 {
                    self.add(kind + 1, tally);
                }
            }
        }
        self.add(
            0,
            Tally {
                newest: at.min(now),
                sent: 1,
                entered: 0,
            },
        );
    }

    /// The code that was sent at `at` is entered.
    pub(super) fn entered(&mut self, at: u64, now: u64) {
        self.read_at(now);
        if let Some(it) = self.tallies.get_mut(&(0, at / SLOTS[0])) {
            it.entered = (it.entered + 1).min(it.sent);
        }
    }

    /// The code of that moment never left.
    pub(super) fn unsent(&mut self, at: u64, now: u64) {
        self.read_at(now);
        if let Some(it) = self.tallies.get_mut(&(0, at / SLOTS[0])) {
            it.sent = (it.sent - 1).max(it.entered);
        }
        self.tallies.retain(|_, it| it.sent > 0);
    }

    /// A range of this country has tripped: what was sent there no longer counts.
    pub(super) fn forget(&mut self, range: &Self) {
        for ((kind, slot), tally) in range.tallies.range(..(2, 0)) {
            let mut place = (*kind, *slot);
            if !self.tallies.contains_key(&place) {
                place = (1, tally.newest / HOUR);
            }
            let Some(it) = self.tallies.get_mut(&place) else {
                continue;
            };
            it.entered = it.entered.saturating_sub(tally.entered);
            it.sent = it.sent.saturating_sub(tally.sent).max(it.entered);
        }
        self.tallies.retain(|_, it| it.sent > 0);
    }

    /// Moments at which something changes.
    pub(super) fn moments(&self) -> Vec<u64> {
        let ages = [millis(self.rule.grace), HOUR, DAY, WEEK];
        let tallies = self.tallies.values();
        let mut moments: Vec<u64> = tallies
            .flat_map(|it| ages.map(|age| it.newest + age))
            .collect();
        moments.extend(self.open_until(0));
        moments
    }
}

/// Whether so few are entered that it is no chance.
fn is_below((sent, entered): (u64, u64), percent: u64) -> bool {
    let missing = (sent * percent).saturating_sub(entered * 100);
    missing * missing > sent * percent * (100 - percent)
}

fn millis(duration: std::time::Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
