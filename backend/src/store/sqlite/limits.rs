//! Limits and ladders: what a step may use, uses up, and gives back.

use std::time::Duration;

use countersign_shared::PhoneNumber;
use rusqlite::{OptionalExtension, Transaction, params};

use super::{
    Context,
    conversion::{self, Outlook},
};
use crate::store::{
    Claim, Hold, Ladder, Limit, Place, SendTerms, Wait,
    millis::{Millis, length},
    vault::Hash,
    window::{Correction, Uses},
};

/// One step's view of the counters.
pub(super) struct Keyed<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) context: &'a Context,
    pub(super) now: Millis,
}

/// How the counters stand that a step is held against.
struct View {
    ladder: Option<Ladder>,
    /// Of each claim, in their order.
    uses: Vec<(Hash, Uses)>,
    outlook: Outlook,
    /// The longest of all the waits.
    wait: Option<Wait>,
}

/// Who is sent to, whether it may go at once whatever its ladder says, and where
/// it goes.
pub(super) type Going<'a> = (&'a PhoneNumber, bool, &'a Place);

impl<'a> Keyed<'a> {
    pub(super) fn of(transaction: &'a Transaction<'a>, context: &'a Context, now: Millis) -> Self {
        Self {
            transaction,
            context,
            now,
        }
    }
}

impl Keyed<'_> {
    /// Whether each of the claims and, for a send, the number's ladder and the
    /// places it belongs to have room; or how long to wait for all of them.
    fn look(&self, going: Option<Going<'_>>, claims: &[Claim]) -> rusqlite::Result<View> {
        let mut longest: Option<Wait> = None;
        let mut must_wait = |next: Wait| {
            if longest
                .as_ref()
                .is_none_or(|known| known.retry_after < next.retry_after)
            {
                longest = Some(next);
            }
        };
        let ladder = going.map(|(number, ..)| self.ladder(number)).transpose()?;
        let waits = going.is_some_and(|(_, at_once, _)| !at_once);
        if let Some(ladder) = ladder
            && waits
            && ladder.next_at > self.now
        {
            must_wait(Wait::of(ladder.next_at - self.now, None));
        }
        let mut all = Vec::with_capacity(claims.len());
        for claim in claims {
            let id = self.context.vault.claim_name(claim);
            let mut uses = self.uses(&id)?;
            let one = claim.used(&self.context.vault);
            match uses.wait(&claim.quotas, one, self.now) {
                0 => {}
                milliseconds => must_wait(Wait::of(milliseconds, Some(claim.limit))),
            }
            all.push((id, uses));
        }
        let mut outlook = match going {
            Some((.., place)) => conversion::look(self.transaction, self.context, place, self.now)?,
            None => Outlook::default(),
        };
        outlook.waits.drain(..).for_each(must_wait);
        Ok(View {
            ladder,
            uses: all,
            outlook,
            wait: longest,
        })
    }

    /// How long until such a step would pass.
    pub(super) fn wait(
        &self,
        recipient: &PhoneNumber,
        terms: &SendTerms,
    ) -> rusqlite::Result<Duration> {
        let view = self.look(Some((recipient, false, &terms.place)), &terms.claims)?;
        Ok(view.wait.map_or(Duration::ZERO, |wait| wait.retry_after))
    }

    /// Uses one of every claim and, for a send, the next rung of the number's
    /// ladder; or nothing at all, and says how long to wait for all of them.
    pub(super) fn reserve(
        &self,
        going: Option<Going<'_>>,
        claims: Vec<Claim>,
    ) -> rusqlite::Result<Result<Hold, Wait>> {
        let view = self.look(going, &claims)?;
        // It slumps whatever becomes of this step.
        for part in &view.outlook.cooled {
            conversion::write(self.transaction, part)?;
        }
        let slumps = view.outlook.slumps;
        if let Some(wait) = view.wait {
            return Ok(Err(Wait { slumps, ..wait }));
        }
        let mut previous = Vec::with_capacity(claims.len());
        let mut spent = Vec::new();
        let mut next_at = self.now;
        for ((id, mut uses), claim) in view.uses.into_iter().zip(&claims) {
            let one = claim.used(&self.context.vault);
            previous.push(uses.take(&claim.quotas, one, self.now));
            next_at = next_at.max(self.now + uses.wait(&claim.quotas, one, self.now));
            if claim.limit == Limit::Spend {
                spent = uses.used(&claim.quotas, self.now);
            }
            self.write_uses(&id, &uses)?;
        }
        if let (Some((number, ..)), Some(before)) = (going, view.ladder) {
            let climbed = self.climbed(before, self.now);
            next_at = next_at.max(climbed.next_at);
            self.write_ladder(number, climbed)?;
        }
        Ok(Ok(Hold {
            claims,
            previous,
            taken_at: self.now,
            ladder: view.ladder,
            next_at,
            place: going.map(|(.., place)| place.clone()).unwrap_or_default(),
            slumps,
            spent,
        }))
    }

    /// How much of each of the claim's quotas is used.
    pub(super) fn used(&self, claim: &Claim) -> rusqlite::Result<Vec<u64>> {
        let mut uses = self.uses(&self.context.vault.claim_name(claim))?;
        Ok(uses.used(&claim.quotas, self.now))
    }

    /// What was claimed at these moments turns out to be other amounts.
    pub(super) fn correct(
        &self,
        claim: &Claim,
        corrections: &[(Millis, Correction)],
    ) -> rusqlite::Result<()> {
        let id = self.context.vault.claim_name(claim);
        let mut uses = self.uses(&id)?;
        for (at, amounts) in corrections {
            uses.correct(&claim.quotas, *at, amounts, self.now);
        }
        self.write_uses(&id, &uses)
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
            let one = claim.used(&self.context.vault);
            let mut uses = self.uses(&id)?;
            uses.give_back(&claim.quotas, (one, *previous), hold.taken_at, self.now);
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
