//! A model of one limit's counter: plain lists of uses, one for each quota.

use std::collections::BTreeMap;

use countersign_core::{Quota, Use};

/// Uses that are kept with their moments.
const MAX_EXACT: usize = 64;

/// The uses within one quota's window.
#[derive(Clone, Debug)]
struct Window {
    quota: Quota,
    /// Moment and amount, oldest first.
    uses: Vec<(u64, u64)>,
    /// Distinct things: when each was used last, and whether twice at that moment.
    things: BTreeMap<u64, (u64, bool)>,
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

impl Counter {
    pub(super) fn new(quotas: &[Quota]) -> Self {
        let window = |quota: &Quota| Window {
            quota: *quota,
            uses: Vec::new(),
            things: BTreeMap::new(),
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

    /// How long until there is room.
    pub(super) fn wait(&self, used: Use, now: u64) -> u64 {
        let waits = self.windows.iter().map(|it| it.wait(used, now));
        waits.max().unwrap_or_default()
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
        // Of too many, the two that are closest count as the later one.
        while self.uses.len() > MAX_EXACT {
            let gap = |it: &usize| self.uses[it + 1].0 - self.uses[*it].0;
            let closest = (0..MAX_EXACT).min_by_key(gap).unwrap_or_default();
            let (_, amount) = self.uses.remove(closest);
            self.uses[closest].1 += amount;
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
