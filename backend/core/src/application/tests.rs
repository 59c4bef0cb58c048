use std::time::Duration;

use super::*;

fn id(text: &str) -> ApplicationId {
    ApplicationId::parse(text).unwrap()
}

/// An application for tests, with one key.
fn application(name: &str, key: u8) -> (Application, ApiKey) {
    let key = ApiKey::from_random_bytes(&id(name), [key; ApiKey::RANDOM_BYTES]);
    let policy = AccessPolicy {
        countries: None,
        channels: vec![Channel::Sms],
        fictitious_numbers: false,
    };
    let mut application = Application::new(id(name), policy);
    application.key_hashes.push(key.hash());
    (application, key)
}

#[test]
fn only_valid_ids_are_parsed() {
    for text in ["a", "shop", "shop-2", &"a".repeat(32)] {
        assert!(ApplicationId::parse(text).is_some(), "{text}");
    }
    for text in [
        "",
        "2shop",
        "-shop",
        "Shop",
        "shop_2",
        "sh.op",
        "shöp",
        &"a".repeat(33),
    ] {
        assert!(ApplicationId::parse(text).is_none(), "{text}");
    }
}

#[test]
fn a_key_finds_its_own_application_and_no_other() {
    let ((shop, shops), (bank, banks)) = (application("shop", 1), application("bank", 2));
    let (_, strangers) = application("shop", 3);
    let all = Applications::new(vec![shop, bank]).unwrap();
    let found = |key| all.of_key(key).map(|it| it.id.as_str());
    assert_eq!(found(&shops), Some("shop"));
    assert_eq!(found(&banks), Some("bank"));
    assert_eq!(found(&strangers), None);
    assert!(all.have_keys());
}

#[test]
fn no_two_share_an_id_or_a_key() {
    let new = |all| Applications::new(all).map(drop).unwrap_err();
    let (shop, _) = application("shop", 1);
    let (bank, _) = application("bank", 2);
    assert_eq!(new(Vec::new()), InvalidApplications::Empty);
    let same = new(vec![shop.clone(), bank.clone(), shop.clone()]);
    assert_eq!(same, InvalidApplications::SameId(id("shop")));
    let thief = Application {
        key_hashes: shop.key_hashes.clone(),
        ..bank
    };
    assert_eq!(
        new(vec![shop, thief]),
        InvalidApplications::SameKey(id("bank"))
    );
}

#[test]
fn a_session_is_continued_with_the_key_it_was_created_with() {
    let owner = |with_key| Owner {
        application: id("shop"),
        with_key,
    };
    let (shop, bank) = (id("shop"), id("bank"));
    assert!(owner(true).admits(Some(&shop)));
    assert!(!owner(true).admits(None));
    assert!(!owner(true).admits(Some(&bank)));
    assert!(owner(false).admits(None));
    assert!(owner(false).admits(Some(&shop)));
    assert!(!owner(false).admits(Some(&bank)));
}

#[test]
fn a_purpose_may_have_an_application_of_its_own_at_plivo() {
    let (mut shop, _) = application("shop", 1);
    assert_eq!(shop.plivo_app(Some(Purpose::Reset)), None);
    shop.plivo_app = Some("usual".to_owned());
    shop.plivo_apps = vec![(Purpose::Reset, "reset".to_owned())];
    assert_eq!(shop.plivo_app(Some(Purpose::Reset)), Some("reset"));
    assert_eq!(shop.plivo_app(Some(Purpose::SignIn)), Some("usual"));
    assert_eq!(shop.plivo_app(None), Some("usual"));
}

#[test]
fn an_application_has_limits_of_its_own() {
    let quota = |count: u64| {
        vec![Quota {
            count: count.try_into().unwrap(),
            per: Duration::from_hours(1),
        }]
    };
    let rows = ApplicationKeys {
        sends: crate::keys::limit(Limit::SendsPerApplication, "a"),
        budget: crate::keys::limit(Limit::ApplicationBudget, "a"),
    };
    let (mut shop, _) = application("shop", 1);
    let prices = Prices::parse("country,channel,price\n*,sms,0.000007", &[Channel::Sms]).unwrap();
    let checks = |shop: &Application| {
        let checks = shop.of_send(&rows, Some(&prices), ("US", Channel::Sms));
        let shown = checks.iter().map(|it| (it.limit, it.used));
        shown.collect::<Vec<_>>()
    };
    assert!(checks(&shop).is_empty());
    shop.sends = quota(5);
    shop.spend_caps = quota(100);
    assert_eq!(
        checks(&shop),
        [
            (Limit::SendsPerApplication, Use::Amount(1)),
            (Limit::ApplicationBudget, Use::Amount(7))
        ]
    );
    assert_eq!(shop.of_send(&rows, None, ("US", Channel::Sms)).len(), 1);
}
