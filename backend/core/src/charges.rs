//! Plivo's charges for its sessions, booked once however often they are reported.
//!
//! A charge never decreases, and zero is no charge: Plivo's payload has zeros before it
//! has prices. Each of Plivo's attempts settles one delivery of ours on the same channel,
//! which was booked at its expected price: from then on the charge counts instead, at the
//! time of the delivery.

use countersign_shared::Channel;
use serde::{Deserialize, Serialize};

use crate::{Delivery, MicroDollars, Millis, delivery::MAX_ATTEMPTS};

/// Plivo's charges for one of its sessions, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charges {
    /// The charge of each attempt, oldest first; zero if there is no price yet.
    pub attempts: Vec<(Channel, MicroDollars)>,
    /// The charge for checking the code.
    pub validation: MicroDollars,
}

/// A charge that was not known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charged {
    /// The channel of the code; `None` for a check.
    pub channel: Option<Channel>,
    /// The increase since the last report.
    pub amount: MicroDollars,
}

/// The charge of one of Plivo's attempts in millionths of a dollar, and when the delivery
/// that it settled was requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct AttemptCharge(u64, Option<Millis>);

/// The charges booked for one of Plivo's sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChargeBook {
    validation: u64,
    attempts: Vec<AttemptCharge>,
}

/// A correction of a booked amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Correction {
    /// The time it is booked at.
    pub(crate) at: Millis,
    /// The booked amount.
    pub(crate) before: u64,
    /// The corrected amount.
    pub(crate) after: u64,
}

/// The result of booking a report.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Booking {
    pub(crate) charged: Vec<Charged>,
    pub(crate) corrections: Vec<Correction>,
    /// Whether a delivery was settled, even if the charge is what was expected.
    has_settled: bool,
}

impl ChargeBook {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Books what is new, and settles deliveries, newest first, as attempts are matched
    /// everywhere.
    pub(crate) fn enter(&mut self, deliveries: &mut [Delivery], charges: &Charges) -> Booking {
        let mut booking = Booking::default();
        let told = charges.attempts.iter().take(MAX_ATTEMPTS);
        for (index, (channel, charge)) in told.clone().enumerate() {
            if self.attempts.len() <= index {
                self.attempts.push(AttemptCharge::default());
            }
            let attempt = &mut self.attempts[index];
            let (before, after) = (attempt.0, charge.0);
            if after > before {
                attempt.0 = after;
                booking.charge(Some(*channel), after - before);
                if let Some(at) = attempt.1 {
                    booking.correct(at, before, after);
                }
            }
        }
        for delivery in deliveries.iter_mut().rev() {
            let Some(expected) = delivery.expected else {
                continue;
            };
            let mut told = told.clone().zip(&mut self.attempts).rev();
            let settles = told.find(|((channel, _), attempt)| {
                *channel == delivery.channel && attempt.0 > 0 && attempt.1.is_none()
            });
            if let Some((_, attempt)) = settles {
                attempt.1 = Some(delivery.requested_at);
                delivery.expected = None;
                booking.has_settled = true;
                booking.correct(delivery.requested_at, expected, attempt.0);
            }
        }
        let (before, after) = (self.validation, charges.validation.0);
        if after > before {
            self.validation = after;
            booking.charge(None, after - before);
            if let Some(last) = deliveries.last() {
                booking.correct(last.requested_at, before, after);
            }
        }
        booking
    }
}

impl Booking {
    /// Whether the report held nothing new.
    pub(crate) fn is_nothing(&self) -> bool {
        self.charged.is_empty() && !self.has_settled
    }

    fn charge(&mut self, channel: Option<Channel>, amount: u64) {
        self.charged.push(Charged {
            channel,
            amount: MicroDollars(amount),
        });
    }

    fn correct(&mut self, at: Millis, before: u64, after: u64) {
        if before != after {
            self.corrections.push(Correction { at, before, after });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn channels() -> impl Strategy<Value = Channel> {
        prop_oneof![Just(Channel::Sms), Just(Channel::Voice)]
    }

    proptest! {
        /// Whatever is reported, in whichever order and however often: each charge is
        /// booked once, and every delivery ends up at the amount charged for it.
        #[test]
        fn each_charge_is_booked_once(
            sent in prop::collection::vec((channels(), 1..50_000_u64), 1..6),
            told in prop::collection::vec((1..7_usize, any::<bool>()), 1..20),
        ) {
            let attempts: Vec<_> = sent.iter().map(|(channel, charge)| (*channel, MicroDollars(*charge))).collect();
            let all = Charges { attempts, validation: MicroDollars(50_000) };
            let mut deliveries: Vec<Delivery> = (1..)
                .map(Millis)
                .zip(&sent)
                .map(|(requested_at, (channel, _))| Delivery { channel: *channel, requested_at, expected: Some(9_000), is_known: false })
                .collect();
            let (mut book, mut bookings) = (ChargeBook::default(), Vec::new());
            let part = |length: usize, zeros: bool| Charges {
                attempts: all
                    .attempts
                    .iter()
                    .take(length)
                    .map(|(channel, charge)| (*channel, if zeros { MicroDollars(0) } else { *charge }))
                    .collect(),
                validation: MicroDollars(0),
            };
            for (length, zeros) in told {
                let known = length.min(deliveries.len());
                bookings.push(book.enter(&mut deliveries[..known], &part(length, zeros)));
            }
            bookings.push(book.enter(&mut deliveries, &all));
            prop_assert_eq!(book.enter(&mut deliveries, &all), Booking::default());
            let charged: u64 = bookings.iter().flat_map(|it| &it.charged).map(|it| it.amount.0).sum();
            let bill: u64 = sent.iter().map(|(_, charge)| charge).sum::<u64>() + 50_000;
            prop_assert_eq!(charged, bill);
            let corrections = bookings.iter().flat_map(|it| &it.corrections);
            let (before, after) = corrections.fold((0, 0), |(before, after), it| {
                (before + it.before, after + it.after)
            });
            prop_assert_eq!(9_000 * sent.len() as u64 + after - before, bill);
            prop_assert!(deliveries.iter().all(|delivery| delivery.expected.is_none()));
        }
    }
}
