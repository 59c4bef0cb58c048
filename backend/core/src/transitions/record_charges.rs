//! What Plivo charged for a session.

use std::sync::Arc;

use super::counters::Counters;
use crate::{
    Charged, Charges, Key, LimitCheck, Rows, SessionRules, Transition, Unreadable,
    session::SessionRow, upstream_session::UpstreamRow,
};

/// Books what Plivo charged for a session, as far as it is not booked yet, in the
/// place of what was expected.
pub struct RecordCharges {
    /// The session's row.
    pub session: Key,
    /// The row of Plivo's session.
    pub upstream: Key,
    /// What Plivo says.
    pub charges: Charges,
    /// The spending caps, where there are any: the service's and the application's.
    pub caps: Vec<LimitCheck>,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for RecordCharges {
    /// What is new.
    type Outcome = Vec<Charged>;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let mut keys = SessionRow::keys(&self.session).to_vec();
        keys.push(self.upstream.clone());
        keys.extend(self.caps.iter().map(|caps| caps.row.clone()));
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Vec<Charged>, Unreadable> {
        let mut upstream = UpstreamRow::load(rows, &self.upstream)?;
        // Once it has ended only the bill goes on.
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
