//! Booking Plivo's charges for a session.

use std::sync::Arc;

use super::counters::Counters;
use crate::{
    Charged, Charges, Key, LimitCheck, Rows, SessionRules, Transition, Unreadable,
    session::SessionRow, upstream_session::UpstreamRow,
};

/// Books Plivo's charges for a session that are not booked yet, in place of the expected
/// price.
pub struct RecordCharges {
    /// The session's row.
    pub session: Key,
    /// The row of Plivo's session.
    pub upstream: Key,
    /// The charges that Plivo reports.
    pub charges: Charges,
    /// The spending caps, if any: the service's and the application's.
    pub caps: Vec<LimitCheck>,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for RecordCharges {
    /// The newly booked charges.
    type Outcome = Vec<Charged>;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let mut keys = SessionRow::keys(&self.session).to_vec();
        keys.push(self.upstream.clone());
        keys.extend(self.caps.iter().map(|caps| caps.row.clone()));
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Vec<Charged>, Unreadable> {
        let mut upstream = UpstreamRow::load(rows, &self.upstream)?;
        // After the session has ended, only the charges are updated.
        let mut session = SessionRow::live(rows, &self.session)?.ok();
        let deliveries = session.as_mut().map(|row| row.deliveries.as_mut_slice());
        let booking = upstream
            .charges
            .enter(deliveries.unwrap_or_default(), &self.charges);
        if booking.is_nothing() {
            return Ok(booking.charged);
        }
        if let Some(row) = session {
            row.save(rows, &self.session);
        }
        upstream.save(rows, &self.upstream, &self.rules);
        let mut counters = Counters::load(rows, &self.rules, None, &self.caps)?;
        for caps in &self.caps {
            for it in &booking.corrections {
                counters.correct(caps, it.at, it.before, it.after);
            }
        }
        counters.save(rows);
        Ok(booking.charged)
    }
}
