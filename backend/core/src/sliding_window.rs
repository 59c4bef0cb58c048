//! Sliding windows: what one subject used of one limit.
//!
//! In no stretch of time as long as a window is more admitted than its quota: a
//! use counts until a whole window has passed since. Moments are exact up to 64;
//! beyond, the two closest are merged into the later one, which may make a caller
//! wait longer and never lets one through early. A window stays below a kilobyte.
//!
//! Of distinct things each is counted once, at its last use; 1000 at most.
//!
//! A use that lies after `now` (the clock was set back) counts as now, so no wait
//! is longer than its window.

mod amounts;
mod distinct;
mod packed;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize, Serializer};

use self::{amounts::AmountWindow, distinct::DistinctWindow};
use crate::{Millis, Quota};

/// Distinct things that one counter tells apart.
pub const MAX_DISTINCT: usize = 1000;

/// One use of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// So much of it: one, or so many millionths of a dollar.
    Amount(u64),
    /// One of the distinct things that are counted, by its keyed hash.
    Distinct(u64),
}

/// The uses that one subject made of one limit: a window for each quota.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// How often uses were moved because the clock was set back. A use from before
    /// can no longer be told from others, and is not released.
    #[serde(default, skip_serializing_if = "is_zero")]
    clock_shifts: u32,
    uses: Uses,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Uses {
    Amounts(#[serde(serialize_with = "used_windows")] Vec<AmountWindow>),
    Distinct(DistinctWindow),
}

impl Default for Uses {
    fn default() -> Self {
        Self::Amounts(Vec::new())
    }
}

/// What is needed to release a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    used: Use,
    at: Millis,
    /// When the same distinct thing was used before.
    before: Option<u64>,
    clock_shifts: u32,
}

/// Windows without uses need not be stored.
fn used_windows<S: Serializer>(windows: &[AmountWindow], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(windows.iter().filter(|window| window.used() > 0))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Counter {
    /// Fits the windows to the quotas, which may have changed since, and forgets
    /// what no longer counts. Call it before anything else. Answers whether the
    /// clock was set back, so that the counter must be stored.
    pub fn fit(&mut self, quotas: &[Quota], is_distinct: bool, now: Millis) -> bool {
        let now = now.0;
        let is_shifted = match &mut self.uses {
            Uses::Distinct(window) if is_distinct => {
                let is_shifted = window.clamp(now);
                window.fit(quotas, now);
                is_shifted
            }
            Uses::Amounts(known) if !is_distinct => {
                let mut is_shifted = false;
                let fitted = quotas.iter().map(|quota| {
                    let length = quota.milliseconds();
                    let index = known.iter().position(|window| window.length() == length);
                    let mut window =
                        index.map_or_else(|| AmountWindow::new(length), |at| known.swap_remove(at));
                    is_shifted |= window.clamp(now);
                    window.forget(now);
                    window
                });
                *known = fitted.collect();
                is_shifted
            }
            // A limit that counts another way than it did begins anew.
            other => {
                *other = if is_distinct {
                    Uses::Distinct(DistinctWindow::default())
                } else {
                    let windows = quotas.iter().map(Quota::milliseconds);
                    Uses::Amounts(windows.map(AmountWindow::new).collect())
                };
                if let Uses::Distinct(window) = other {
                    window.fit(quotas, now);
                }
                false
            }
        };
        self.clock_shifts += u32::from(is_shifted);
        is_shifted
    }

    /// Milliseconds until that use fits every quota; 0 when it fits now.
    pub fn wait(&self, quotas: &[Quota], used: Use, now: Millis) -> u64 {
        let waits = quotas
            .iter()
            .enumerate()
            .map(|(index, quota)| match (&self.uses, used) {
                (Uses::Amounts(windows), Use::Amount(amount)) => {
                    let window = windows.get(index);
                    window.map_or(0, |it| it.wait(quota.count.get(), amount, now.0))
                }
                (Uses::Distinct(window), Use::Distinct(thing)) => window.wait(quota, thing, now.0),
                _ => 0,
            });
        waits.max().unwrap_or_default()
    }

    /// Counts a use.
    pub fn take(&mut self, used: Use, now: Millis) -> Taken {
        let before = match (&mut self.uses, used) {
            (Uses::Amounts(windows), Use::Amount(amount)) => {
                for window in windows {
                    window.add(amount, now.0);
                }
                None
            }
            (Uses::Distinct(window), Use::Distinct(thing)) => window.add(thing, now.0),
            _ => None,
        };
        Taken {
            used,
            at: now,
            before,
            clock_shifts: self.clock_shifts,
        }
    }

    /// Gives back what was taken, as if it had not been.
    pub fn release(&mut self, taken: &Taken, now: Millis) {
        if taken.clock_shifts != self.clock_shifts {
            return;
        }
        match (&mut self.uses, taken.used) {
            (_, Use::Amount(amount)) => self.correct(taken.at, amount, 0, now),
            (Uses::Distinct(window), Use::Distinct(thing)) => {
                window.release(thing, taken.at.0, taken.before, now.0);
            }
            (Uses::Amounts(_), Use::Distinct(_)) => {}
        }
    }

    /// What was taken at `at` turns out to be another amount.
    pub fn correct(&mut self, at: Millis, before: u64, after: u64, now: Millis) {
        if let Uses::Amounts(windows) = &mut self.uses {
            for window in windows {
                window.correct(at.0, before, after, now.0);
            }
        }
    }

    /// How much of each quota is used.
    pub fn used(&self, quotas: &[Quota], now: Millis) -> Vec<u64> {
        match &self.uses {
            Uses::Amounts(windows) => windows.iter().map(AmountWindow::used).collect(),
            Uses::Distinct(window) => {
                let used = quotas.iter().map(|quota| window.used(quota, now.0));
                used.collect()
            }
        }
    }

    /// Whether there is nothing to store.
    pub(crate) fn is_unused(&self) -> bool {
        self.clock_shifts == 0 && self.ends_at() == Millis(0)
    }

    /// When none of it counts any more.
    pub fn ends_at(&self) -> Millis {
        Millis(match &self.uses {
            Uses::Amounts(windows) => {
                let ends = windows.iter().map(AmountWindow::ends_at);
                ends.max().unwrap_or_default()
            }
            Uses::Distinct(window) => window.ends_at(),
        })
    }
}
