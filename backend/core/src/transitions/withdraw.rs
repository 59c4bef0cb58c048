//! Withdrawing the session of a send or resend that did not happen.

use super::{
    reservation::SendReservation,
    send_limits::{count_conversion, destination_keys},
};
use crate::{
    Key, Rows, SessionRules, Unreadable, keys,
    session::{SessionRow, Status},
};

/// The rows of the reservation's session, number, page and idempotency key, and of its
/// destination if it was adopted.
pub(crate) fn keys(
    rows: &Rows<'_>,
    rules: &SessionRules,
    reservation: &SendReservation,
) -> Result<Vec<Key>, Unreadable> {
    let mut keys = SessionRow::keys(&reservation.session).to_vec();
    keys.push(reservation.number.clone());
    if is_adopted(rows, reservation)? {
        keys.extend(destination_keys(&reservation.destination, rules));
    }
    keys.extend(reservation.page.clone());
    keys.extend(reservation.claim.as_ref().map(|claim| claim.key.clone()));
    Ok(keys)
}

/// Removes the session that the send began, and a delivery that a callback about another
/// send adopted for it. Returns whether that was done: if an adopted session is over, its
/// caller has seen it live, so it stays as it is.
pub(crate) fn withdraw(
    rows: &mut Rows<'_>,
    rules: &SessionRules,
    reservation: &SendReservation,
) -> Result<bool, Unreadable> {
    let (key, at) = (&reservation.session, reservation.reserved_at);
    let Some(mut row) = rows.get::<SessionRow>(key)? else {
        return Ok(true);
    };
    let is_adopted = is_adopted(rows, reservation)?;
    if is_adopted {
        if !matches!(row.status, Status::Pending) {
            return Ok(false);
        }
        row.undeliver(reservation.channel, at);
        let (destination, is_known) = (&reservation.destination, reservation.is_known);
        count_conversion(rows, rules, destination, is_known, |row, _, _| {
            row.unsent(at);
        })?;
    }
    if row.deliveries.is_empty() {
        rows.delete(key);
        rows.delete(&keys::ended(key));
    } else if is_adopted {
        row.save(rows, key);
    }
    Ok(true)
}

/// Whether a callback about another send has adopted this one.
fn is_adopted(rows: &Rows<'_>, reservation: &SendReservation) -> Result<bool, Unreadable> {
    let key = &reservation.session;
    if !rows.is_loaded(key) {
        return Ok(false);
    }
    let row = rows.get::<SessionRow>(key)?;
    let (channel, at) = (reservation.channel, reservation.reserved_at);
    Ok(row.is_some_and(|row| row.has_delivery(channel, at)))
}
