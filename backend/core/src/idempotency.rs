//! Idempotency keys: a request that its caller repeats with the same key has one effect
//! and one answer (the IETF draft on the Idempotency-Key header).
//!
//! The key is claimed in the transition that reserves the effect, and the answer is
//! stored in the one that records it, so neither exists without the other.

use std::time::Duration;

use countersign_shared::Channel;
use serde::{Deserialize, Serialize};

use crate::{Key, LimitCheck, Millis, Row, Rows, Sealed, Settlement, Unreadable};

/// How long a request without an answer counts as in progress: longer than any takes, so
/// after that its process has died.
pub(crate) const UNDER_WAY_TIMEOUT: Duration = Duration::from_secs(30);
/// Repetitions with another body before the key is refused without comparing: otherwise a
/// session and its key would reveal, uncounted, which code was tried.
const MAX_MISMATCHES: u8 = 5;

/// A request with an idempotency key.
#[derive(Clone, Debug)]
pub struct IdempotencyClaim {
    /// The key's row. The key is scoped to the caller for a send, and to the session for
    /// a resend or a check.
    pub key: Key,
    /// The keyed hash of the body, which must be the same under the same key.
    pub body: String,
    /// How long the answer is kept.
    pub kept_for: Duration,
    /// The subject of the request, sealed with it: the session that it creates.
    pub subject: Option<Sealed>,
    /// The limits that another body under the key uses: it may be a guess.
    pub mismatch: Vec<LimitCheck>,
}

/// The state of a request that was made before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// It is in progress.
    UnderWay,
    /// It was started and never answered: its process died, or the store was unreachable.
    /// Whether it had an effect is unknown.
    Lost {
        /// The subject of the request.
        subject: Option<Sealed>,
    },
    /// The key was used for another request.
    Reused,
    /// It was answered.
    Answered {
        /// The answer.
        answer: Answer,
        /// The subject of the request.
        subject: Option<Sealed>,
    },
}

/// A stored answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The whole answer, sealed with its request.
    Sealed(Sealed),
    /// A send or resend that Plivo accepted: everything that the subject does not
    /// contain.
    Sent(SentAnswer),
    /// A check that did not verify, or a resend whose session ended meanwhile.
    Settled(Settlement),
}

/// The answer to a send or resend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentAnswer {
    /// When it was answered, by the store's clock.
    pub seen_at: Millis,
    /// The channel of the code.
    pub channel: Channel,
    /// When the session expires.
    pub expires_at: Millis,
    /// When the next code may be sent.
    pub next_at: Millis,
    /// Checks left.
    pub checks_left: u8,
}

/// The row of an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdempotencyRow {
    body: String,
    claimed_at: Millis,
    kept_until: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Sealed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
    #[serde(default)]
    mismatches: u8,
    /// Repetitions of an answer that may be a proof.
    #[serde(default, skip_serializing_if = "crate::sliding_window::is_zero")]
    repetitions: u32,
}

impl SentAnswer {
    /// The time until the session expires, as of the answer.
    pub fn expires_in(&self) -> Duration {
        self.seen_at.until(self.expires_at)
    }

    /// The time until the next code may be sent, as of the answer.
    pub fn resend_in(&self) -> Duration {
        self.seen_at.until(self.next_at)
    }
}

impl Row for IdempotencyRow {
    const KIND: &'static str = "idempotency";
}

impl IdempotencyRow {
    fn save(&self, rows: &mut Rows<'_>, key: &Key) {
        rows.put(key, self, self.kept_until);
    }
}

/// A repetition, and whether its body was compared and differed, which counts.
pub(crate) struct Repeated {
    pub(crate) repetition: Repetition,
    pub(crate) is_mismatch: bool,
}

/// The state of the request; `None` if it is new. A body that differs is counted here.
pub(crate) fn repeated(
    rows: &mut Rows<'_>,
    claim: &IdempotencyClaim,
) -> Result<Option<Repeated>, Unreadable> {
    let Some(mut row) = rows.get::<IdempotencyRow>(&claim.key)? else {
        return Ok(None);
    };
    let mut is_mismatch = false;
    let repetition = if row.mismatches >= MAX_MISMATCHES {
        Repetition::Reused
    } else if row.body != claim.body {
        is_mismatch = true;
        row.mismatches += 1;
        row.save(rows, &claim.key);
        Repetition::Reused
    } else if let Some(answer) = row.answer.clone() {
        if matches!(answer, Answer::Sealed(_)) {
            // A proof may have been stored by a commit that no replica confirmed. Stored
            // again, it is answered only once one has it.
            row.repetitions = row.repetitions.wrapping_add(1);
            row.save(rows, &claim.key);
            rows.guard_single_use();
        }
        let subject = row.subject;
        Repetition::Answered { answer, subject }
    } else if is_recent(row.claimed_at, rows.now()) {
        Repetition::UnderWay
    } else {
        let subject = row.subject;
        Repetition::Lost { subject }
    };
    Ok(Some(Repeated {
        repetition,
        is_mismatch,
    }))
}

/// Whether a claim is recent, in whichever direction the clock was set.
fn is_recent(claimed_at: Millis, now: Millis) -> bool {
    Duration::from_millis(now.0.abs_diff(claimed_at.0)) < UNDER_WAY_TIMEOUT
}

/// Claims the key.
pub(crate) fn claim(rows: &mut Rows<'_>, claim: &IdempotencyClaim) {
    put(rows, claim, None);
}

/// Stores the answer of the request that claimed its key at `claimed_at`. Returns the
/// stored answer: a callback may have been first.
pub(crate) fn answer(
    rows: &mut Rows<'_>,
    claim: &IdempotencyClaim,
    claimed_at: Millis,
    answer: Answer,
) -> Result<Answer, Unreadable> {
    match rows.get::<IdempotencyRow>(&claim.key)? {
        // Another request has claimed the key since.
        Some(row) if row.claimed_at != claimed_at => {}
        Some(IdempotencyRow {
            answer: Some(kept), ..
        }) => return Ok(kept),
        Some(mut row) => {
            row.answer = Some(answer.clone());
            row.kept_until = rows.now().after(claim.kept_for);
            row.save(rows, &claim.key);
        }
        None => put(rows, claim, Some(answer.clone())),
    }
    Ok(answer)
}

/// Stores the answer of the request that claimed its key at `claimed_at`, also in place of
/// one that a callback about another send has stored.
pub(crate) fn replace_answer(
    rows: &mut Rows<'_>,
    claim: &IdempotencyClaim,
    claimed_at: Millis,
    answer: Answer,
) -> Result<(), Unreadable> {
    if let Some(mut row) = rows.get::<IdempotencyRow>(&claim.key)?
        && row.claimed_at == claimed_at
    {
        row.answer = Some(answer);
        row.kept_until = rows.now().after(claim.kept_for);
        row.save(rows, &claim.key);
    }
    Ok(())
}

/// Adopts the send that was claimed at `claimed_at`: its answer replaces a stored
/// failure, if any.
pub(crate) fn adopt(
    rows: &mut Rows<'_>,
    key: &Key,
    claimed_at: Millis,
    answer: SentAnswer,
) -> Result<(), Unreadable> {
    if let Some(mut row) = rows.get::<IdempotencyRow>(key)?
        && row.claimed_at == claimed_at
    {
        row.answer = Some(Answer::Sent(answer));
        row.save(rows, key);
    }
    Ok(())
}

/// Frees a key that was claimed at `claimed_at`: the request had no effect.
pub(crate) fn free(
    rows: &mut Rows<'_>,
    claim: &IdempotencyClaim,
    claimed_at: Millis,
) -> Result<(), Unreadable> {
    let row = rows.get::<IdempotencyRow>(&claim.key)?;
    // Even if a callback about another send has answered it.
    if row.is_some_and(|row| row.claimed_at == claimed_at) {
        rows.delete(&claim.key);
    }
    Ok(())
}

fn put(rows: &mut Rows<'_>, claim: &IdempotencyClaim, answer: Option<Answer>) {
    let kept_until = rows.now().after(claim.kept_for);
    let row = IdempotencyRow {
        body: claim.body.clone(),
        claimed_at: rows.now(),
        kept_until,
        subject: claim.subject.clone(),
        answer,
        mismatches: 0,
        repetitions: 0,
    };
    rows.put(&claim.key, &row, kept_until);
}
