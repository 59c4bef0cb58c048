//! What Plivo charged for its sessions, booked once however often it is told.
//!
//! A charge never becomes less, and nothing is no charge: Plivo's payload has
//! zeros before it has prices. Each of Plivo's attempts settles one delivery of
//! ours, of the same channel, which had its expected price booked: from then on
//! that moment counts with what was charged.

use countersign_shared::Channel;

use super::{millis::Millis, record::Unreadable, window::Correction};
use crate::{attempt::Charges, money::MicroDollars};

/// More attempts than any session has.
const MOST: usize = 64;

/// What was charged that was not known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charged {
    /// For a code by this channel; none for the check of one.
    pub channel: Option<Channel>,
    /// So much more.
    pub amount: MicroDollars,
}

/// An attempt of Plivo's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Attempt {
    charge: u64,
    /// When the delivery was asked for that it settled; 0 for none yet.
    settles: Millis,
}

/// What is known of the charges of one of Plivo's sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Book {
    validation: u64,
    attempts: Vec<Attempt>,
}

/// A delivery of ours, and what it was booked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Booked {
    pub(super) channel: Channel,
    pub(super) at: Millis,
    /// None once it is settled.
    pub(super) expected: Option<u64>,
}

/// What follows from what Plivo told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Booking {
    pub(super) charged: Vec<Charged>,
    /// Each with the moment that it is about.
    pub(super) corrections: Vec<(Millis, Correction)>,
    /// Whether a delivery was settled, be it with what was expected.
    has_settled: bool,
}

impl Book {
    /// Books what is new, and settles deliveries, newest first as attempts are
    /// matched everywhere.
    pub(super) fn enter(&mut self, deliveries: &mut [Booked], charges: &Charges) -> Booking {
        let mut booking = Booking::default();
        let told = charges.attempts.iter().take(MOST);
        for (place, (channel, charge)) in told.clone().enumerate() {
            if self.attempts.len() <= place {
                self.attempts.push(Attempt::default());
            }
            let attempt = &mut self.attempts[place];
            let (before, after) = (attempt.charge, charge.0);
            if after > before {
                attempt.charge = after;
                booking.charge(Some(*channel), after - before);
                if attempt.settles > 0 {
                    booking.correct(attempt.settles, before, after);
                }
            }
        }
        for delivery in deliveries.iter_mut().rev() {
            let Some(expected) = delivery.expected else {
                continue;
            };
            let mut told = told.clone().zip(&mut self.attempts).rev();
            let fits = told.find(|((channel, _), attempt)| {
                *channel == delivery.channel && attempt.charge > 0 && attempt.settles == 0
            });
            if let Some((_, attempt)) = fits {
                attempt.settles = delivery.at;
                delivery.expected = None;
                booking.has_settled = true;
                booking.correct(delivery.at, expected, attempt.charge);
            }
        }
        let (before, after) = (self.validation, charges.validation.0);
        if after > before {
            self.validation = after;
            booking.charge(None, after - before);
            if let Some(last) = deliveries.last() {
                booking.correct(last.at, before, after);
            }
        }
        booking
    }

    /// As it is kept: `0;7900 1764000000000;0 0`.
    pub(super) fn to_text(&self) -> String {
        let attempts = self.attempts.iter();
        let words = attempts.map(|attempt| format!(";{} {}", attempt.charge, attempt.settles));
        format!("{}{}", self.validation, words.collect::<String>())
    }

    pub(super) fn from_text(text: &str) -> Result<Self, Unreadable> {
        let (validation, attempts) = text.split_once(';').unwrap_or((text, ""));
        let read = |text: &str| {
            let (charge, settles) = text.split_once(' ')?;
            Some(Attempt {
                charge: charge.parse().ok()?,
                settles: settles.parse().ok()?,
            })
        };
        let attempts = attempts.split(';').filter(|text| !text.is_empty());
        Ok(Self {
            validation: validation.parse().map_err(|_| Unreadable)?,
            attempts: attempts
                .map(|text| read(text).ok_or(Unreadable))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Booking {
    /// Whether all of it was known.
    pub(super) fn is_nothing(&self) -> bool {
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
            self.corrections.push((at, Correction { before, after }));
        }
    }
}

/// As scripts read it: channel and charge of each attempt.
pub(super) fn to_json(charges: &Charges) -> serde_json::Value {
    let attempts = charges.attempts.iter().take(MOST);
    attempts
        .map(|(channel, charge)| serde_json::json!([channel, charge.0]))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn channels() -> impl Strategy<Value = Channel> {
        prop_oneof![Just(Channel::Sms), Just(Channel::Voice)]
    }

    proptest! {
        /// Whatever is told in which order and how often: each charge is booked
        /// once, and every delivery ends up as what was charged for it.
        #[test]
        fn each_charge_is_booked_once(
            sent in prop::collection::vec((channels(), 1..50_000_u64), 1..6),
            told in prop::collection::vec((1..7_usize, any::<bool>()), 1..20),
        ) {
            let attempts: Vec<_> = sent.iter().map(|(channel, charge)| (*channel, MicroDollars(*charge))).collect();
            let all = Charges { attempts, validation: MicroDollars(50_000) };
            let mut deliveries: Vec<Booked> = (1..)
                .zip(&sent)
                .map(|(at, (channel, _))| Booked { channel: *channel, at, expected: Some(9_000) })
                .collect();
            let (mut book, mut bookings) = (Book::default(), Vec::new());
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
            let (before, after) = corrections.fold((0, 0), |(before, after), (_, it)| {
                (before + it.before, after + it.after)
            });
            prop_assert_eq!(9_000 * sent.len() as u64 + after - before, bill);
            prop_assert!(deliveries.iter().all(|delivery| delivery.expected.is_none()));
            prop_assert_eq!(Book::from_text(&book.to_text()).unwrap(), book);
        }
    }
}
