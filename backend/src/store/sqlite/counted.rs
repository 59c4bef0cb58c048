//! The rows that only count: one value each, and when it is over.

use rusqlite::{OptionalExtension, Transaction, params};

use super::cache::{Place, Row};
use crate::store::{
    conversion::Conversion, millis::Millis, number::Number, vault::Hash, window::Uses,
};

/// What is over goes within that time. A row whose end moves by less stays where
/// it is in the index of ends.
const STRETCH: Millis = 600_000;

/// The words of one table.
struct Words {
    read: &'static str,
    insert: &'static str,
    update: &'static str,
    move_end: &'static str,
}

/// A count that cannot be read must not become no count.
fn read<R>(
    words: &Words,
    transaction: &Transaction<'_>,
    id: &Hash,
    from_bytes: fn(&[u8]) -> Option<R>,
) -> rusqlite::Result<Option<(Place, R)>> {
    transaction
        .prepare_cached(words.read)?
        .query_row([id], |row| {
            let place = Place {
                row: row.get(0)?,
                forget_at: row.get(2)?,
            };
            let kept = from_bytes(row.get_ref(1)?.as_blob()?);
            Ok((place, kept.ok_or(rusqlite::Error::InvalidQuery)?))
        })
        .optional()
}

fn write(
    words: &Words,
    transaction: &Transaction<'_>,
    (id, place): (&Hash, Option<Place>),
    (kept, over_at): (&[u8], Millis),
) -> rusqlite::Result<Place> {
    let forget_at = over_at.next_multiple_of(STRETCH);
    let row = match place {
        None => transaction
            .prepare_cached(words.insert)?
            .insert(params![id, kept, forget_at])?,
        Some(place) => {
            if place.forget_at == forget_at {
                let mut statement = transaction.prepare_cached(words.update)?;
                statement.execute(params![place.row, kept])?;
            } else {
                let mut statement = transaction.prepare_cached(words.move_end)?;
                statement.execute(params![place.row, kept, forget_at])?;
            }
            place.row
        }
    };
    Ok(Place { row, forget_at })
}

macro_rules! counted {
    ($kept:ty, $table:literal) => {
        impl Row for $kept {
            fn read(
                transaction: &Transaction<'_>,
                id: &Hash,
            ) -> rusqlite::Result<Option<(Place, Self)>> {
                read(&Self::WORDS, transaction, id, Self::from_bytes)
            }

            fn write(
                &self,
                transaction: &Transaction<'_>,
                id: &Hash,
                place: Option<Place>,
            ) -> rusqlite::Result<Place> {
                let kept = (self.to_bytes(), self.over_at());
                write(&Self::WORDS, transaction, (id, place), (&kept.0, kept.1))
            }
        }

        impl $kept {
            const WORDS: Words = Words {
                read: concat!(
                    "SELECT row, kept, forget_at FROM ",
                    $table,
                    " WHERE id = ?1"
                ),
                insert: concat!(
                    "INSERT INTO ",
                    $table,
                    " (id, kept, forget_at) VALUES (?1, ?2, ?3)"
                ),
                update: concat!("UPDATE ", $table, " SET kept = ?2 WHERE row = ?1"),
                move_end: concat!(
                    "UPDATE ",
                    $table,
                    " SET kept = ?2, forget_at = ?3 WHERE row = ?1"
                ),
            };
        }
    };
}

counted!(Number, "number");
counted!(Uses, "uses");
counted!(Conversion, "conversion");
