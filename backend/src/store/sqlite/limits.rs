//! Limits and ladders: what a step may use, uses up, and gives back.

use std::time::Duration;

use countersign_shared::PhoneNumber;

use super::{conversion::Outlook, step::Step};
use crate::store::{
    Claim, Hold, Ladder, Limit, Place, SendTerms, Wait,
    millis::{Millis, length},
    number::{Own, own},
    vault::Hash,
    window::{Correction, Uses},
};

/// How the counters stand that a step is held against.
struct View {
    ladder: Option<Ladder>,
    /// Where each claim is counted, in their order.
    names: Vec<Name>,
    outlook: Outlook,
    /// The longest of all the waits.
    wait: Option<Wait>,
}

/// Where the uses of a limit are kept.
#[derive(Clone, Copy)]
enum Name {
    /// In the row of a number.
    OfNumber(Hash, Own),
    /// In a row of their own.
    Alone(Hash),
}

/// Who is sent to, whether it may go at once whatever its ladder says, and where
/// it goes.
pub(super) type Going<'a> = (&'a PhoneNumber, bool, &'a Place);

impl Step<'_> {
    /// Whether each of the claims and, for a send, the number's ladder and the
    /// places it belongs to have room; or how long to wait for all of them.
    fn look(&mut self, going: Option<Going<'_>>, claims: &[Claim]) -> rusqlite::Result<View> {
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
        let mut names = Vec::with_capacity(claims.len());
        for claim in claims {
            let name = self.name(claim);
            let one = claim.used(&self.context.vault);
            let now = self.now;
            match self.uses(name)?.wait(&claim.quotas, one, now) {
                0 => {}
                milliseconds => must_wait(Wait::of(milliseconds, Some(claim.limit))),
            }
            names.push(name);
        }
        let mut outlook = match going {
            Some((.., place)) => self.outlook(place)?,
            None => Outlook::default(),
        };
        outlook.waits.drain(..).for_each(must_wait);
        Ok(View {
            ladder,
            names,
            outlook,
            wait: longest,
        })
    }

    /// How long until such a step would pass.
    pub(super) fn wait(
        &mut self,
        recipient: &PhoneNumber,
        terms: &SendTerms,
    ) -> rusqlite::Result<Duration> {
        let view = self.look(Some((recipient, false, &terms.place)), &terms.claims)?;
        Ok(view.wait.map_or(Duration::ZERO, |wait| wait.retry_after))
    }

    /// Uses one of every claim and, for a send, the next rung of the number's
    /// ladder; or nothing at all, and says how long to wait for all of them.
    pub(super) fn reserve(
        &mut self,
        going: Option<Going<'_>>,
        claims: Vec<Claim>,
    ) -> rusqlite::Result<Result<Hold, Wait>> {
        let view = self.look(going, &claims)?;
        // It slumps whatever becomes of this step.
        self.cool(&view.outlook)?;
        let slumps = view.outlook.slumps;
        if let Some(wait) = view.wait {
            return Ok(Err(Wait { slumps, ..wait }));
        }
        let mut previous = Vec::with_capacity(claims.len());
        let mut spent = Vec::new();
        let now = self.now;
        let mut next_at = now;
        for (name, claim) in view.names.into_iter().zip(&claims) {
            let one = claim.used(&self.context.vault);
            let uses = self.edit_uses(name)?;
            previous.push(uses.take(&claim.quotas, one, now));
            next_at = next_at.max(now + uses.wait(&claim.quotas, one, now));
            if claim.limit == Limit::Spend {
                spent = uses.used(&claim.quotas, now);
            }
        }
        if let (Some((number, ..)), Some(before)) = (going, view.ladder) {
            let climbed = self.climbed(before, now);
            next_at = next_at.max(climbed.next_at);
            self.write_ladder(number, climbed)?;
        }
        Ok(Ok(Hold {
            claims,
            previous,
            taken_at: now,
            ladder: view.ladder,
            next_at,
            place: going.map(|(.., place)| place.clone()).unwrap_or_default(),
            slumps,
            spent,
        }))
    }

    /// How much of each of the claim's quotas is used.
    pub(super) fn used(&mut self, claim: &Claim) -> rusqlite::Result<Vec<u64>> {
        let now = self.now;
        let uses = self.uses(self.name(claim))?;
        Ok(uses.used(&claim.quotas, now))
    }

    /// What was claimed at these moments turns out to be other amounts.
    pub(super) fn correct(
        &mut self,
        claim: &Claim,
        corrections: &[(Millis, Correction)],
    ) -> rusqlite::Result<()> {
        let now = self.now;
        let uses = self.edit_uses(self.name(claim))?;
        for (at, amounts) in corrections {
            uses.correct(&claim.quotas, *at, amounts, now);
        }
        Ok(())
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
        &mut self,
        recipient: Option<&PhoneNumber>,
        hold: &Hold,
        which: impl Fn(Limit) -> bool,
    ) -> rusqlite::Result<()> {
        let now = self.now;
        for (claim, previous) in hold.claims.iter().zip(&hold.previous) {
            if !which(claim.limit) {
                continue;
            }
            let one = claim.used(&self.context.vault);
            let uses = self.edit_uses(self.name(claim))?;
            uses.give_back(&claim.quotas, (one, *previous), hold.taken_at, now);
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
    fn ladder(&mut self, number: &PhoneNumber) -> rusqlite::Result<Ladder> {
        let name = self.context.vault.number_name(number.as_str());
        let kept = self.cache.numbers.look(self.transaction, name)?;
        Ok(kept.ladder(self.now))
    }

    /// A ladder is forgotten when no session of its last send lives any more.
    pub(super) fn write_ladder(
        &mut self,
        number: &PhoneNumber,
        ladder: Ladder,
    ) -> rusqlite::Result<()> {
        let name = self.context.vault.number_name(number.as_str());
        let lives = self.now + length(self.context.rules.session_lifetime);
        let kept = self.cache.numbers.edit(self.transaction, name)?;
        kept.set_ladder(ladder, lives.max(ladder.next_at));
        Ok(())
    }

    fn name(&self, claim: &Claim) -> Name {
        let vault = &self.context.vault;
        match own(claim.limit) {
            Some(limit) => Name::OfNumber(vault.number_name(&claim.subject), limit),
            None => Name::Alone(vault.claim_name(claim)),
        }
    }

    /// To be looked at; what is only tidied need not be written.
    fn uses(&mut self, name: Name) -> rusqlite::Result<&mut Uses> {
        match name {
            Name::OfNumber(id, limit) => {
                let number = self.cache.numbers.look(self.transaction, id)?;
                Ok(number.uses(limit))
            }
            Name::Alone(id) => self.cache.uses.look(self.transaction, id),
        }
    }

    fn edit_uses(&mut self, name: Name) -> rusqlite::Result<&mut Uses> {
        match name {
            Name::OfNumber(id, limit) => {
                let number = self.cache.numbers.edit(self.transaction, id)?;
                Ok(number.uses(limit))
            }
            Name::Alone(id) => self.cache.uses.edit(self.transaction, id),
        }
    }
}
