//! Evaluation of a send against the conversion of its destination.

use super::{Evaluation, Loaded};
use crate::{
    Limit, LowConversion, Rows, Unreadable,
    conversion::{ConversionDecision, ConversionRow, Usual},
};

impl Evaluation<'_> {
    /// If too few codes of a country's known numbers are entered, they are not exempt:
    /// somebody verifies numbers only to become known.
    pub(super) fn judge_known(&mut self, rows: &Rows<'_>) -> Result<(), Unreadable> {
        let is_judged = self.is_known() && !self.limits.is_allowed;
        let Some(rule) = self.rules.conversion.as_ref().filter(|_| is_judged) else {
            return Ok(());
        };
        let key = &self.limits.destination.known;
        let mut loaded = Loaded::<ConversionRow>::load(rows, key)?;
        loaded.is_changed = loaded.row.clamp(self.now);
        let usual = loaded.row.usual(rule, self.now);
        self.is_spared =
            !self.is_low(&mut loaded, Limit::ConversionOfKnown, usual) || !rule.enforced;
        self.conversion.push(loaded);
        Ok(())
    }

    pub(super) fn judge_destination(&mut self, rows: &Rows<'_>) -> Result<(), Unreadable> {
        let Some(rule) = &self.rules.conversion else {
            return Ok(());
        };
        let mut usual = None;
        for (limit, key) in self.limits.destination.parts() {
            let mut loaded = Loaded::<ConversionRow>::load(rows, key)?;
            loaded.is_changed = loaded.row.clamp(self.now);
            let usual = *usual.get_or_insert_with(|| loaded.row.usual(rule, self.now));
            let before = loaded.row.clone();
            if self.is_low(&mut loaded, limit, usual) && rule.enforced {
                let until = loaded.row.tripped_until(rule, limit, self.now);
                let left = until.unwrap_or_default().0.saturating_sub(self.now.0);
                self.must_wait(left, Some(limit));
            }
            let is_tripped_now = loaded.row.trips_since(&before);
            if let (Limit::ConversionPerRange, true, Some(country)) =
                (limit, is_tripped_now, self.conversion.last_mut())
            {
                country.row.forget(&before);
                country.is_changed = true;
            }
            self.conversion.push(loaded);
        }
        Ok(())
    }

    /// Judges a destination, and trips its breaker even if this send is refused for
    /// another reason.
    fn is_low(&mut self, loaded: &mut Loaded<ConversionRow>, limit: Limit, usual: Usual) -> bool {
        let Some(rule) = &self.rules.conversion else {
            return false;
        };
        loaded.is_changed |= loaded.row.recover(rule, limit, usual, self.now);
        let tripped_by = match loaded.row.decide(rule, limit, usual, self.now) {
            ConversionDecision::Pass => return false,
            ConversionDecision::Tripped(_) => None,
            ConversionDecision::Trip(reason) => {
                loaded.row.trip(self.now);
                loaded.is_changed = true;
                Some(reason)
            }
        };
        self.low_conversion
            .push(LowConversion { limit, tripped_by });
        true
    }
}
