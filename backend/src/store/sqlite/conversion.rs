//! What is counted of countries and ranges of numbers.

use super::step::Step;
use crate::{
    config::ConversionRule,
    store::{
        Limit, Place, Slump, Wait,
        conversion::Judgement,
        millis::{Millis, length},
        names::shown,
        vault::Hash,
    },
};

/// What the country and the range of a number say of a send.
#[derive(Default)]
pub(super) struct Outlook {
    pub(super) slumps: Vec<Slump>,
    /// Where it is enforced.
    pub(super) waits: Vec<Wait>,
    /// Those that cool from now on, if the step is taken.
    cooled: Vec<Hash>,
}

impl Step<'_> {
    /// The rule and the two parts of a place; none where nothing is counted.
    fn parts(&self, place: &Place) -> Option<(ConversionRule, [(Limit, Hash); 2])> {
        let rule = self.context.rules.conversion?;
        let name = |part: (Limit, &str)| (part.0, self.context.vault.place_name(part));
        Some((rule, place.parts().map(name)))
    }

    /// Whether sends may go there.
    pub(super) fn outlook(&mut self, place: &Place) -> rusqlite::Result<Outlook> {
        let mut outlook = Outlook::default();
        let Some((rule, parts)) = self.parts(place) else {
            return Ok(outlook);
        };
        for (limit, id) in parts {
            let kept = self.cache.conversions.look(self.transaction, id)?;
            let (until, found) = match kept.judge(&rule, self.now) {
                Judgement::Fine => continue,
                Judgement::Cooling(until) => (until, None),
                Judgement::Slump(share) => (self.now + length(rule.cooling), Some(share)),
            };
            outlook.slumps.push(Slump {
                limit,
                name: shown(&id),
                found,
            });
            if rule.enforced {
                let wait = Wait::of(until - self.now, Some(limit));
                outlook.waits.push(wait);
            }
            if found.is_some() {
                outlook.cooled.push(id);
            }
        }
        Ok(outlook)
    }

    /// It slumps: nothing goes there for a while.
    pub(super) fn cool(&mut self, outlook: &Outlook) -> rusqlite::Result<()> {
        let Some(rule) = self.context.rules.conversion else {
            return Ok(());
        };
        for id in &outlook.cooled {
            let kept = self.cache.conversions.edit(self.transaction, *id)?;
            kept.cool(&rule, self.now);
        }
        Ok(())
    }

    /// A code went there at that moment.
    pub(super) fn count_sent(&mut self, place: &Place, at: Millis) -> rusqlite::Result<()> {
        let Some((_, parts)) = self.parts(place) else {
            return Ok(());
        };
        for (_, id) in parts {
            let kept = self.cache.conversions.edit(self.transaction, id)?;
            kept.sent(at, self.now);
        }
        Ok(())
    }

    /// The codes that went there at these moments were given back.
    pub(super) fn count_verified(
        &mut self,
        place: &Place,
        sent_at: &[Millis],
    ) -> rusqlite::Result<()> {
        let Some((_, parts)) = self.parts(place) else {
            return Ok(());
        };
        for (_, id) in parts {
            let kept = self.cache.conversions.edit(self.transaction, id)?;
            for at in sent_at {
                kept.verified(*at);
            }
        }
        Ok(())
    }
}
