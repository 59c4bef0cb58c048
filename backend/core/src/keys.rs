//! Names of rows.
//!
//! A row's name is its kind and a keyed hash, `number/9f86…`. The hash is made outside
//! this crate, where the operator's key is held, so no name reveals whom the row is
//! about.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Key, Limit, Row,
    charge_queue::{ChargeRow, QueuesRow},
    conversion::ConversionRow,
    decisions::{DecisionsHead, DecisionsRow},
    idempotency::IdempotencyRow,
    known_number::KnownRow,
    number::NumberRow,
    rate_limit::LimitRow,
    run::{RunRow, SimulatorRow},
    session::{EndedRow, SessionRow},
    single_use::SingleUseRow,
    stops::StopsRow,
    transitions::PageRow,
    upstream_session::UpstreamRow,
};

/// A session's row, by the hash of its id.
pub fn session(hash: &str) -> Key {
    of::<SessionRow>(hash)
}

/// The row that outlives a session, so that a later request gets "expired" and not "not
/// found".
pub(crate) fn ended(session: &Key) -> Key {
    let (_, hash) = session.as_str().split_once('/').unwrap_or_default();
    of::<EndedRow>(hash)
}

/// A number's row, by the hash of the number.
pub fn number(hash: &str) -> Key {
    of::<NumberRow>(hash)
}

/// The row that marks a number as recently verified, beside the number's own row.
pub(crate) fn known(number: &Key) -> Key {
    let (_, hash) = number.as_str().split_once('/').unwrap_or_default();
    of::<KnownRow>(hash)
}

/// The row of one of Plivo's sessions, by the hash of Plivo's id.
pub fn upstream(hash: &str) -> Key {
    of::<UpstreamRow>(hash)
}

/// The row of a limit's counter for one subject, by the hash of limit and subject. Limits
/// per number are counted in the number's own row instead.
pub fn limit(limit: Limit, hash: &str) -> Key {
    Key::new(&format!("{}/{}/{hash}", LimitRow::KIND, limit.as_str()))
}

/// The conversion row of a country or a range of numbers, by the hash of its kind
/// (country or range) and its name.
pub fn conversion(hash: &str) -> Key {
    of::<ConversionRow>(hash)
}

/// The row of an idempotency key, by the hash of its scope and the key.
pub fn idempotency(hash: &str) -> Key {
    of::<IdempotencyRow>(hash)
}

/// The row of something that may be used once, by its hash.
pub fn single_use(hash: &str) -> Key {
    of::<SingleUseRow>(hash)
}

/// The row of a page that an application's server created, by the hash of its id.
pub fn page(hash: &str) -> Key {
    of::<PageRow>(hash)
}

/// The row of an instance's run, by the hash of the instance's name.
pub fn run(hash: &str) -> Key {
    of::<RunRow>(hash)
}

/// The row that names the process whose simulator holds the codes.
pub(crate) fn simulator() -> Key {
    of::<SimulatorRow>("codes")
}

/// The row that counts the rows of decisions.
pub(crate) fn decisions() -> Key {
    of::<DecisionsHead>("head")
}

/// The row of decisions with the number `place`.
pub(crate) fn decision(place: u64) -> Key {
    of::<DecisionsRow>(&place.to_string())
}

/// The row of a code whose charges are to be collected, by the hash of its place in its queue.
pub fn charge(hash: &str) -> Key {
    of::<ChargeRow>(hash)
}

/// The row of all queues of charges.
pub(crate) fn charge_queues() -> Key {
    of::<QueuesRow>("all")
}

/// The row of all stops.
pub(crate) fn stops() -> Key {
    of::<StopsRow>("all")
}

fn of<R: Row>(hash: &str) -> Key {
    Key::new(&format!("{}/{hash}", R::KIND))
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Ok(Self::new(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_row_has_names_of_its_own() {
        let names = [
            session("ab"),
            ended(&session("ab")),
            number("ab"),
            known(&number("ab")),
            upstream("ab"),
            limit(Limit::SendsTotal, "ab"),
            conversion("ab"),
            idempotency("ab"),
            single_use("ab"),
            page("ab"),
            run("ab"),
            simulator(),
            stops(),
            decisions(),
            decision(7),
            charge("ab"),
            charge_queues(),
        ];
        let names: Vec<&str> = names.iter().map(Key::as_str).collect();
        assert_eq!(
            names,
            [
                "session/ab",
                "ended/ab",
                "number/ab",
                "known/ab",
                "upstream/ab",
                "limit/sends_total/ab",
                "conversion/ab",
                "idempotency/ab",
                "single_use/ab",
                "page/ab",
                "run/ab",
                "simulator/codes",
                "stops/all",
                "decisions/head",
                "decision/7",
                "charge/ab",
                "charge_queues/all"
            ]
        );
    }
}
