//! How many of the codes sent to a place are given back, and when too few are.
//!
//! A place is a country or a range of numbers. Its sends of the last hour are
//! counted in stretches of two minutes, each with how many of them ended
//! verified. A stretch counts in full once its newest send is older than the
//! grace; until then its verified sends count and those still open do not. So a
//! send can be late, but it never counts as failed while it is young.
//!
//! Where the share is below the floor the place cools: what was counted is
//! forgotten, and what is sent meanwhile is not counted. After that the place has
//! to fail anew.

use super::{
    Share,
    millis::{Millis, length},
};
use crate::config::ConversionRule;

/// How far back a place is looked at.
const WINDOW: Millis = 3_600_000;
/// How much of it is counted together.
const STRETCH: Millis = WINDOW / 30;

/// The sends of one stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    /// When the newest of them was.
    at: Millis,
    sends: u32,
    /// How many of them ended verified.
    verified: u32,
}

/// What is known of one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conversion {
    cooling_until: Millis,
    /// Oldest first.
    marks: Vec<Mark>,
}

/// How a place stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Sends may go there.
    Fine,
    /// Not before that.
    Cooling(Millis),
    /// From now on not: so few of so many were given back.
    Slump(Share),
}

impl Conversion {
    /// Looks at the last hour.
    pub(super) fn judge(&self, rule: &ConversionRule, now: Millis) -> Judgement {
        if self.cooling_until > now {
            return Judgement::Cooling(self.cooling_until);
        }
        let (mut sends, mut verified) = (0, 0);
        for mark in self.marks.iter().filter(|mark| mark.at + WINDOW > now) {
            verified += mark.verified;
            sends += if mark.at + length(rule.grace) <= now {
                mark.sends
            } else {
                mark.verified
            };
        }
        let is_low = u64::from(verified) * 100 < u64::from(sends) * u64::from(rule.floor);
        if sends >= rule.least.get() && is_low {
            Judgement::Slump(Share { sends, verified })
        } else {
            Judgement::Fine
        }
    }

    /// Stops sends there for a while.
    pub(super) fn cool(&mut self, rule: &ConversionRule, now: Millis) {
        self.cooling_until = now + length(rule.cooling);
        self.marks.clear();
    }

    /// A code went there at that moment.
    pub(super) fn sent(&mut self, at: Millis, now: Millis) {
        if self.cooling_until > now {
            return;
        }
        self.marks.retain(|mark| mark.at + WINDOW > now);
        let place = self
            .marks
            .partition_point(|mark| mark.at / STRETCH < at / STRETCH);
        match self.marks.get_mut(place) {
            Some(mark) if mark.at / STRETCH == at / STRETCH => {
                mark.at = mark.at.max(at);
                mark.sends += 1;
            }
            _ => self.marks.insert(
                place,
                Mark {
                    at,
                    sends: 1,
                    verified: 0,
                },
            ),
        }
    }

    /// The code that went there at that moment was given back.
    pub(super) fn verified(&mut self, at: Millis) {
        let mut marks = self.marks.iter_mut();
        if let Some(mark) = marks.find(|mark| mark.at / STRETCH == at / STRETCH) {
            mark.verified = (mark.verified + 1).min(mark.sends);
        }
    }

    /// When none of it counts any more.
    pub(super) fn over_at(&self) -> Millis {
        let last = self.marks.last().map_or(0, |mark| mark.at + WINDOW);
        last.max(self.cooling_until)
    }

    /// As it is kept.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.cooling_until.to_le_bytes().to_vec();
        for mark in &self.marks {
            bytes.extend(mark.at.to_le_bytes());
            bytes.extend(mark.sends.to_le_bytes());
            bytes.extend(mark.verified.to_le_bytes());
        }
        bytes
    }

    /// What was kept; nothing when it is damaged.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (until, rest) = bytes.split_first_chunk::<8>()?;
        let (kept, []) = rest.as_chunks::<16>() else {
            return None;
        };
        let marks = kept.iter().map(|kept| {
            let (at, counts) = kept.split_first_chunk::<8>()?;
            let (sends, verified) = counts.split_first_chunk::<4>()?;
            Some(Mark {
                at: u64::from_le_bytes(*at),
                sends: u32::from_le_bytes(*sends),
                verified: u32::from_le_bytes(verified.try_into().ok()?),
            })
        });
        Some(Self {
            cooling_until: u64::from_le_bytes(*until),
            marks: marks.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn rule() -> ConversionRule {
        ConversionRule {
            floor: 20,
            least: 30.try_into().unwrap(),
            grace: Duration::from_mins(3),
            cooling: Duration::from_mins(30),
            enforced: true,
        }
    }

    const START: Millis = 1_000 * WINDOW;

    /// One person who asks for a code so long after the one before, and gives it
    /// back so long after that, or never.
    type Person = (Millis, Option<Millis>);

    /// Lets them come in turn, and says when one would have been stopped.
    fn stopped(people: &[Person]) -> Option<Millis> {
        let (mut place, mut now) = (Conversion::default(), START);
        let mut answers: Vec<(Millis, Millis)> = Vec::new();
        for (wait, answer) in people {
            now += wait;
            answers.retain(|(due, at)| {
                let is_due = *due <= now;
                if is_due {
                    place.verified(*at);
                }
                !is_due
            });
            if place.judge(&rule(), now) != Judgement::Fine {
                return Some(now);
            }
            place.sent(now, now);
            answers.extend(answer.map(|after| (now + after, now)));
        }
        None
    }

    /// Waits from none at all to a quarter of an hour.
    fn waits() -> impl Strategy<Value = Millis> {
        prop_oneof![2 => Just(0), 4 => 1..20_000_u64, 1 => 1..900_000_u64]
    }

    /// Four people of whom one gives the code back within the grace; so may the
    /// others, or much later, or not at all.
    fn honest() -> impl Strategy<Value = Vec<Person>> {
        let answer = || prop_oneof![Just(None), (0..1_200_000_u64).prop_map(Some)];
        let other = move || (waits(), answer());
        let four = (
            (waits(), 0..=180_000_u64),
            [other(), other(), other()],
            0..4_usize,
        );
        let four = four.prop_map(|((wait, after), others, place)| {
            let mut four = others.to_vec();
            four.insert(place.min(3), (wait, Some(after)));
            four
        });
        prop::collection::vec(four, 1..150).prop_map(|fours| fours.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// One in four within the grace is enough, whenever they come and whatever
        /// the others do.
        #[test]
        fn honest_traffic_is_never_stopped(people in honest()) {
            prop_assert_eq!(stopped(&people), None);
        }

        /// Nobody gives one back: what comes once thirty are older than the grace
        /// is stopped, and nothing before.
        #[test]
        fn a_pump_is_stopped(waits in prop::collection::vec(0..5_000_u64, 30..400)) {
            let people: Vec<Person> = waits.iter().map(|wait| (*wait, None)).collect();
            let moments: Vec<Millis> = waits
                .iter()
                .scan(START, |now, wait| {
                    *now += wait;
                    Some(*now)
                })
                .collect();
            let end = moments[moments.len() - 1];
            let known_at = moments[29] + 180_000;
            match stopped(&people) {
                Some(at) => prop_assert!(at >= known_at),
                // A stretch counts once all of it is old enough.
                None => prop_assert!(end < known_at + STRETCH),
            }
        }

        #[test]
        fn what_is_kept_is_read_back(people in honest()) {
            let (mut place, mut now) = (Conversion::default(), START);
            for (wait, answer) in people {
                now += wait;
                place.sent(now, now);
                if answer.is_some() {
                    place.verified(now);
                }
            }
            let bytes = place.to_bytes();
            prop_assert!(bytes.len() <= 8 + 32 * 16);
            prop_assert_eq!(Conversion::from_bytes(&bytes), Some(place));
        }
    }

    #[test]
    fn a_young_send_does_not_count_as_failed() {
        let mut place = Conversion::default();
        for _ in 0..40 {
            place.sent(START, START);
        }
        assert_eq!(place.judge(&rule(), START + 179_999), Judgement::Fine);
        let slump = |verified| {
            Judgement::Slump(Share {
                sends: 40,
                verified,
            })
        };
        assert_eq!(place.judge(&rule(), START + 180_000), slump(0));
        for _ in 0..7 {
            place.verified(START);
        }
        assert_eq!(place.judge(&rule(), START + 180_000), slump(7));
        place.verified(START);
        assert_eq!(place.judge(&rule(), START + 180_000), Judgement::Fine);
    }

    #[test]
    fn a_place_that_cooled_has_to_fail_anew() {
        let mut place = Conversion::default();
        for _ in 0..40 {
            place.sent(START, START);
        }
        let now = START + 180_000;
        place.cool(&rule(), now);
        assert_eq!(
            place.judge(&rule(), now + 1),
            Judgement::Cooling(now + 1_800_000)
        );
        // What is sent meanwhile is not counted.
        place.sent(now + 1, now + 1);
        let after = now + 1_800_000;
        assert_eq!(place.judge(&rule(), after), Judgement::Fine);
        for _ in 0..29 {
            place.sent(after, after);
        }
        assert_eq!(place.judge(&rule(), after + 180_000), Judgement::Fine);
        place.sent(after, after);
        assert!(matches!(
            place.judge(&rule(), after + 180_000),
            Judgement::Slump(Share { sends: 30, .. })
        ));
        // An hour later nothing of it counts.
        assert_eq!(place.judge(&rule(), after + WINDOW), Judgement::Fine);
    }

    #[test]
    fn damaged_bytes_are_not_read() {
        for bytes in [&[1_u8, 2, 3][..], &[0; 9], &[0; 23]] {
            assert_eq!(Conversion::from_bytes(bytes), None);
        }
    }
}
