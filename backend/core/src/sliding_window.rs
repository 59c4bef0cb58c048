//! Sliding windows: the uses that one subject made of one limit.
//!
//! No window of a quota's length ever admits more than the quota: a use counts until a
//! whole window has passed since it. Up to 64 uses are kept with their exact times;
//! beyond that, the two closest are merged into the later one, which may make a caller
//! wait longer but never lets one through early. A window stays below a kilobyte.
//!
//! Distinct things are counted once each, by their last use; 1000 at most.
//!
//! A use that lies after `now` (the clock was set back) counts as now, so no wait is
//! longer than its window.

mod amounts;
mod distinct;
mod packed;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize, Serializer};

use self::{amounts::AmountWindow, distinct::DistinctWindow};
use crate::{Millis, Quota};

/// The most distinct things that one counter keeps.
pub const MAX_DISTINCT: usize = 1000;

/// One use of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// An amount: one use, or a cost in millionths of a dollar.
    Amount(u64),
    /// One distinct thing, by its keyed hash.
    Distinct(u64),
}

/// The uses that one subject made of one limit: a window for each quota.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// How often the times of uses were moved because the clock was set back, or all uses
    /// were reset. A use counted before that cannot be identified any more, and is not
    /// released.
    #[serde(default, skip_serializing_if = "is_zero")]
    generation: u32,
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
    /// When the same distinct thing was last used before.
    before: Option<u64>,
    generation: u32,
}

/// Windows without uses are not stored.
fn used_windows<S: Serializer>(windows: &[AmountWindow], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(windows.iter().filter(|window| window.used() > 0))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
pub(crate) fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Counter {
    /// Adapts the windows to the quotas, which may have changed, and drops expired uses.
    /// Call it before anything else. Returns whether the clock was set back, i.e. the
    /// counter must be saved.
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
            // A limit whose way of counting changed starts empty.
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
        self.generation += u32::from(is_shifted);
        is_shifted
    }

    /// Milliseconds until the use fits every quota; 0 if it fits now.
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
            generation: self.generation,
        }
    }

    /// Refunds a use, as if it had not been counted.
    pub fn release(&mut self, taken: &Taken, now: Millis) {
        if taken.generation != self.generation {
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

    /// Corrects the amount used at `at` from `before` to `after`.
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

    /// The counter without any use. Uses counted before are not released from it.
    pub(crate) fn reset(&self) -> Self {
        Self {
            generation: self.generation + 1,
            uses: Uses::default(),
        }
    }

    /// Whether there is nothing to store.
    pub(crate) fn is_unused(&self) -> bool {
        self.generation == 0 && self.ends_at() == Millis(0)
    }

    /// When its last use stops counting.
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
