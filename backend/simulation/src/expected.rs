//! What a send or a check has to wait for, computed from plain lists of what was used.
//!
//! Independent of the rules' code. What the lists do not determine is `None`.

use countersign_core::{Limit, Millis, Quota};
use countersign_shared::Channel;

use crate::{
    checker::Checker,
    settings::{PRICE, Settings},
    usage::OneUse,
};

/// The moment at which each limit has room for one more; `None` is the resend backoff.
pub(crate) type Moments = Vec<(Option<Limit>, Option<u64>)>;

/// A send that might be made now.
#[derive(Clone, Copy)]
pub(crate) struct Next {
    pub(crate) number: usize,
    pub(crate) caller: usize,
    pub(crate) channel: Channel,
    pub(crate) now: u64,
    /// Whether the number is known at that moment.
    pub(crate) is_known: Option<bool>,
}

/// When there is room for one more.
pub(crate) fn room_at(uses: &[OneUse], quotas: &[Quota], now: u64) -> u64 {
    let at = |quota: &Quota| {
        let ends = uses.iter().map(|it| it.at + quota.milliseconds());
        let mut ends: Vec<u64> = ends.filter(|end| *end > now).collect();
        ends.sort_unstable();
        let fewer = usize::try_from(quota.count.get() - 1).unwrap_or(usize::MAX);
        let too_many = ends.len().saturating_sub(fewer);
        too_many.checked_sub(1).map_or(now, |index| ends[index])
    };
    quotas.iter().map(at).max().unwrap_or(now)
}

/// When there is room for that number, each being used once.
fn room_for(number: usize, uses: &[OneUse], quotas: &[Quota], now: u64) -> u64 {
    let at = |quota: &Quota| {
        let mut last: Vec<OneUse> = uses.to_vec();
        last.retain(|it| it.at + quota.milliseconds() > now);
        last.sort_by_key(|it| std::cmp::Reverse(it.at));
        let mut seen = Vec::new();
        last.retain(|it| {
            let is_new = !seen.contains(&it.number);
            seen.push(it.number);
            is_new
        });
        if last.iter().any(|it| it.number == number) {
            now
        } else {
            room_at(&last, std::slice::from_ref(quota), now)
        }
    };
    quotas.iter().map(at).max().unwrap_or(now)
}

/// A quota of money as a number of codes.
pub(crate) fn codes(caps: &[Quota]) -> Vec<Quota> {
    let codes = |cap: &Quota| Quota {
        count: (cap.count.get() / PRICE).try_into().unwrap_or(cap.count),
        ..*cap
    };
    caps.iter().map(codes).collect()
}

impl Checker {
    /// Whether a number is known: it was verified, and at most one code since then was
    /// sent to it as to a known number.
    pub(crate) fn is_known(&self, number: usize, now: u64) -> Option<bool> {
        if self.operator.allows(number) {
            return Some(true);
        }
        if self.operator.has_forgotten(number) {
            return None;
        }
        let Some((kept_for, (from, to))) = self
            .rules
            .known_numbers_for
            .zip(self.became_known.get(&number).copied())
        else {
            return Some(false);
        };
        let kept_for = u64::try_from(kept_for.as_millis()).unwrap_or(u64::MAX);
        if (from..=to).contains(&now.saturating_sub(kept_for)) {
            return None;
        }
        let open = self.sends.since(from.saturating_sub(1), |it| {
            it.number == number && it.is_known
        });
        if open.iter().any(|it| it.at <= to) {
            return None;
        }
        Some(from + kept_for > now && open.len() < 2)
    }

    /// When the resend backoff ends: the waits follow their list, which begins again once
    /// nothing was sent for a session's lifetime.
    fn backoff_ends_at(&self, number: usize, more: Option<u64>, now: u64) -> u64 {
        let lifetime = self.rules.session_lifetime;
        let known = self.ladders.get(&number).into_iter().flatten();
        let times = known.map(|(_, at)| *at).chain(more);
        let mut step: Option<(usize, Millis)> = None;
        for at in times.map(Millis) {
            let before = step.filter(|(_, last)| last.after(lifetime) > at);
            step = Some((before.map_or(0, |(index, _)| index + 1), at));
        }
        let Some((index, last)) = step.filter(|(_, last)| last.after(lifetime).0 > now) else {
            return now;
        };
        let waits = &self.rules.resend_waits;
        last.after(waits[index.min(waits.len() - 1)]).0.max(now)
    }

    /// When each limit has room for that send, after `more` like it are made now.
    pub(crate) fn room_for_send(&self, settings: &Settings, next: Next, more: bool) -> Moments {
        let Next {
            number,
            caller,
            channel,
            now,
            is_known,
        } = next;
        let limits = &settings.limits;
        let mut uses = self.sends.since(0, |_| true);
        if more {
            uses.push(OneUse {
                at: now,
                number,
                caller,
                is_call: channel == Channel::Voice,
                is_known: is_known == Some(true),
                ..OneUse::default()
            });
        }
        let is_known = if more {
            self.is_known_after(next)
        } else {
            is_known
        };
        let room = |quotas: &[Quota], which: &dyn Fn(&OneUse) -> bool| {
            let uses: Vec<OneUse> = uses.iter().filter(|it| which(it)).copied().collect();
            room_at(&uses, quotas, now)
        };
        let of_number = |it: &OneUse| it.number == number;
        let since_freed = |it: &OneUse| of_number(it) && !it.is_freed;
        let of_caller = |it: &OneUse| it.caller == caller;
        let is_owed = !self.operator.has_freed(number);
        let backoff = self.backoff_ends_at(number, more.then_some(now), now);
        let mut moments = vec![
            (
                None,
                (is_owed && !self.unclear.contains(&number)).then_some(backoff),
            ),
            (
                Some(Limit::SendsPerNumber),
                is_owed.then(|| room(&limits.sends_per_number, &of_number)),
            ),
            // At least what was sent since it was freed.
            (
                Some(Limit::SendsPerNumber),
                Some(room(&limits.sends_per_number, &since_freed)),
            ),
            (
                Some(Limit::SendsPerAddress),
                Some(room(&limits.sends_per_address, &of_caller)),
            ),
            (
                Some(Limit::SendsPerApplication),
                Some(room(&settings.applications[caller].sends, &of_caller)),
            ),
            (
                Some(Limit::SendsTotal),
                Some(room(&limits.sends_total, &|_| true)),
            ),
        ];
        if channel == Channel::Voice {
            let is_call = |it: &OneUse| of_number(it) && it.is_call;
            let at = is_owed.then(|| room(&limits.voice_per_number, &is_call));
            moments.push((Some(Limit::VoicePerNumber), at));
        }
        let callers: Vec<OneUse> = uses.iter().filter(|it| of_caller(it)).copied().collect();
        let distinct = room_for(number, &callers, &limits.numbers_per_address, now);
        let is_clear = !self.is_distinct_unclear;
        moments.push((Some(Limit::NumbersPerAddress), is_clear.then_some(distinct)));
        let strangers = |it: &OneUse| !it.is_known;
        let range = match is_known {
            Some(true) => Some(now),
            Some(false) => Some(room(&limits.sends_per_range, &strangers)),
            None => None,
        };
        moments.push((Some(Limit::SendsPerRange), range));
        let country = room(&limits.sends_per_country, &|_| true);
        let has_reserve = limits.sends_per_country.iter().all(|it| it.count.get() > 1);
        // Sends to known numbers may have been counted in either place.
        let country = match (uses.iter().any(|it| it.is_known), is_known) {
            (false, Some(false)) => Some(country),
            (false, Some(true)) => Some(if has_reserve { now } else { country }),
            _ => None,
        };
        let country = match (self.room_in_country(&uses, now), is_known) {
            (Some((country, _)), Some(false)) => Some(country),
            (Some((_, best)), Some(true)) => Some(best),
            _ => country,
        };
        moments.push((Some(Limit::SendsPerCountry), country));
        moments.push((Some(Limit::KnownPerCountry), country));
        let is_charged = !self.charged.is_empty();
        let service = room(&codes(&settings.budget.caps), &|_| true);
        let own = room(
            &codes(&settings.applications[caller].spend_caps),
            &of_caller,
        );
        moments.push((Some(Limit::Budget), (!is_charged).then_some(service)));
        moments.push((Some(Limit::ApplicationBudget), (!is_charged).then_some(own)));
        moments
    }

    /// Whether the number is still known after one more send.
    fn is_known_after(&self, next: Next) -> Option<bool> {
        if self.operator.allows(next.number) || next.is_known != Some(true) {
            return next.is_known;
        }
        let (_, to) = self.became_known.get(&next.number).copied()?;
        let open = self
            .sends
            .since(to, |it| it.number == next.number && it.is_known);
        Some(open.len() + 1 < 2)
    }

    /// When each limit has room for a check of that number's code.
    pub(crate) fn room_for_check(&self, number: usize, caller: usize, now: u64) -> Moments {
        let wrong = self.wrong.since(0, |it| it.number == number);
        let since_freed = self
            .wrong
            .since(0, |it| it.number == number && !it.is_freed);
        let checks = self.checks.since(0, |it| it.caller == caller);
        let is_owed = !self.operator.has_freed(number);
        let has_reused = self.answers.reused > 0;
        vec![
            (
                Some(Limit::WrongChecksPerNumber),
                is_owed.then(|| room_at(&wrong, &self.limits.wrong_checks_per_number, now)),
            ),
            (
                Some(Limit::WrongChecksPerNumber),
                Some(room_at(
                    &since_freed,
                    &self.limits.wrong_checks_per_number,
                    now,
                )),
            ),
            (
                Some(Limit::ChecksPerAddress),
                (!has_reused).then(|| room_at(&checks, &self.limits.checks_per_address, now)),
            ),
        ]
    }
}
