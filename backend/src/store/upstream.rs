//! What is known of the attempts of one of Plivo's sessions, wherever it was
//! learned.

use countersign_shared::{
    Channel,
    session::{AttemptReason, AttemptStatus},
};

use super::record::Unreadable;
use crate::attempt::{Noted, UpstreamAttempt};

/// The attempts of one of Plivo's sessions, and whose turn it is to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Oldest first.
    pub attempts: Vec<UpstreamAttempt>,
    /// True for one caller each time: he asks Plivo.
    pub is_turn: bool,
}

/// More attempts than any session has.
const MOST: usize = 64;

/// A status never moves back: callbacks come in any order, and again.
const fn rank(status: AttemptStatus) -> u8 {
    match status {
        AttemptStatus::Queued | AttemptStatus::Unknown => 0,
        AttemptStatus::Sent => 1,
        // It may still arrive after Plivo gave it up.
        AttemptStatus::Undelivered => 2,
        AttemptStatus::Delivered => 3,
    }
}

/// Adds what was learned, and answers by which channels one has arrived now.
pub(super) fn merge(attempts: &mut Vec<UpstreamAttempt>, noted: &[Noted]) -> Vec<Channel> {
    let mut arrived = Vec::new();
    for (place, learned) in noted.iter().filter(|(place, _)| *place < MOST) {
        while attempts.len() <= *place {
            attempts.push(UpstreamAttempt {
                channel: learned.channel,
                status: AttemptStatus::Queued,
                reason: None,
            });
        }
        let known = &mut attempts[*place];
        known.channel = learned.channel;
        if rank(learned.status) > rank(known.status) {
            known.status = learned.status;
            if known.status == AttemptStatus::Delivered {
                arrived.push(known.channel);
            }
        }
        known.reason = match known.status {
            AttemptStatus::Undelivered => known.reason.or(learned.reason),
            _ => None,
        };
    }
    arrived
}

/// As it is kept: `sms 3 -;voice 2 unreachable`.
pub(super) fn to_text(attempts: &[UpstreamAttempt]) -> String {
    let words: Vec<String> = attempts
        .iter()
        .map(|attempt| {
            let reason = attempt.reason.map_or("-", AttemptReason::as_str);
            format!("{} {} {reason}", attempt.channel, rank(attempt.status))
        })
        .collect();
    words.join(";")
}

/// As scripts read it: place, channel, rank, reason.
pub(super) fn to_json(noted: &[Noted]) -> serde_json::Value {
    let noted = noted.iter().filter(|(place, _)| *place < MOST);
    noted
        .map(|(place, attempt)| {
            let reason = attempt.reason.map_or("-", AttemptReason::as_str);
            serde_json::json!([place, attempt.channel, rank(attempt.status), reason])
        })
        .collect()
}

pub(super) fn from_text(text: &str) -> Result<Vec<UpstreamAttempt>, Unreadable> {
    let attempts = text.split(';').filter(|attempt| !attempt.is_empty());
    attempts
        .map(|attempt| read(attempt).ok_or(Unreadable))
        .collect()
}

fn read(text: &str) -> Option<UpstreamAttempt> {
    let mut words = text.split(' ');
    Some(UpstreamAttempt {
        channel: Channel::parse(words.next()?)?,
        status: match words.next()? {
            "0" => AttemptStatus::Queued,
            "1" => AttemptStatus::Sent,
            "2" => AttemptStatus::Undelivered,
            "3" => AttemptStatus::Delivered,
            _ => return None,
        },
        reason: match words.next()? {
            "-" => None,
            name => Some(AttemptReason::parse(name)?),
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn statuses() -> impl Strategy<Value = AttemptStatus> {
        prop_oneof![
            Just(AttemptStatus::Queued),
            Just(AttemptStatus::Sent),
            Just(AttemptStatus::Delivered),
            Just(AttemptStatus::Undelivered),
        ]
    }

    fn noted() -> impl Strategy<Value = Vec<Noted>> {
        let one = (0..3_usize, statuses()).prop_map(|(place, status)| {
            let attempt = UpstreamAttempt {
                channel: Channel::Sms,
                status,
                reason: (status == AttemptStatus::Undelivered)
                    .then_some(AttemptReason::Unreachable),
            };
            (place, attempt)
        });
        prop::collection::vec(one, 0..20)
    }

    proptest! {
        /// Whatever the order, however often: the same in the end.
        #[test]
        fn order_and_repeats_change_nothing(noted in noted(), seed in any::<u64>()) {
            let mut shuffled: Vec<Noted> = noted.iter().chain(&noted).copied().collect();
            let length = shuffled.len() as u64;
            for index in 0..length {
                let other = seed.wrapping_mul(index + 7) % length.max(1);
                let (a, b) = (usize::try_from(index).unwrap(), usize::try_from(other).unwrap());
                shuffled.swap(a, b);
            }
            let (mut one, mut other) = (Vec::new(), Vec::new());
            let arrived = merge(&mut one, &noted).len();
            let again: usize = shuffled
                .into_iter()
                .map(|learned| merge(&mut other, &[learned]).len())
                .sum();
            let delivered = one.iter().filter(|it| it.status == AttemptStatus::Delivered);
            prop_assert_eq!((arrived, again), (delivered.clone().count(), arrived));
            prop_assert_eq!(&one, &other);
            prop_assert_eq!(from_text(&to_text(&one)).unwrap(), one);
        }
    }
}
