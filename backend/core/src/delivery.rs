//! Delivery of codes: deliveries as we requested them, attempts as Plivo reports them.

use countersign_shared::{
    Channel,
    session::{AttemptReason, AttemptStatus},
};
use serde::{Deserialize, Serialize};

use crate::Millis;

/// The most attempts kept of one of Plivo's sessions, more than any has.
pub const MAX_ATTEMPTS: usize = 64;

/// One delivery of a session's code, as it was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The channel.
    pub channel: Channel,
    /// When it was reserved.
    pub requested_at: Millis,
    /// Its expected price in millionths of a dollar; `None` once it was replaced by
    /// Plivo's charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// Whether it went to a known number, whose conversion says nothing about unknown
    /// ones.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_known: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
}

/// One attempt of Plivo's to deliver a code, in our terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamAttempt {
    /// The channel.
    pub channel: Channel,
    /// Its delivery status.
    pub status: AttemptStatus,
    /// Why it was not delivered, if Plivo says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<AttemptReason>,
}

/// An update on one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptUpdate {
    /// Its index among all attempts of one of Plivo's sessions, from 0.
    pub index: usize,
    /// Its current state.
    pub attempt: UpstreamAttempt,
}

/// An attempt whose status has advanced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptChange {
    /// Its index, as in [`AttemptUpdate`].
    pub index: usize,
    /// The channel.
    pub channel: Channel,
    /// Its delivery status.
    pub status: AttemptStatus,
}

/// A delivery whose status has advanced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryChange {
    /// The channel.
    pub channel: Channel,
    /// Its delivery status.
    pub status: AttemptStatus,
    /// The id of the request that asked for it, if it was recorded.
    pub request_id: Option<String>,
}

/// The order of statuses. A status never moves back: callbacks arrive in any order, and
/// repeatedly.
const fn rank(status: AttemptStatus) -> u8 {
    match status {
        AttemptStatus::Queued | AttemptStatus::Unknown => 0,
        AttemptStatus::Sent => 1,
        // It may still be delivered after Plivo gave up.
        AttemptStatus::Undelivered => 2,
        AttemptStatus::Delivered => 3,
    }
}

/// Merges updates, and returns the attempts whose status advanced. The result is the same
/// in whatever order and however often updates arrive, and each change is returned once.
pub fn merge(attempts: &mut Vec<UpstreamAttempt>, updates: &[AttemptUpdate]) -> Vec<AttemptChange> {
    let mut changes = Vec::new();
    for update in updates.iter().filter(|it| it.index < MAX_ATTEMPTS) {
        let learned = update.attempt;
        while attempts.len() <= update.index {
            attempts.push(UpstreamAttempt {
                channel: learned.channel,
                status: AttemptStatus::Queued,
                reason: None,
            });
        }
        let known = &mut attempts[update.index];
        known.channel = learned.channel;
        if rank(learned.status) > rank(known.status) {
            known.status = learned.status;
            changes.push(AttemptChange {
                index: update.index,
                channel: known.channel,
                status: known.status,
            });
        }
        known.reason = match known.status {
            AttemptStatus::Undelivered => known.reason.or(learned.reason),
            _ => None,
        };
    }
    changes
}

/// The status of each delivery. Plivo's session may hold attempts of other sessions of
/// the same number, before ours and between them, so they are matched by channel, newest
/// first.
pub fn match_attempts(
    deliveries: &[Delivery],
    upstream: &[UpstreamAttempt],
) -> Vec<UpstreamAttempt> {
    let mut upstream = upstream.iter().rev();
    let mut attempts: Vec<_> = deliveries
        .iter()
        .rev()
        .map(|delivery| {
            let attempt = upstream.find(|attempt| attempt.channel == delivery.channel);
            attempt.copied().unwrap_or(UpstreamAttempt {
                channel: delivery.channel,
                status: AttemptStatus::Queued,
                reason: None,
            })
        })
        .collect();
    attempts.reverse();
    attempts
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

    /// Each attempt has one channel, and one reason if it failed.
    fn updates() -> impl Strategy<Value = Vec<AttemptUpdate>> {
        let one = (0..3_usize, statuses()).prop_map(|(index, status)| AttemptUpdate {
            index,
            attempt: UpstreamAttempt {
                channel: Channel::ALL[index],
                status,
                reason: (status == AttemptStatus::Undelivered)
                    .then_some(AttemptReason::Unreachable),
            },
        });
        prop::collection::vec(one, 0..20)
    }

    proptest! {
        /// Whatever the order and however often updates arrive: the result is the same,
        /// and each arrival is reported once.
        #[test]
        fn order_and_repeats_change_nothing(
            (updates, shuffled) in updates().prop_flat_map(|updates| {
                let twice = [updates.clone(), updates.clone()].concat();
                (Just(updates), Just(twice).prop_shuffle())
            }),
        ) {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            let arrivals = |changes: Vec<AttemptChange>| {
                let arrived = |it: &&AttemptChange| it.status == AttemptStatus::Delivered;
                changes.iter().filter(arrived).count()
            };
            let arrived = arrivals(merge(&mut one, &updates));
            let again = shuffled.iter().map(|it| arrivals(merge(&mut other, &[*it])));
            let again: usize = again.sum();
            let delivered = one.iter().filter(|it| it.status == AttemptStatus::Delivered);
            prop_assert_eq!((arrived, again), (delivered.clone().count(), arrived));
            // An attempt in between without an update has the channel of the update that
            // came first; every attempt with one is the same.
            for index in updates.iter().map(|it| it.index) {
                prop_assert_eq!(one[index], other[index]);
            }
            prop_assert_eq!(one.len(), other.len());
        }
    }

    #[test]
    fn an_index_out_of_range_is_ignored() {
        let mut attempts = Vec::new();
        let attempt = UpstreamAttempt {
            channel: Channel::Sms,
            status: AttemptStatus::Delivered,
            reason: None,
        };
        let update = |index| AttemptUpdate { index, attempt };
        assert!(merge(&mut attempts, &[update(MAX_ATTEMPTS), update(usize::MAX)]).is_empty());
        assert!(attempts.is_empty());
        assert_eq!(merge(&mut attempts, &[update(MAX_ATTEMPTS - 1)]).len(), 1);
        assert_eq!(attempts.len(), MAX_ATTEMPTS);
    }

    #[test]
    fn deliveries_are_matched_by_channel_newest_first() {
        use AttemptStatus::{Delivered, Queued, Sent, Undelivered};
        use Channel::{Sms, Voice};
        let delivery = |channel| Delivery {
            channel,
            requested_at: Millis(0),
            expected: None,
            is_known: false,
        };
        let attempt = |channel, status| UpstreamAttempt {
            channel,
            status,
            reason: None,
        };
        let upstream = [
            attempt(Sms, Delivered),
            attempt(Sms, Undelivered),
            attempt(Voice, Sent),
        ];
        let matched = |channels: &[Channel]| -> Vec<AttemptStatus> {
            let deliveries: Vec<_> = channels.iter().copied().map(delivery).collect();
            let matched = match_attempts(&deliveries, &upstream);
            matched.iter().map(|it| it.status).collect()
        };
        assert_eq!(matched(&[Sms, Voice]), [Undelivered, Sent]);
        assert_eq!(matched(&[Sms, Sms]), [Delivered, Undelivered]);
        assert_eq!(matched(&[Voice, Sms]), [Queued, Undelivered]);
    }
}
