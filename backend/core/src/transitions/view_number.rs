//! What is stored about a number, for an operator who handles a question about a code.

use std::sync::Arc;

use countersign_shared::Channel;

use super::counters::Counters;
use crate::{
    Key, Limit, LimitCheck, Limits, Millis, Rows, Session, SessionRules, Transition, Unreadable,
    UpstreamAttempt, delivery::match_attempts, number::NumberRow, rate_limit::once,
    session::SessionRow, upstream_session::UpstreamRow,
};

/// Reads what is stored about a number. Nothing is written.
pub struct ViewNumber {
    /// The number's row.
    pub number: Key,
    /// The configured limits.
    pub limits: Limits,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

/// What is stored about a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberView {
    /// When the snapshot was taken, by the store's clock.
    pub seen_at: Millis,
    /// Codes requested within a session's lifetime, oldest first.
    pub sends: Vec<NumberSend>,
    /// The live sessions of these sends, each with its attempts.
    pub sessions: Vec<(Session, Vec<UpstreamAttempt>)>,
    /// When the resend backoff allows the next code.
    pub resend_at: Millis,
    /// The limits that count by number.
    pub limits: Vec<NumberLimit>,
}

/// One code that was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberSend {
    /// The channel.
    pub channel: Channel,
    /// When it was counted.
    pub at: Millis,
}

/// The state of a limit for a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberLimit {
    /// The limit and its quotas.
    pub check: LimitCheck,
    /// How much of each of its quotas is used.
    pub used: Vec<u64>,
    /// When it allows the next one.
    pub free_at: Millis,
}

impl ViewNumber {
    fn checks(&self) -> Vec<LimitCheck> {
        let limits = [
            (Limit::SendsPerNumber, &self.limits.sends_per_number),
            (Limit::VoicePerNumber, &self.limits.voice_per_number),
            (
                Limit::WrongChecksPerNumber,
                &self.limits.wrong_checks_per_number,
            ),
        ];
        limits
            .into_iter()
            .filter(|(_, quotas)| !quotas.is_empty())
            .map(|(limit, quotas)| once(limit, &self.number, quotas))
            .collect()
    }

    /// The session rows that the number's row names, each once.
    fn sessions(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let row = rows.get::<NumberRow>(&self.number)?.unwrap_or_default();
        let mut sessions: Vec<Key> = Vec::new();
        for send in row.reserved {
            if !sessions.contains(&send.session) {
                sessions.push(send.session);
            }
        }
        Ok(sessions)
    }
}

impl Transition for ViewNumber {
    type Outcome = NumberView;

    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let mut keys = vec![self.number.clone()];
        if !rows.is_loaded(&self.number) {
            return Ok(keys);
        }
        for session in self.sessions(rows)? {
            if rows.is_loaded(&session)
                && let Some(row) = rows.get::<SessionRow>(&session)?
            {
                keys.extend(row.upstream.map(|upstream| upstream.key));
            }
            keys.push(session);
        }
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<NumberView, Unreadable> {
        let now = rows.now();
        let row = rows.get::<NumberRow>(&self.number)?.unwrap_or_default();
        let mut sessions = Vec::new();
        for key in self.sessions(rows)? {
            let session = rows.get::<SessionRow>(&key)?.and_then(|row| row.seen(now));
            if let Some(session) = session {
                let upstream = UpstreamRow::load(rows, &session.upstream.key)?;
                let attempts = match_attempts(&session.deliveries, &upstream.attempts);
                sessions.push((session, attempts));
            }
        }
        let lifetime = self.rules.session_lifetime;
        let sends = row.reserved.iter().filter(|it| it.at.after(lifetime) > now);
        let sends = sends.map(|it| NumberSend {
            channel: it.channel,
            at: it.at,
        });
        let sends = sends.collect();
        let checks = self.checks();
        let mut counters = Counters::load(rows, &self.rules, Some(&self.number), &checks)?;
        let backoff = counters.number().map(|it| it.backoff.next_at(&self.rules));
        let limits = checks.into_iter().map(|check| NumberLimit {
            used: counters.used(&check),
            free_at: Millis(now.0.saturating_add(counters.wait(&check))),
            check,
        });
        Ok(NumberView {
            seen_at: now,
            sends,
            sessions,
            limits: limits.collect(),
            resend_at: backoff.unwrap_or_default(),
        })
    }
}
