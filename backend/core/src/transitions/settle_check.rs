//! Settling a check after Plivo decided on the code.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    counters::Counters,
    reservation::CheckReservation,
    send_limits::{checks_of, count_conversion, destination_keys},
};
use crate::{
    Answer, Destination, Key, Limit, Millis, Rows, Sealed, SessionOver, SessionRules, Transition,
    Unreadable, Verdict, idempotency,
    known_number::{self, KnownRow},
    resend_backoff::ResendBackoff,
    session::{SessionRow, Status},
    upstream_session::UpstreamRow,
};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// The session is verified, by this check.
    Verified,
    /// The code was wrong.
    Incorrect {
        /// Checks left.
        checks_left: u8,
    },
    /// The code is used up: only a new one helps.
    CodeUsed,
    /// Plivo decided when the session was already over.
    Over(SessionOver),
}

/// Settles a check, and stores its answer. The first accepted one wins, once, and does
/// not count as a wrong one; a code that has verified one session verifies no other.
pub struct SettleCheck {
    /// The reservation.
    pub reservation: Arc<CheckReservation>,
    /// Plivo's verdict.
    pub verdict: Verdict,
    /// The whole answer with its proof, sealed with its request: stored only if this
    /// check verifies the session.
    pub proof: Option<Sealed>,
    /// The destination of the session's codes.
    pub destination: Destination,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for SettleCheck {
    type Outcome = Settlement;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let reservation = &self.reservation;
        let mut keys = SessionRow::keys(&reservation.key).to_vec();
        // A rejected code races only with other checks of its own session.
        if self.verdict == Verdict::Accepted {
            keys.push(reservation.session.number.clone());
            keys.push(reservation.session.upstream.key.clone());
            keys.extend(known_number::key(&reservation.session.number, &self.rules));
            keys.extend(destination_keys(&self.destination, &self.rules));
        }
        keys.extend(reservation.claim.as_ref().map(|claim| claim.key.clone()));
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Settlement, Unreadable> {
        let settlement = self.settle(rows)?;
        if let Some(claim) = &self.reservation.claim {
            let answer = match (&settlement, &self.proof) {
                (Settlement::Verified, Some(proof)) => Answer::Sealed(proof.clone()),
                _ => Answer::Settled(settlement),
            };
            let claimed_at = self.reservation.reserved_at;
            idempotency::answer(rows, claim, claimed_at, answer)?;
        }
        Ok(settlement)
    }
}

impl SettleCheck {
    fn settle(&self, rows: &mut Rows<'_>) -> Result<Settlement, Unreadable> {
        let key = &self.reservation.key;
        if self.verdict == Verdict::Accepted {
            rows.guard_single_use();
            self.uncount_wrong(rows)?;
        }
        let mut row = match SessionRow::live(rows, key)? {
            Ok(row) => row,
            Err(over) => return Ok(Settlement::Over(over)),
        };
        if row.status == Status::Verified {
            return Ok(Settlement::Over(SessionOver::AlreadyVerified));
        }
        // A right code on the last check counts, even if a wrong one that ran beside it
        // was answered first.
        if self.verdict == Verdict::Accepted && self.use_code(rows)? {
            row.status = Status::Verified;
            self.count_verified(rows, &row)?;
            KnownRow::verified(rows, &row.number, &self.rules);
            if self.rules.verified_owes_no_wait {
                self.forgive_backoff(rows)?;
            }
            row.save(rows, key);
            return Ok(Settlement::Verified);
        }
        let checks_left = row.checks_left;
        if checks_left == 0 {
            row.status = Status::Exhausted;
            row.save(rows, key);
        }
        Ok(match self.verdict {
            Verdict::Incorrect => Settlement::Incorrect { checks_left },
            Verdict::Accepted | Verdict::CodeUsed => Settlement::CodeUsed,
        })
    }

    /// Uses the code; returns whether it had not verified a session before. Two of our
    /// sessions can share one of Plivo's, and Plivo's answer may be wrong.
    fn use_code(&self, rows: &mut Rows<'_>) -> Result<bool, Unreadable> {
        let upstream = &self.reservation.session.upstream.key;
        let mut row = UpstreamRow::load(rows, upstream)?;
        let is_first = row.verified.is_none();
        if is_first {
            row.verified = Some(self.reservation.key.clone());
            row.save(rows, upstream, &self.rules);
        }
        Ok(is_first)
    }

    /// Resets the resend backoff: the number may be sent to again at once.
    fn forgive_backoff(&self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        let number = Some(&self.reservation.session.number);
        let mut counters = Counters::load(rows, &self.rules, number, &[])?;
        if let Some(number) = counters.edit_number() {
            number.backoff = ResendBackoff::default();
        }
        counters.save(rows);
        Ok(())
    }

    fn uncount_wrong(&self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        let taken = self.reservation.taken.iter();
        let wrong = taken.filter(|it| it.check.limit == Limit::WrongChecksPerNumber);
        let wrong: Vec<_> = wrong.cloned().collect();
        let number = Some(&self.reservation.session.number);
        let mut counters = Counters::load(rows, &self.rules, number, checks_of(&wrong))?;
        for taken in &wrong {
            counters.release(taken);
        }
        counters.save(rows);
        Ok(())
    }

    fn count_verified(&self, rows: &mut Rows<'_>, row: &SessionRow) -> Result<(), Unreadable> {
        for is_known in [false, true] {
            let sent = row.deliveries.iter().filter(|it| it.is_known == is_known);
            let sent_at: Vec<Millis> = sent.map(|it| it.requested_at).collect();
            if sent_at.is_empty() {
                continue;
            }
            count_conversion(
                rows,
                &self.rules,
                &self.destination,
                is_known,
                |row, _, _| {
                    for at in &sent_at {
                        row.verified(*at);
                    }
                },
            )?;
        }
        Ok(())
    }
}
