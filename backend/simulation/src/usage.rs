//! Checks quotas against a plain list of uses.
//!
//! Independent of the rules' code: a use is a moment, and every interval that ends with
//! one is a window.

use countersign_core::Quota;

/// One use of a limit.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct OneUse {
    /// Its request.
    pub(crate) request: u64,
    pub(crate) at: u64,
    pub(crate) number: usize,
    pub(crate) caller: usize,
    pub(crate) is_call: bool,
    /// Whether it is a send that is subject to the number's backoff.
    pub(crate) is_first: bool,
    /// Whether it is a send to a known number.
    pub(crate) is_known: bool,
    /// Windows of up to that many milliseconds had passed before the clock was set.
    pub(crate) forgotten: u64,
    /// Whether the operator has freed its number since.
    pub(crate) is_freed: bool,
}

#[derive(Default)]
pub(crate) struct Usage(Vec<OneUse>);

impl Usage {
    pub(crate) fn add(&mut self, one: OneUse) {
        self.0.push(one);
    }

    pub(crate) fn remove(&mut self, request: u64) {
        self.0.retain(|it| it.request != request);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The uses later than `moment` that `which` selects.
    pub(crate) fn since(&self, moment: u64, which: impl Fn(&OneUse) -> bool) -> Vec<OneUse> {
        let uses = self.0.iter().copied();
        uses.filter(|it| it.at > moment && which(it)).collect()
    }

    /// Number of sends to a number that were treated as to a known one.
    pub(crate) fn spared(&self, number: usize) -> usize {
        let of_number = self.0.iter().filter(|it| it.number == number);
        of_number.filter(|it| it.is_known).count()
    }

    /// The operator freed that number: it owes nothing for what was before.
    pub(crate) fn free(&mut self, number: usize) {
        let of_number = self.0.iter_mut().filter(|it| it.number == number);
        of_number.for_each(|it| it.is_freed = true);
    }

    /// Whether that send was followed by another one of the same caller to the same number.
    pub(crate) fn is_followed(&self, request: u64) -> bool {
        let Some(one) = self.0.iter().find(|it| it.request == request) else {
            return false;
        };
        self.0.iter().any(|it| {
            let is_pair = (it.number, it.caller) == (one.number, one.caller);
            is_pair && it.at >= one.at && it.request != request
        })
    }

    /// When that number was sent to last.
    pub(crate) fn last_of(&self, number: usize) -> Option<u64> {
        let of_number = self.0.iter().filter(|it| it.number == number);
        of_number.map(|it| it.at).max()
    }

    pub(crate) fn has_known(&self) -> bool {
        self.0.iter().any(|it| it.is_known)
    }

    pub(crate) fn of_number(&self, number: usize) -> usize {
        self.0.iter().filter(|it| it.number == number).count()
    }

    /// The clock was set: uses in the future count as now, and windows that had already
    /// passed no longer contain their uses.
    pub(crate) fn set_clock(&mut self, before: u64, now: u64) {
        for it in &mut self.0 {
            it.forgotten = it.forgotten.max(before.saturating_sub(it.at));
            it.at = it.at.min(now);
        }
    }

    /// The first window that contains more than `quotas` allow, of the uses selected by
    /// `which`; `weigh` returns how much a window contains.
    pub(crate) fn exceeded(
        &self,
        quotas: &[Quota],
        which: impl Fn(&OneUse) -> bool,
        weigh: impl Fn(&[OneUse]) -> u64,
    ) -> Option<String> {
        let picked: Vec<OneUse> = self.0.iter().copied().filter(|it| which(it)).collect();
        for quota in quotas {
            let length = quota.milliseconds();
            let known = |it: &&OneUse| it.forgotten < length;
            let picked: Vec<OneUse> = picked.iter().filter(known).copied().collect();
            for end in &picked {
                let begins = end.at.saturating_sub(length);
                let is_within = |it: &&OneUse| it.at <= end.at && it.at > begins;
                let within: Vec<OneUse> = picked.iter().filter(is_within).copied().collect();
                let used = weigh(&within);
                if used > quota.count.get() {
                    return Some(format!("{used} in {quota:?}: {within:?}"));
                }
            }
        }
        None
    }

    /// Two uses of one number that are closer together than its shortest backoff, the
    /// later of which was subject to it.
    pub(crate) fn too_close(&self, shortest: u64) -> Option<String> {
        let pairs = self
            .0
            .iter()
            .flat_map(|it| self.0.iter().map(move |to| (it, to)));
        let mut close = pairs.filter(|(earlier, later)| {
            let is_pair = earlier.number == later.number
                && earlier.request != later.request
                && !earlier.is_freed;
            let gap = later.at.checked_sub(earlier.at);
            is_pair && later.is_first && gap.is_some_and(|gap| gap > 0 && gap < shortest)
        });
        close.next().map(|pair| format!("{pair:?}"))
    }
}

pub(crate) fn count(uses: &[OneUse]) -> u64 {
    uses.len() as u64
}

pub(crate) fn numbers(uses: &[OneUse]) -> u64 {
    let mut numbers: Vec<usize> = uses.iter().map(|it| it.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len() as u64
}
