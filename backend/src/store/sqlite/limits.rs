//! Limits and ladders: what a step may use, uses up, and gives back.

use std::time::Duration;

use countersign_shared::PhoneNumber;
use rusqlite::{OptionalExtension, Transaction, params};

use super::Context;
use crate::store::{
    Claim, Hold, Ladder, Limit, Wait,
    millis::{Millis, length},
    vault::Hash,
    window::Uses,
};

/// One step's view of the counters.
pub(super) struct Keyed<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) context: &'a Context,
    pub(super) now: Millis,
}

/// What a step found room in.
struct Room {
    ladder: Option<Ladder>,
    /// Of each claim, in their order.
    uses: Vec<(Hash, Uses, Option<u64>)>,
}

impl Keyed<'_> {
    /// Whether each of the claims and, for a send, the number's ladder has room;
    /// or how long to wait for all of them. A send may go at once, whatever its
    /// ladder says.
    fn look(
        &self,
        recipient: Option<(&PhoneNumber, bool)>,
        claims: &[Claim],
    ) -> rusqlite::Result<Result<Room, Wait>> {
        let mut longest: Option<Wait> = None;
        let mut must_wait = |milliseconds: Millis, limit: Option<Limit>| {
            let next = Wait::of(milliseconds, limit);
            if longest.is_none_or(|known| known.retry_after < next.retry_after) {
                longest = Some(next);
            }
        };
        let ladder = recipient
            .map(|(number, _)| self.ladder(number))
            .transpose()?;
        let waits = recipient.is_some_and(|(_, at_once)| !at_once);
        if let Some(ladder) = ladder
            && waits
            && ladder.next_at > self.now
        {
            must_wait(ladder.next_at - self.now, None);
        }
        let mut taken = Vec::with_capacity(claims.len());
        for claim in claims {
            let id = self.context.vault.claim_name(claim);
            let different = self.context.vault.different_name(claim);
            let mut uses = self.uses(&id)?;
            match uses.wait(&claim.quotas, different, self.now) {
                0 => taken.push((id, uses, different)),
                milliseconds => must_wait(milliseconds, Some(claim.limit)),
            }
        }
        Ok(match longest {
            Some(wait) => Err(wait),
            None => Ok(Room {
                ladder,
                uses: taken,
            }),
        })
    }

    /// How long until such a step would pass.
    pub(super) fn wait(
        &self,
        recipient: &PhoneNumber,
        claims: &[Claim],
    ) -> rusqlite::Result<Duration> {
        let room = self.look(Some((recipient, false)), claims)?;
        Ok(room.err().map_or(Duration::ZERO, |wait| wait.retry_after))
    }

    /// Uses one of every claim and, for a send, the next rung of the number's
    /// ladder; or nothing at all, and says how long to wait for all of them.
    pub(super) fn reserve(
        &self,
        recipient: Option<(&PhoneNumber, bool)>,
        claims: Vec<Claim>,
    ) -> rusqlite::Result<Result<Hold, Wait>> {
        let Room { ladder, uses } = match self.look(recipient, &claims)? {
            Ok(room) => room,
            Err(wait) => return Ok(Err(wait)),
        };
        let mut previous = Vec::with_capacity(claims.len());
        let mut next_at = self.now;
        for ((id, mut uses, different), claim) in uses.into_iter().zip(&claims) {
            previous.push(uses.take(&claim.quotas, different, self.now));
            next_at = next_at.max(self.now + uses.wait(&claim.quotas, different, self.now));
            self.write_uses(&id, &uses)?;
        }
        if let (Some((number, _)), Some(before)) = (recipient, ladder) {
            let climbed = self.climbed(before, self.now);
            next_at = next_at.max(climbed.next_at);
            self.write_ladder(number, climbed)?;
        }
        Ok(Ok(Hold {
            claims,
            previous,
            taken_at: self.now,
            ladder,
            next_at,
        }))
    }

    /// The ladder after one more send at that moment.
    fn climbed(&self, before: Ladder, at: Millis) -> Ladder {
        let sends = before.sends + 1;
        Ladder {
            sends,
            next_at: at + length(self.context.rules.wait_after(sends)),
        }
    }

    /// Gives back what a step took, as far as `which` says.
    pub(super) fn give_back(
        &self,
        recipient: Option<&PhoneNumber>,
        hold: &Hold,
        which: impl Fn(Limit) -> bool,
    ) -> rusqlite::Result<()> {
        for (claim, previous) in hold.claims.iter().zip(&hold.previous) {
            if !which(claim.limit) {
                continue;
            }
            let id = self.context.vault.claim_name(claim);
            let different = self.context.vault.different_name(claim);
            let different = different.map(|what| (what, *previous));
            let mut uses = self.uses(&id)?;
            uses.give_back(&claim.quotas, different, hold.taken_at, self.now);
            self.write_uses(&id, &uses)?;
        }
        if let (Some(number), Some(before)) = (recipient, hold.ladder) {
            let ours = self.climbed(before, hold.taken_at);
            // Another send that came after keeps its own rung.
            if self.ladder(number)? == ours {
                self.write_ladder(number, before)?;
            }
        }
        Ok(())
    }

    /// When the number may be sent to again.
    fn ladder(&self, number: &PhoneNumber) -> rusqlite::Result<Ladder> {
        let kept = self
            .transaction
            .prepare_cached(
                "SELECT sends, next_at FROM ladder WHERE number = ?1 AND forget_at > ?2",
            )?
            .query_row(
                params![self.context.vault.number_name(number), self.now],
                |row| {
                    Ok(Ladder {
                        sends: row.get(0)?,
                        next_at: row.get(1)?,
                    })
                },
            )
            .optional()?;
        Ok(kept.unwrap_or_default())
    }

    /// A ladder is forgotten when no session of its last send lives any more.
    fn write_ladder(&self, number: &PhoneNumber, ladder: Ladder) -> rusqlite::Result<()> {
        let lives = self.now + length(self.context.rules.session_lifetime);
        self.transaction
            .prepare_cached("INSERT OR REPLACE INTO ladder VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                self.context.vault.number_name(number),
                ladder.sends,
                ladder.next_at,
                lives.max(ladder.next_at)
            ])?;
        Ok(())
    }

    fn uses(&self, id: &Hash) -> rusqlite::Result<Uses> {
        let kept: Option<Vec<u8>> = self
            .transaction
            .prepare_cached("SELECT windows FROM uses WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        match kept {
            None => Ok(Uses::default()),
            // A count that cannot be read must not become no count.
            Some(bytes) => Uses::from_bytes(&bytes).ok_or(rusqlite::Error::InvalidQuery),
        }
    }

    fn write_uses(&self, id: &Hash, uses: &Uses) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached("INSERT OR REPLACE INTO uses VALUES (?1, ?2, ?3)")?
            .execute(params![id, uses.to_bytes(), uses.over_at()])?;
        Ok(())
    }
}
