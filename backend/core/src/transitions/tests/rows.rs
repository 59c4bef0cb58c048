//! The encoding of every kind of row that sessions leave behind.

use std::{collections::BTreeSet, sync::Arc};

use super::world::{START, World, claim, quota, reserved};
use crate::{
    ConversionRule, Key, Limits, Row, Unreadable, Verdict,
    conversion::ConversionRow,
    idempotency::IdempotencyRow,
    number::NumberRow,
    rate_limit::LimitRow,
    session::{EndedRow, SessionRow},
    single_use::SingleUseRow,
    transitions::{ReserveCheck, ReserveSend, Reserved},
    upstream_session::UpstreamRow,
};

/// A world in which every kind of row exists.
fn lived_in() -> World {
    let mut world = World::with_rules(|rules| {
        rules.conversion = Some(ConversionRule {
            floor: 20,
            min_per_country: Some(30.try_into().unwrap()),
            min_per_range: Some(30.try_into().unwrap()),
            grace: std::time::Duration::from_mins(3),
            cooldown: std::time::Duration::from_mins(30),
            enforced: true,
        });
    });
    world.limits = Limits {
        sends_per_number: vec![quota(9, 600)],
        wrong_checks_per_number: vec![quota(9, 600)],
        sends_total: vec![quota(100, 600)],
        numbers_per_address: vec![quota(9, 600)],
        checks_per_address: vec![quota(9, 600)],
        ..Limits::default()
    };
    let step = ReserveSend {
        claim: Some(claim("key", "body")),
        ..world.reserve_send("one", "number")
    };
    let reservation = Arc::new(reserved(world.run(&step)));
    let record = world.record_sent(("one", "number"), "plivo", &reservation);
    world.run(&record);
    let callback = world.callback("nonce", "plivo", "number");
    world.run(&callback);
    reserved(world.check("one", Verdict::Accepted));
    world
}

fn decodes(key: &Key, value: &[u8]) -> Result<(), Unreadable> {
    let (kind, _) = key.as_str().split_once('/').unwrap();
    match kind {
        ConversionRow::KIND => ConversionRow::decode(value).map(drop),
        EndedRow::KIND => EndedRow::decode(value).map(drop),
        IdempotencyRow::KIND => IdempotencyRow::decode(value).map(drop),
        LimitRow::KIND => LimitRow::decode(value).map(drop),
        NumberRow::KIND => NumberRow::decode(value).map(drop),
        SessionRow::KIND => SessionRow::decode(value).map(drop),
        SingleUseRow::KIND => SingleUseRow::decode(value).map(drop),
        UpstreamRow::KIND => UpstreamRow::decode(value).map(drop),
        other => panic!("{other}"),
    }
}

#[test]
fn every_kind_of_row_is_read_back_and_truncated_or_newer_ones_are_unreadable() {
    let world = lived_in();
    let mut kinds = BTreeSet::new();
    for (key, row) in &world.rows {
        kinds.insert(key.as_str().split_once('/').unwrap().0);
        assert_eq!(decodes(key, &row.value), Ok(()), "{key:?}");
        for length in 0..row.value.len() {
            let error = decodes(key, &row.value[..length]);
            assert!(error.is_err(), "{key:?} {length}");
        }
        let mut newer = row.value.clone();
        newer[0] += 1;
        let unreadable = decodes(key, &newer).unwrap_err();
        assert_eq!(unreadable.version, newer[0]);
        // A member that a later version adds is ignored.
        let json = str::from_utf8(&row.value[1..]).unwrap();
        if let Some(members) = json.strip_prefix('{') {
            let comma = if members == "}" { "" } else { "," };
            let extended = format!("\u{1}{{\"of_tomorrow\":[1]{comma}{members}");
            assert_eq!(decodes(key, extended.as_bytes()), Ok(()), "{extended}");
        }
    }
    assert_eq!(kinds.len(), 8, "{kinds:?}");
}

#[test]
fn an_unreadable_row_fails_the_step_that_reads_it_and_changes_nothing() {
    let mut world = lived_in();
    world.advance(60);
    let check = ReserveCheck {
        claim: Some(claim("other", "body")),
        ..world.reserve_check("one")
    };
    let send = world.reserve_send("two", "number");
    let kinds = ["session/one", "number/number", "limit/sends_total/total"];
    for kind in kinds {
        let key = Key::new(kind);
        let whole = world.rows[&key].clone();
        world.rows.get_mut(&key).unwrap().value[0] = 9;
        let before = world.rows.clone();
        let failed = match kind {
            "session/one" => world.try_run(&check).map(drop),
            _ => world.try_run(&send).map(drop),
        };
        assert_eq!(failed.unwrap_err().version, 9);
        assert_eq!(world.rows, before);
        world.rows.insert(key, whole);
    }
    assert!(world.now > START);
}

#[test]
fn nothing_is_kept_for_ever() {
    let mut world = lived_in();
    world.advance(8 * 86_400);
    let now = world.now;
    assert!(world.rows.values().all(|row| row.expires_at <= now));
}

/// Eight quotas of 64 for each of a number's limits, all of them used up.
#[test]
fn the_largest_row_of_a_number_stays_below_16_kilobytes() {
    let mut world = World::with_rules(|rules| rules.resend_waits = vec![]);
    let quotas: Vec<_> = (1..=8).map(|days| quota(64, 86_400 * days * 3)).collect();
    world.limits = Limits {
        sends_per_number: quotas.clone(),
        voice_per_number: quotas.clone(),
        wrong_checks_per_number: quotas,
        ..Limits::default()
    };
    for index in 0..64 {
        let limits = world.send_limits("number", countersign_shared::Channel::Voice);
        let step = ReserveSend {
            limits,
            ..world.reserve_send(&format!("session-of-a-usual-length-{index:06}"), "number")
        };
        assert!(matches!(world.run(&step), Reserved::Reserved(_)));
        world.advance(4_000);
    }
    let row = &world.rows[&crate::keys::number("number")];
    let longest = row.value.len();
    assert!(longest < 11 * 1024, "{longest} bytes without wrong checks");
}
