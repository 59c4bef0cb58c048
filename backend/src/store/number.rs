//! What is counted of one number: when it may be sent to again, and what it has
//! used of the limits that are its own.

use super::{Ladder, Limit, millis::Millis, window::Uses};

/// The limits of one number, in the order they are kept in.
const LIMITS: [Limit; 3] = [
    Limit::SendsPerNumber,
    Limit::VoicePerNumber,
    Limit::WrongChecksPerNumber,
];

/// Which of its own limits one is; none where it is not a number's.
pub(super) fn own(limit: Limit) -> Option<Own> {
    LIMITS.iter().position(|known| *known == limit).map(Own)
}

/// A limit of one number.
#[derive(Clone, Copy)]
pub(super) struct Own(usize);

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Number {
    ladder: Ladder,
    /// When the ladder is forgotten.
    forget_at: Millis,
    uses: [Uses; LIMITS.len()],
}

impl Number {
    /// How often it was sent to lately.
    pub(super) fn ladder(&self, now: Millis) -> Ladder {
        if self.forget_at > now {
            self.ladder
        } else {
            Ladder::default()
        }
    }

    /// Moves the ladder, until that moment.
    pub(super) fn set_ladder(&mut self, ladder: Ladder, forget_at: Millis) {
        self.ladder = ladder;
        self.forget_at = forget_at;
    }

    /// What it has used of one of its own limits.
    pub(super) fn uses(&mut self, limit: Own) -> &mut Uses {
        &mut self.uses[limit.0]
    }

    /// When none of it counts any more.
    pub(super) fn over_at(&self) -> Millis {
        let ends = self.uses.iter().map(Uses::over_at);
        ends.max().unwrap_or_default().max(self.forget_at)
    }

    /// As it is kept.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(160);
        bytes.extend(self.ladder.sends.to_le_bytes());
        bytes.extend(self.ladder.next_at.to_le_bytes());
        bytes.extend(self.forget_at.to_le_bytes());
        for uses in &self.uses {
            let uses = uses.to_bytes();
            let length = u32::try_from(uses.len()).expect("a window is short");
            bytes.extend(length.to_le_bytes());
            bytes.extend(uses);
        }
        bytes
    }

    /// What was kept; nothing when it is damaged.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (sends, bytes) = bytes.split_first_chunk()?;
        let (next_at, bytes) = bytes.split_first_chunk()?;
        let (forget_at, mut bytes) = bytes.split_first_chunk()?;
        let mut number = Self {
            ladder: Ladder {
                sends: u32::from_le_bytes(*sends),
                next_at: Millis::from_le_bytes(*next_at),
            },
            forget_at: Millis::from_le_bytes(*forget_at),
            uses: Default::default(),
        };
        for uses in &mut number.uses {
            let (length, rest) = bytes.split_first_chunk()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (kept, rest) = rest.split_at_checked(length)?;
            *uses = Uses::from_bytes(kept)?;
            bytes = rest;
        }
        bytes.is_empty().then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{config::Quota, store::window::Used};

    #[test]
    fn what_is_kept_is_read_back_and_half_of_it_is_not() {
        let quotas = [Quota {
            count: 3.try_into().unwrap(),
            per: Duration::from_mins(1),
        }];
        let mut number = Number::default();
        let ladder = Ladder {
            sends: 2,
            next_at: 70_000,
        };
        number.set_ladder(ladder, 600_000);
        for (limit, times) in LIMITS.into_iter().zip([1, 0, 2]) {
            for at in 0..times {
                let uses = number.uses(own(limit).unwrap());
                uses.take(&quotas, Used::Amount(1), 1_000 + at);
            }
        }
        let bytes = number.to_bytes();
        assert_eq!(Number::from_bytes(&bytes).unwrap(), number);
        assert_eq!(number.over_at(), 600_000);
        assert_eq!(number.ladder(599_999), ladder);
        assert_eq!(number.ladder(600_000), Ladder::default());
        for length in 0..bytes.len() {
            assert_eq!(Number::from_bytes(&bytes[..length]), None);
        }
        assert!(own(Limit::SendsTotal).is_none());
    }
}
