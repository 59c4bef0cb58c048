//! What is told of sessions and numbers.

use countersign_core::{
    Limits, Millis, keys,
    transitions::{ViewNumber, ViewSession},
};
use countersign_shared::session::SessionStatus;

use super::{Deliveries, LIFETIME, NUMBERS};
use crate::{
    border::{self, opened},
    history::accounts::State,
};

impl Deliveries<'_> {
    /// Compares a session, and what is told of a number, with the model.
    pub(super) fn compare(&mut self) {
        let now = self.now();
        if let Some(session) = self.random.pick(&self.sessions).cloned() {
            let told = self.service.read(&ViewSession {
                session: keys::session(&session.name),
            });
            let told = told.map(|it| {
                let status = match it.status {
                    SessionStatus::Verified => State::Verified,
                    _ => State::Pending,
                };
                let deliveries = it.deliveries.iter();
                let deliveries: Vec<_> = deliveries
                    .map(|it| (it.channel, it.requested_at.0))
                    .collect();
                (status, opened(&it.upstream.id), deliveries)
            });
            let deliveries = session.deliveries.iter();
            let deliveries: Vec<_> = deliveries.map(|it| (it.channel, it.at)).collect();
            let expected = match session.over(now) {
                Some(over) => Err(over),
                None => Ok((session.state, session.plivo.clone(), deliveries)),
            };
            self.require(told == expected, || {
                format!("{session:?} is {told:?} at {now}, and not {expected:?}")
            });
        }
        let number = self.random.index(NUMBERS);
        let told = self.service.read(&ViewNumber {
            number: border::number_key(number),
            limits: Limits::default(),
            rules: self.rules.clone(),
        });
        let reserved = &self.reserved[number];
        if reserved.is_empty() || reserved.iter().any(|it| it.at + LIFETIME <= now) {
            // Whether the row still names old ones depends on what else keeps the row.
            return;
        }
        let sends = reserved.iter().map(|it| (it.channel, Millis(it.at)));
        let sends: Vec<_> = sends.collect();
        let told_sends: Vec<_> = told.sends.iter().map(|it| (it.channel, it.at)).collect();
        let mut of_number: Vec<usize> = Vec::new();
        for send in reserved {
            if !of_number.contains(&send.session) {
                of_number.push(send.session);
            }
        }
        let mut attempts = Vec::new();
        for index in of_number {
            let session = &self.sessions[index];
            if session.over(now).is_none() {
                let plivo: usize = session
                    .plivo
                    .trim_start_matches("plivo")
                    .parse()
                    .unwrap_or(0);
                let known = self.known.get(&plivo).cloned().unwrap_or_default();
                attempts.push(known.behind(&session.deliveries));
            }
        }
        let told_attempts: Vec<_> = told.sessions.into_iter().map(|it| it.1).collect();
        let is_right = told_sends == sends && told_attempts == attempts;
        self.require(is_right, || {
            format!("{number} has {told_sends:?} {told_attempts:?} at {now}, and not {sends:?} {attempts:?}")
        });
    }
}
