use super::*;

fn quotas(count: u64) -> Vec<Quota> {
    vec![Quota {
        count: count.try_into().unwrap(),
        per: Duration::from_mins(1),
    }]
}

/// An address and its site.
fn caller() -> EndUserKeys {
    EndUserKeys {
        address: Some("a".to_owned()),
        site: Some("s".to_owned()),
        ..EndUserKeys::default()
    }
}

fn limits() -> Limits {
    Limits {
        sends_per_number: quotas(1),
        voice_per_number: quotas(2),
        wrong_checks_per_number: quotas(3),
        sends_per_address: quotas(4),
        checks_per_address: quotas(5),
        numbers_per_address: quotas(6),
        sends_per_range: quotas(7),
        sends_per_country: quotas(8),
        sends_total: quotas(9),
        sends_per_user: quotas(10),
        sends_without_address: quotas(11),
        checks_without_address: quotas(12),
    }
}

/// Each limit with its row and its count.
fn shown(checks: &[LimitCheck]) -> Vec<(&str, &str, u64)> {
    let shown = checks.iter().map(|check| {
        let count = check.quotas[0].count.get();
        (check.limit.as_str(), check.row.as_str(), count)
    });
    shown.collect()
}

#[test]
fn a_send_is_checked_against_every_limit_of_its_number_caller_and_destination() {
    let keys = SendKeys {
        number: crate::keys::number("n"),
        range: crate::keys::limit(Limit::SendsPerRange, "p"),
        country: crate::keys::limit(Limit::SendsPerCountry, "c"),
        known_country: crate::keys::limit(Limit::KnownPerCountry, "c"),
        total: crate::keys::limit(Limit::SendsTotal, "t"),
        end_user: caller(),
        number_mark: 77,
    };
    let checks = limits().of_send(&keys, Channel::Sms);
    let expected = [
        ("sends_per_number", "number/n", 1),
        ("sends_per_range", "limit/sends_per_range/p", 7),
        ("sends_per_country", "limit/sends_per_country/c", 8),
        ("sends_total", "limit/sends_total/t", 9),
        ("sends_per_address", "limit/sends_per_address/a", 4),
        ("sends_per_address", "limit/sends_per_address/s", 16),
        ("numbers_per_address", "limit/numbers_per_address/a", 6),
        ("numbers_per_address", "limit/numbers_per_address/s", 24),
    ];
    assert_eq!(shown(&checks), expected);
    assert!(checks[6..].iter().all(|it| it.used == Use::Distinct(77)));
    assert!(checks[..6].iter().all(|it| it.used == Use::Amount(1)));

    let voice = limits().of_send(&keys, Channel::Voice);
    assert!(shown(&voice).contains(&("voice_per_number", "number/n", 2)));
    assert_eq!(voice.len(), checks.len() + 1);
    assert!(Limits::default().of_send(&keys, Channel::Voice).is_empty());
}

#[test]
fn a_check_is_checked_against_the_limits_of_its_caller() {
    let expected = [
        ("checks_per_address", "limit/checks_per_address/a", 5),
        ("checks_per_address", "limit/checks_per_address/s", 20),
    ];
    assert_eq!(shown(&limits().of_check(&caller())), expected);
    assert!(Limits::default().of_check(&caller()).is_empty());
}

#[test]
fn an_application_without_addresses_has_its_own_limits_and_one_per_user() {
    let end_user = EndUserKeys {
        without_address: Some("app".to_owned()),
        user: Some("user".to_owned()),
        ..EndUserKeys::default()
    };
    let keys = SendKeys {
        number: crate::keys::number("n"),
        range: crate::keys::limit(Limit::SendsPerRange, "p"),
        country: crate::keys::limit(Limit::SendsPerCountry, "c"),
        known_country: crate::keys::limit(Limit::KnownPerCountry, "c"),
        total: crate::keys::limit(Limit::SendsTotal, "t"),
        end_user: end_user.clone(),
        number_mark: 77,
    };
    assert_eq!(
        shown(&limits().of_send(&keys, Channel::Sms))[4..],
        [
            (
                "sends_without_address",
                "limit/sends_without_address/app",
                11
            ),
            ("sends_per_user", "limit/sends_per_user/user", 10),
        ]
    );
    let checks = [(
        "checks_without_address",
        "limit/checks_without_address/app",
        12,
    )];
    assert_eq!(shown(&limits().of_check(&end_user)), checks);
}

#[test]
fn waits_for_money_and_conversion_are_reported_in_whole_minutes() {
    for (limit, milliseconds, seconds) in [
        (Some(Limit::Budget), 1, 60.0),
        (Some(Limit::ApplicationBudget), 1, 60.0),
        (Some(Limit::ConversionPerCountry), 60_000, 60.0),
        (Some(Limit::ConversionPerRange), 60_001, 120.0),
        (Some(Limit::SendsTotal), 1_500, 1.5),
        (None, 0, 0.001),
    ] {
        let reported = Wait::of(milliseconds, limit).announced();
        assert_eq!(reported, Duration::from_secs_f64(seconds), "{limit:?}");
    }
}
