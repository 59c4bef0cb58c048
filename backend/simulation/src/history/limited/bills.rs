//! Plivo's sessions: which of them are used, and what Plivo charges.

use countersign_core::{
    Charged, Charges, Limit, MicroDollars, Use, keys, transitions::RecordCharges,
};
use countersign_shared::Channel;

use super::{Limited, counting::check};
use crate::history::{
    accounts::millis,
    quotas::{OneLimit, charge},
};

/// What is known of one of Plivo's sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Bill {
    pub(super) until: u64,
    is_used: bool,
    validation: u64,
    /// The charge of each attempt, and when the code that it is for was requested.
    attempts: Vec<(u64, Option<u64>)>,
}

/// Plivo's own book: the channel of each attempt, and whether it has no price, a first one
/// or the whole one.
pub(super) type Book = Vec<(Channel, u8)>;

impl Limited<'_> {
    pub(super) fn sent_by_plivo(&mut self, plivo: &str, channel: Channel) {
        let book = self.books.entry(plivo.to_owned()).or_default();
        book.push((channel, 0));
    }

    /// The row of Plivo's session is stored.
    pub(super) fn saved(&mut self, plivo: &str) -> &mut Bill {
        let now = self.now();
        self.bills.retain(|_, it| it.until > now);
        let bill = self.bills.entry(plivo.to_owned()).or_default();
        bill.until = now + millis(self.rules.session_lifetime) + 3_600_000;
        bill
    }

    /// The code verifies a session; returns whether it is the first.
    pub(super) fn use_code(&mut self, plivo: &str) -> bool {
        let now = self.now();
        let known = self.bills.get(plivo).filter(|it| it.until > now);
        if known.is_some_and(|it| it.is_used) {
            return false;
        }
        self.saved(plivo).is_used = true;
        true
    }

    /// Plivo says what a session costs so far.
    pub(super) fn bill(&mut self) {
        let Some(session) = self.random.pick(&self.sessions).cloned() else {
            return self.send();
        };
        let plivo = session.plivo.clone();
        let (random, now) = (&mut self.random, self.service.now().0);
        let Some(book) = self.books.get_mut(&plivo) else {
            return;
        };
        for it in book.iter_mut().filter(|_| random.percent(40)) {
            it.1 = (it.1 + 1).min(2);
        }
        // Zero is no price yet, or not any more.
        let mut attempts = Vec::new();
        for (channel, stage) in book {
            let has_price = *stage > 0 && random.percent(90);
            let price = charge(*channel, *stage == 2);
            let price = if has_price { price } else { MicroDollars(0) };
            attempts.push((*channel, price));
        }
        if random.percent(20) {
            attempts.pop();
        }
        let validation = MicroDollars([0, 2, 4][random.index(3)]);
        let charges = Charges {
            attempts,
            validation,
        };
        let caller = session.caller;
        let own = &self.quotas.applications[caller].spend_caps;
        let caps: Vec<OneLimit> = [
            (
                Limit::Budget,
                "all".to_owned(),
                self.quotas.budget.caps.clone(),
            ),
            (Limit::ApplicationBudget, caller.to_string(), own.clone()),
        ]
        .into_iter()
        .filter(|it| !it.2.is_empty())
        .map(|it| (it.0, it.1, it.2, Use::Amount(0)))
        .collect();
        let told = self.service.run(&RecordCharges {
            session: keys::session(&session.name),
            upstream: keys::upstream(&plivo),
            charges: charges.clone(),
            caps: caps.iter().map(check).collect(),
            rules: self.rules.clone(),
        });
        let index = self.sessions.iter().position(|it| it.name == session.name);
        let index = index.expect("it is one of them");
        let (expected, corrections) = self.booked(index, &plivo, &charges);
        self.require(told == expected, || {
            format!("{session:?} is charged {told:?} of {charges:?}, and not {expected:?}")
        });
        if !told.is_empty() {
            for it in &caps {
                self.counter(it);
            }
        }
        for (at, before, after) in corrections {
            for it in &caps {
                self.counter(it).correct(at, before, after, now);
            }
        }
    }

    /// What is new in a report, and what it corrects: each charge takes the place of what
    /// the newest code on its channel was expected to cost, which has no charge yet.
    fn booked(
        &mut self,
        index: usize,
        plivo: &str,
        charges: &Charges,
    ) -> (Vec<Charged>, Vec<(u64, u64, u64)>) {
        let now = self.now();
        let known = self.bills.get(plivo).filter(|it| it.until > now);
        let mut bill = known.cloned().unwrap_or_default();
        let (mut new, mut corrections, mut is_settled) = (Vec::new(), Vec::new(), false);
        let length = bill.attempts.len().max(charges.attempts.len());
        bill.attempts.resize(length, (0, None));
        for (booked, (channel, told)) in bill.attempts.iter_mut().zip(&charges.attempts) {
            if told.0 > booked.0 {
                new.push(Charged {
                    channel: Some(*channel),
                    amount: MicroDollars(told.0 - booked.0),
                });
                corrections.extend(booked.1.map(|at| (at, booked.0, told.0)));
                booked.0 = told.0;
            }
        }
        let session = &mut self.sessions[index];
        let is_live = session.over(now).is_none();
        let deliveries = session.deliveries.iter_mut().filter(|_| is_live);
        for delivery in deliveries.rev() {
            let Some(expected) = delivery.expected else {
                continue;
            };
            let attempts = bill.attempts.iter_mut().zip(&charges.attempts).rev();
            let mut open = attempts.filter(|(booked, (channel, _))| {
                *channel == delivery.channel && booked.0 > 0 && booked.1.is_none()
            });
            if let Some((booked, _)) = open.next() {
                booked.1 = Some(delivery.at);
                delivery.expected = None;
                is_settled = true;
                corrections.push((delivery.at, expected, booked.0));
            }
        }
        let (before, after) = (bill.validation, charges.validation.0);
        if after > before {
            bill.validation = after;
            new.push(Charged {
                channel: None,
                amount: MicroDollars(after - before),
            });
            let session = &self.sessions[index];
            let newest = session.deliveries.last().filter(|_| is_live);
            corrections.extend(newest.map(|it| (it.at, before, after)));
        }
        if is_settled || !new.is_empty() {
            let until = self.saved(plivo).until;
            self.bills.insert(plivo.to_owned(), Bill { until, ..bill });
        }
        (new, corrections)
    }
}
