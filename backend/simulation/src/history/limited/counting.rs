//! What steps count, and how long they wait.

use countersign_core::{Key, Limit, LimitCheck, Wait, keys, transitions::LimitUsed};
use countersign_shared::Channel;

use super::{Limited, OF_NUMBERS, Taken};
use crate::history::{
    accounts::millis,
    counter::Counter,
    quotas::{OneLimit, PLACES},
};

impl Limited<'_> {
    /// The counter of a limit, as a step finds it now.
    pub(super) fn counter(&mut self, (limit, who, quotas, _): &OneLimit) -> &mut Counter {
        let now = self.now();
        let place = (limit.as_str(), who.clone());
        let counter = self.counters.entry(place);
        let counter = counter.or_insert_with(|| Counter::new(quotas));
        counter.read_at(now);
        counter
    }

    pub(super) fn take(&mut self, limits: &[OneLimit]) -> Vec<Taken> {
        let now = self.now();
        let take = |it: &OneLimit| {
            let counted = self.counter(it).take(it.3, now);
            (it.0, it.1.clone(), counted)
        };
        limits.iter().map(take).collect()
    }

    pub(super) fn release(&mut self, taken: &[Taken]) {
        let now = self.now();
        for (limit, who, counted) in taken {
            let counter = self.counters.get_mut(&(limit.as_str(), who.clone()));
            let counter = counter.expect("what was taken has a counter");
            counter.read_at(now);
            counter.release(counted, now);
        }
    }

    /// Compares a wait with those of its limits; `more` is that of the backoff.
    pub(super) fn compare_a_wait(
        &mut self,
        limits: &[OneLimit],
        more: u64,
        told: Option<&Wait>,
    ) -> bool {
        let now = self.now();
        let mut longest = more;
        let mut own = (told.is_some_and(|it| it.limit.is_none())).then_some(more);
        for limit in limits {
            let wait = self.counter(limit).wait(limit.3, now);
            longest = longest.max(wait);
            if told.is_some_and(|it| it.limit == Some(limit.0)) {
                own = own.max(Some(wait));
            }
        }
        let wait = told.map_or(0, |it| millis(it.retry_after));
        let is_right = wait == longest && (told.is_none() || own == Some(wait));
        self.require(is_right, || {
            format!("{told:?} at {now}, and {longest} by {limits:?} and {more}")
        });
        is_right
    }

    /// Compares how much of some limit is used.
    pub(super) fn compare_a_count(&mut self) {
        let number = self.random.index(PLACES.len());
        let caller = self.random.index(self.quotas.end_users.len());
        let channel = Channel::Voice;
        let mut all = self.quotas.of_send(number, caller, channel);
        all.extend(self.quotas.of_check(caller));
        all.extend(self.quotas.of_wrong(number));
        all.extend(self.quotas.reserve(number));
        let Some(limit) = self.random.pick(&all).cloned() else {
            return;
        };
        let step = LimitUsed {
            check: check(&limit),
            rules: self.rules.clone(),
        };
        let told = self.service.read(&step);
        let now = self.now();
        let place = (limit.0.as_str(), limit.1.clone());
        let counter = self.counters.get(&place).cloned();
        let mut counter = counter.unwrap_or_else(|| Counter::new(&limit.2));
        counter.read_at(now);
        let used = counter.used();
        let is_right = told == used;
        self.require(is_right, || {
            format!("{limit:?} counts {told:?}, and not {used:?}")
        });
    }

    pub(super) fn counters_of(&mut self, number: usize) -> impl Iterator<Item = &mut Counter> {
        let number = number.to_string();
        let all = self.counters.iter_mut();
        let of_number = move |(limit, who): &(&'static str, String)| {
            OF_NUMBERS.contains(limit) && *who == number
        };
        all.filter(move |(place, _)| of_number(place))
            .map(|(_, it)| it)
    }
}

pub(super) fn check((limit, who, quotas, used): &OneLimit) -> LimitCheck {
    let of_number = matches!(
        limit,
        Limit::SendsPerNumber | Limit::VoicePerNumber | Limit::WrongChecksPerNumber
    );
    let row: Key = if of_number {
        keys::number(who)
    } else {
        keys::limit(*limit, who)
    };
    LimitCheck {
        limit: *limit,
        row,
        quotas: quotas.clone(),
        used: *used,
    }
}
