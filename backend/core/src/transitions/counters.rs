//! The counters of a step: read once, used together, and stored if they changed.

use crate::{
    Key, Limit, LimitCheck, Millis, Row, Rows, SessionRules, Unreadable, Wait,
    number::NumberRow,
    rate_limit::LimitRow,
    sliding_window::{Counter, Taken, Use},
};

/// A counted use of a limit, which can be released.
#[derive(Clone, Debug)]
pub(crate) struct TakenLimit {
    pub(crate) check: LimitCheck,
    taken: Taken,
}

/// A row, and whether it must be saved.
pub(crate) struct Loaded<R> {
    pub(crate) key: Key,
    pub(crate) row: R,
    pub(crate) is_changed: bool,
}

impl<R: Row + Default> Loaded<R> {
    pub(crate) fn load(rows: &Rows<'_>, key: &Key) -> Result<Self, Unreadable> {
        Ok(Self {
            key: key.clone(),
            row: rows.get(key)?.unwrap_or_default(),
            is_changed: false,
        })
    }

    /// Stores the row until `ends_at` if it changed, or removes it if that has passed.
    pub(crate) fn save(&self, rows: &mut Rows<'_>, ends_at: Millis) {
        if !self.is_changed {
            return;
        }
        if ends_at > rows.now() {
            rows.put(&self.key, &self.row, ends_at);
        } else {
            rows.delete(&self.key);
        }
    }
}

/// The counters of a step, and the row of its number.
pub(crate) struct Counters<'a> {
    rules: &'a SessionRules,
    now: Millis,
    /// `None` if the step counts nothing by number.
    number: Option<Loaded<NumberRow>>,
    limits: Vec<Loaded<LimitRow>>,
}

impl<'a> Counters<'a> {
    /// The rows that the checks are counted in, besides the number's.
    pub(crate) fn keys<'c>(
        checks: impl IntoIterator<Item = &'c LimitCheck>,
    ) -> impl Iterator<Item = Key> {
        checks.into_iter().map(|check| check.row.clone())
    }

    /// Reads the counters of `checks`, brought up to date.
    pub(crate) fn load<'c>(
        rows: &Rows<'_>,
        rules: &'a SessionRules,
        number: Option<&Key>,
        checks: impl IntoIterator<Item = &'c LimitCheck>,
    ) -> Result<Self, Unreadable> {
        let now = rows.now();
        let number = number.map(|key| Loaded::<NumberRow>::load(rows, key));
        let mut counters = Self {
            rules,
            now,
            number: number.transpose()?,
            limits: Vec::new(),
        };
        if let Some(number) = &mut counters.number {
            let (backoff, is_shifted) = number.row.backoff.current(rules, now);
            number.row.backoff = backoff;
            number.is_changed |= is_shifted;
        }
        for check in checks {
            if !NumberRow::counts(check.limit) {
                let loaded = Loaded::load(rows, &check.row)?;
                counters.limits.push(loaded);
            }
            let is_distinct = matches!(check.used, Use::Distinct(_));
            let (counter, is_changed) = counters.counter(check);
            *is_changed |= counter.fit(&check.quotas, is_distinct, now);
        }
        Ok(counters)
    }

    /// The number's row.
    pub(crate) fn number(&self) -> Option<&NumberRow> {
        self.number.as_ref().map(|number| &number.row)
    }

    /// The number's row, marked as changed.
    pub(crate) fn edit_number(&mut self) -> Option<&mut NumberRow> {
        let number = self.number.as_mut()?;
        number.is_changed = true;
        Some(&mut number.row)
    }

    /// Milliseconds until the check passes; 0 if it passes now.
    pub(crate) fn wait(&mut self, check: &LimitCheck) -> u64 {
        let now = self.now;
        let (counter, _) = self.counter(check);
        counter.wait(&check.quotas, check.used, now)
    }

    /// The longest of their waits, if any.
    pub(crate) fn longest_wait(&mut self, checks: &[LimitCheck]) -> Option<Wait> {
        let mut longest: Option<Wait> = None;
        for check in checks {
            let milliseconds = self.wait(check);
            let next = Wait::of(milliseconds, Some(check.limit));
            let is_longest = longest
                .as_ref()
                .is_none_or(|known| known.retry_after < next.retry_after);
            if milliseconds > 0 && is_longest {
                longest = Some(next);
            }
        }
        longest
    }

    /// Counts the use.
    pub(crate) fn take(&mut self, check: &LimitCheck) -> TakenLimit {
        let now = self.now;
        let (counter, is_changed) = self.counter(check);
        *is_changed = true;
        TakenLimit {
            check: check.clone(),
            taken: counter.take(check.used, now),
        }
    }

    /// Releases the use.
    pub(crate) fn release(&mut self, taken: &TakenLimit) {
        let now = self.now;
        let (counter, is_changed) = self.counter(&taken.check);
        *is_changed = true;
        counter.release(&taken.taken, now);
    }

    /// Corrects the amount counted at `at` from `before` to `after`.
    pub(crate) fn correct(&mut self, check: &LimitCheck, at: Millis, before: u64, after: u64) {
        let now = self.now;
        let (counter, is_changed) = self.counter(check);
        *is_changed = true;
        counter.correct(at, before, after, now);
    }

    /// How much of each quota is used.
    pub(crate) fn used(&mut self, check: &LimitCheck) -> Vec<u64> {
        let now = self.now;
        let (counter, _) = self.counter(check);
        counter.used(&check.quotas, now)
    }

    /// Stores the counters that changed.
    pub(crate) fn save(self, rows: &mut Rows<'_>) {
        if let Some(number) = &self.number {
            number.save(rows, number.row.ends_at(self.rules));
        }
        for limit in &self.limits {
            limit.save(rows, limit.row.0.ends_at());
        }
    }

    fn counter(&mut self, check: &LimitCheck) -> (&mut Counter, &mut bool) {
        if NumberRow::counts(check.limit) {
            let number = self.number.as_mut().expect("a number's limit has its row");
            let counter = number.row.counter(check.limit);
            let counter = counter.expect("the number's row counts it");
            return (counter, &mut number.is_changed);
        }
        let mut limits = self.limits.iter_mut();
        let limit = limits.find(|limit| limit.key == check.row);
        let limit = limit.expect("a step loads the counters it uses");
        (&mut limit.row.0, &mut limit.is_changed)
    }
}

/// Whether a limit is counted in its number's row.
pub(crate) fn is_of_number(limit: Limit) -> bool {
    NumberRow::counts(limit)
}
