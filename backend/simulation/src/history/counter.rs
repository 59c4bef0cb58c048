//! A model of one limit's counter: plain lists of uses, one for each quota.

use std::collections::BTreeMap;

use countersign_core::{Quota, Use};

/// Uses that are kept with their exact moments.
const MAX_EXACT: usize = 64;

/// The uses within one quota's window.
#[derive(Clone, Debug)]
struct Window {
    quota: Quota,
    /// Moment and amount, oldest first.
    uses: Vec<(u64, u64)>,
    /// Distinct things: when each was used last, and whether twice at that moment.
    things: BTreeMap<u64, (u64, bool)>,
    /// Until when moments may be inexact, since there were too many.
    inexact_until: u64,
}

/// A use that was counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    used: Use,
    at: u64,
    before: Option<u64>,
    moves: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Counter {
    windows: Vec<Window>,
    /// How often uses were moved because they lay ahead, or all were reset.
    pub(super) moves: u32,
}

/// When there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) wait: u64,
    pub(super) is_exact: bool,
}

impl Counter {
    pub(super) fn new(quotas: &[Quota]) -> Self {
        let window = |quota: &Quota| Window {
            quota: *quota,
            uses: Vec::new(),
            things: BTreeMap::new(),
            inexact_until: 0,
        };
        Self {
            windows: quotas.iter().map(window).collect(),
            moves: 0,
        }
    }

    /// Some step reads it: what is over is gone, and what lies ahead happened now.
    pub(super) fn read_at(&mut self, now: u64) {
        self.expire(now);
        let mut has_moved = false;
        for window in &mut self.windows {
            let ahead: Vec<_> = window.uses.extract_if(.., |it| it.0 > now).collect();
            has_moved |= !ahead.is_empty();
            for (_, amount) in ahead {
                window.add(now, amount);
            }
            for it in window.things.values_mut().filter(|it| it.0 > now) {
                has_moved = true;
                it.0 = now;
            }
        }
        self.moves += u32::from(has_moved);
    }

    /// Drops what is over.
    pub(super) fn expire(&mut self, now: u64) {
        for it in &mut self.windows {
            let length = it.quota.milliseconds();
            it.uses.retain(|(at, _)| at + length > now);
            it.things.retain(|_, (at, _)| *at + length > now);
        }
    }

    pub(super) fn room(&self, used: Use, now: u64) -> Room {
        let rooms = self.windows.iter().map(|it| Room {
            wait: it.wait(used, now),
            is_exact: it.inexact_until <= now,
        });
        let none = Room {
            wait: 0,
            is_exact: true,
        };
        rooms.fold(none, |one, other| Room {
            wait: one.wait.max(other.wait),
            is_exact: one.is_exact && other.is_exact,
        })
    }

    pub(super) fn take(&mut self, used: Use, now: u64) -> Counted {
        let mut before = None;
        for window in &mut self.windows {
            match used {
                Use::Amount(amount) => window.add(now, amount),
                Use::Distinct(thing) => {
                    let last = window.things.get(&thing).map(|it| it.0);
                    before = before.max(last);
                    window.things.insert(thing, (now, last == Some(now)));
                }
            }
        }
        Counted {
            used,
            at: now,
            before,
            moves: self.moves,
        }
    }

    /// Gives a use back, unless uses were moved or reset since.
    pub(super) fn release(&mut self, counted: &Counted, now: u64) {
        if counted.moves != self.moves {
            return;
        }
        match counted.used {
            Use::Amount(amount) => self.correct(counted.at, amount, 0, now),
            Use::Distinct(thing) => {
                for window in &mut self.windows {
                    if window.things.get(&thing) != Some(&(counted.at, false)) {
                        continue;
                    }
                    window.things.remove(&thing);
                    let length = window.quota.milliseconds();
                    let before = counted.before.filter(|at| at + length > now);
                    window.things.extend(before.map(|at| (thing, (at, false))));
                }
            }
        }
    }

    /// What was used at `at` costs something else.
    pub(super) fn correct(&mut self, at: u64, before: u64, after: u64, now: u64) {
        for window in &mut self.windows {
            if at + window.quota.milliseconds() <= now {
                continue;
            }
            match window.uses.iter_mut().find(|it| it.0 >= at) {
                Some(it) => it.1 = (it.1 + after).saturating_sub(before),
                None => window.add(at.min(now), after.saturating_sub(before)),
            }
            window.uses.retain(|it| it.1 > 0);
        }
    }

    /// How much of each quota is used.
    pub(super) fn used(&self) -> Vec<u64> {
        let used = |it: &Window| {
            let amounts: u64 = it.uses.iter().map(|it| it.1).sum();
            amounts + it.things.len() as u64
        };
        self.windows.iter().map(used).collect()
    }

    /// The operator frees the number.
    pub(super) fn reset(&mut self) {
        self.moves += 1;
        for it in &mut self.windows {
            it.uses.clear();
            it.inexact_until = 0;
        }
    }

    /// When its uses end.
    pub(super) fn moments(&self) -> Vec<u64> {
        let of_window = |it: &Window| {
            let moments = it.uses.iter().map(|it| it.0);
            let moments = moments.chain(it.things.values().map(|it| it.0));
            let length = it.quota.milliseconds();
            moments.map(|at| at + length).collect::<Vec<_>>()
        };
        self.windows.iter().flat_map(of_window).collect()
    }
}

impl Window {
    fn add(&mut self, at: u64, amount: u64) {
        match self.uses.last_mut() {
            _ if amount == 0 => {}
            Some(last) if last.0 == at => last.1 += amount,
            _ => self.uses.push((at, amount)),
        }
        if self.uses.len() > MAX_EXACT {
            self.inexact_until = self.inexact_until.max(at + self.quota.milliseconds());
        }
    }

    /// How long until that use fits; what never fits waits for a whole window.
    fn wait(&self, used: Use, now: u64) -> u64 {
        let (count, length) = (self.quota.count.get(), self.quota.milliseconds());
        let (mut marks, amount) = match used {
            Use::Amount(amount) => (self.uses.clone(), amount),
            Use::Distinct(thing) if self.things.contains_key(&thing) => return 0,
            Use::Distinct(_) => (self.things.values().map(|it| (it.0, 1)).collect(), 1),
        };
        if amount > count {
            return length;
        }
        marks.sort_unstable();
        let mut left: u64 = marks.iter().map(|it| it.1).sum();
        let mut wait = 0;
        for (at, of_use) in marks {
            if left + amount <= count {
                break;
            }
            left -= of_use;
            wait = at + length - now;
        }
        wait
    }
}
