//! In a quiet moment, what an operator is told about a number, and a page about its wait.

use std::collections::BTreeSet;

use countersign_core::{
    Limit, Millis,
    transitions::{NumberView, Reserved, SendWait, ViewNumber},
};
use countersign_shared::Channel;

use crate::{border::number_key, expected::Next, usage::OneUse, world::World};

/// Sends that are remembered of a number.
const MAX_REMEMBERED: usize = 8;

impl World {
    pub(crate) fn check_the_views(&mut self) {
        let number = self.random.index(self.settings.numbers);
        let caller = self.random.index(self.settings.callers);
        self.check_the_wait(number, caller);
        let told = self.read(&ViewNumber {
            number: number_key(number),
            limits: self.settings.limits.clone(),
            rules: self.settings.rules.clone(),
        });
        if !self.checker.operator.has_freed(number) {
            self.check_the_limits(number, &told);
        }
        if !self.checker.operator.has_forgotten(number) {
            self.check_the_sends(number, &told);
        }
    }

    /// The wait that a page shows is that of a send.
    fn check_the_wait(&mut self, number: usize, caller: usize) {
        let step = self
            .settings
            .send("probe", (number, caller), Channel::Sms, None);
        let told = self.read(&SendWait {
            limits: step.limits.clone(),
            rules: step.rules.clone(),
        });
        let wait = match self.read(&step) {
            Reserved::Wait(wait) => wait.retry_after,
            _ => std::time::Duration::ZERO,
        };
        self.checker.require(told == wait, || {
            format!("{number} waits for {wait:?}, and is told {told:?}")
        });
    }

    fn check_the_limits(&mut self, number: usize, told: &NumberView) {
        let now = told.seen_at.0;
        let next = Next {
            number,
            caller: 0,
            channel: Channel::Voice,
            now,
            is_known: None,
        };
        let mut moments = self.checker.room_for_send(&self.settings, next, false);
        moments.extend(self.checker.room_for_check(number, 0, now));
        let checker = &self.checker;
        let mut wrong = Vec::new();
        for it in &told.limits {
            let all = match it.check.limit {
                Limit::WrongChecksPerNumber => &checker.wrong,
                _ => &checker.sends,
            };
            let is_call = it.check.limit == Limit::VoicePerNumber;
            let used = it.check.quotas.iter().map(|quota| {
                let since = now.saturating_sub(quota.milliseconds());
                let is_it = |it: &OneUse| it.number == number && (it.is_call || !is_call);
                all.since(since, is_it).len() as u64
            });
            let used: Vec<u64> = used.collect();
            let limit = Some(it.check.limit);
            let free_at = moments.iter().find(|(of, _)| *of == limit);
            let free_at = free_at.and_then(|(_, at)| *at);
            if used != it.used || free_at.is_some_and(|at| at != it.free_at.0) {
                wrong.push(format!("{it:?}, and {used:?} are used until {free_at:?}"));
            }
        }
        let backoff = moments.iter().find(|(limit, _)| limit.is_none());
        if let Some((_, Some(at))) = backoff
            && told.resend_at.0.max(now) != *at
        {
            wrong.push(format!("a resend at {:?}, not {at}", told.resend_at));
        }
        self.checker.require(wrong.is_empty(), || wrong.join(", "));
    }

    fn live_sessions(&self, names: &BTreeSet<String>) -> usize {
        names.iter().filter(|it| self.view(it).is_some()).count()
    }

    /// The sends of a session's lifetime, and their sessions.
    fn check_the_sends(&mut self, number: usize, told: &NumberView) {
        let lifetime = self.settings.rules.session_lifetime;
        let mut sends = self.checker.sends.since(0, |it| it.number == number);
        sends.retain(|it| !self.checker.deliveries.is_closed(it.request));
        sends.sort_by_key(|it| it.at);
        let listed: Vec<u64> = told.sends.iter().map(|it| it.at.0).collect();
        let is_recent = |it: &&OneUse| Millis(it.at).after(lifetime) > told.seen_at;
        let made = sends.iter().filter(is_recent).map(|it| it.at);
        let made: Vec<u64> = made.collect();
        // Of many at once the oldest are forgotten, and those of them that were closed or
        // released meanwhile have pushed out others.
        let released = usize::try_from(self.checker.released).unwrap_or(usize::MAX);
        let are_all = self.checker.sends.of_number(number) + released <= MAX_REMEMBERED;
        let is_right = listed == made || !are_all;
        self.checker.require(is_right, || {
            format!("{number} was sent {listed:?}, and {made:?}")
        });
        // A session that was recorded late outlives the send.
        let all = self.checker.sessions.names_of(number);
        let recent = sends.iter().filter(is_recent);
        let recent = recent.filter_map(|it| self.checker.calls.get(&it.request));
        let recent = recent.map(|asked| asked.session.clone()).collect();
        let live = self.live_sessions(&recent)..=self.live_sessions(&all.into_iter().collect());
        let count = told.sessions.len();
        self.checker.require(live.contains(&count) || !are_all, || {
            format!("{number} has {count} sessions, and {live:?} live")
        });
        let mut wrong = told
            .sessions
            .iter()
            .filter(|(session, attempts)| attempts.len() != session.deliveries.len());
        let wrong = wrong.next().map(|it| format!("{it:?}"));
        self.checker
            .require(wrong.is_none(), || wrong.unwrap_or_default());
    }
}
