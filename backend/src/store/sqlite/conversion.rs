//! The rows about countries and ranges of numbers.

use rusqlite::{Transaction, params};

use super::Context;
use crate::{
    config::ConversionRule,
    store::{
        Limit, Place, Slump, Wait,
        conversion::{Conversion, Judgement},
        millis::Millis,
        names::shown,
        vault::Hash,
    },
};

/// A country or a range.
pub(super) struct Part {
    limit: Limit,
    id: Hash,
    kept: Conversion,
}

/// What the country and the range of a number say of a send.
#[derive(Default)]
pub(super) struct Outlook {
    pub(super) slumps: Vec<Slump>,
    /// Where it is enforced.
    pub(super) waits: Vec<Wait>,
    /// Those that cool from now on, if the step is taken.
    pub(super) cooled: Vec<Part>,
}

/// Both parts in one read; none where nothing is counted.
fn read(
    transaction: &Transaction<'_>,
    context: &Context,
    place: &Place,
) -> rusqlite::Result<Option<(ConversionRule, [Part; 2])>> {
    let Some(rule) = context.rules.conversion else {
        return Ok(None);
    };
    let mut parts = place.parts().map(|part| Part {
        limit: part.0,
        id: context.vault.place_name(part),
        kept: Conversion::default(),
    });
    let mut statement =
        transaction.prepare_cached("SELECT id, kept FROM conversion WHERE id IN (?1, ?2)")?;
    let mut rows = statement.query(params![parts[0].id, parts[1].id])?;
    while let Some(row) = rows.next()? {
        let (id, kept): (Hash, Vec<u8>) = (row.get(0)?, row.get(1)?);
        for part in parts.iter_mut().filter(|part| part.id == id) {
            part.kept = Conversion::from_bytes(&kept).ok_or(rusqlite::Error::InvalidQuery)?;
        }
    }
    Ok(Some((rule, parts)))
}

pub(super) fn write(transaction: &Transaction<'_>, part: &Part) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO conversion VALUES (?1, ?2, ?3)")?
        .execute(params![part.id, part.kept.to_bytes(), part.kept.over_at()])?;
    Ok(())
}

/// Whether sends may go there.
pub(super) fn look(
    transaction: &Transaction<'_>,
    context: &Context,
    place: &Place,
    now: Millis,
) -> rusqlite::Result<Outlook> {
    let mut outlook = Outlook::default();
    let Some((rule, parts)) = read(transaction, context, place)? else {
        return Ok(outlook);
    };
    for mut part in parts {
        let found = match part.kept.judge(&rule, now) {
            Judgement::Fine => continue,
            Judgement::Cooling(_) => None,
            Judgement::Slump(share) => {
                part.kept.cool(&rule, now);
                Some(share)
            }
        };
        outlook.slumps.push(Slump {
            limit: part.limit,
            name: shown(&part.id),
            found,
        });
        if rule.enforced {
            let wait = Wait::of(part.kept.cooling_until() - now, Some(part.limit));
            outlook.waits.push(wait);
        }
        if found.is_some() {
            outlook.cooled.push(part);
        }
    }
    Ok(outlook)
}

/// A code went there at that moment.
pub(super) fn sent(
    transaction: &Transaction<'_>,
    context: &Context,
    place: &Place,
    (at, now): (Millis, Millis),
) -> rusqlite::Result<()> {
    let Some((_, parts)) = read(transaction, context, place)? else {
        return Ok(());
    };
    for mut part in parts {
        part.kept.sent(at, now);
        write(transaction, &part)?;
    }
    Ok(())
}

/// The codes that went there at these moments were given back.
pub(super) fn verified(
    transaction: &Transaction<'_>,
    context: &Context,
    place: &Place,
    sent_at: &[Millis],
) -> rusqlite::Result<()> {
    let Some((_, parts)) = read(transaction, context, place)? else {
        return Ok(());
    };
    for mut part in parts {
        for at in sent_at {
            part.kept.verified(*at);
        }
        write(transaction, &part)?;
    }
    Ok(())
}
