use countersign_shared::phone_number::InvalidPhoneNumber;

use super::*;

fn countries() -> Vec<Country> {
    [
        ("CA", 1, "+15062345678"),
        ("DE", 49, "+4915123456789"),
        ("GB", 44, "+447400123456"),
        ("GG", 44, "+447781123456"),
        ("IT", 39, "+393123456789"),
        ("US", 1, "+12015550123"),
    ]
    .into_iter()
    .map(|(code, calling_code, example)| Country {
        code: code.to_owned(),
        calling_code,
        example: example.to_owned(),
    })
    .collect()
}

fn country(code: &str) -> Country {
    let mut countries = countries().into_iter();
    countries.find(|country| country.code == code).unwrap()
}

fn read_in(code: &str, text: &str) -> Result<String, FailureKind> {
    read(text, Some(&country(code))).map(|number| number.as_str().to_owned())
}

#[test]
fn national_numbers_get_the_calling_code() {
    for (code, text, number) in [
        ("US", "(415) 555-0123", "+14155550123"),
        ("US", "1 415 555 0123", "+14155550123"),
        ("GB", "7700 900123", "+447700900123"),
        ("GB", "07700 900123", "+4407700900123"),
        ("GB", "０7700 ９00123", "+4407700900123"),
    ] {
        assert_eq!(read_in(code, text), Ok(number.to_owned()), "{text}");
    }
}

#[test]
fn international_numbers_win_over_the_selected_country() {
    for text in [
        "+44 7700 900123",
        "0044 7700 900123",
        "00447700900123",
        "tel:+44-7700-900123",
        "TEL:+447700900123",
        "＋44\u{a0}7700\u{2011}900123",
    ] {
        assert_eq!(
            read_in("US", text),
            Ok("+447700900123".to_owned()),
            "{text}"
        );
        let named = country_of(text, &countries(), "US").unwrap().code.clone();
        assert_eq!(named, "GB", "{text}");
    }
}

#[test]
fn an_international_number_needs_no_country() {
    assert!(read("+14155550123", None).is_ok());
    assert_eq!(read("4155550123", None), Err(FailureKind::CountryMissing));
}

#[test]
fn nothing_is_dropped_in_silence() {
    for text in ["415555O123", "4155550123 ext 5", "415\u{200b}5550123", "a"] {
        let failure = FailureKind::Phone(InvalidPhoneNumber::ForbiddenCharacter);
        assert_eq!(read_in("US", text), Err(failure), "{text:?}");
    }
    assert_eq!(read_in("US", "  "), Err(FailureKind::PhoneMissing));
    assert_eq!(
        read_in("US", "415"),
        Err(FailureKind::Phone(InvalidPhoneNumber::NotE164))
    );
}

#[test]
fn a_shared_calling_code_keeps_the_selected_country() {
    let countries = countries();
    let named = |text, selected| country_of(text, &countries, selected).map(|c| c.code.as_str());
    assert_eq!(named("+1 415", "CA"), Some("CA"));
    assert_eq!(named("+1 415", "DE"), Some("US"));
    assert_eq!(named("+44", "GG"), Some("GG"));
    assert_eq!(named("+4", "DE"), None);
    assert_eq!(named("+999", "DE"), None);
    assert_eq!(named("415", "DE"), None);
}

#[test]
fn choosing_a_country_replaces_the_typed_calling_code_only() {
    let countries = countries();
    let chosen = country("US");
    for (text, after) in [
        ("+44 7700 900123", "+1 7700 900123"),
        ("0044 7700 900123", "+1 7700 900123"),
        ("7700 900123", "7700 900123"),
        ("", ""),
        ("+999 12", "+999 12"),
    ] {
        assert_eq!(with_country(text, &countries, &chosen), after);
    }
}

#[test]
fn the_first_language_with_a_served_region_is_the_guess() {
    let countries = countries();
    let guessed = |languages: &[&str]| {
        let languages: Vec<String> = languages.iter().map(ToString::to_string).collect();
        guess(&languages, &countries).unwrap().code.clone()
    };
    assert_eq!(guessed(&["en-GB", "de-DE"]), "GB");
    assert_eq!(guessed(&["fr-FR", "de-Latn-DE"]), "DE");
    assert_eq!(guessed(&["fr"]), "US");
    assert_eq!(guess(&[], &countries[1..3]).unwrap().code, "DE");
    assert_eq!(guess(&[], &[]), None);
}

#[test]
fn the_preview_is_spaced_and_has_no_trunk_zero() {
    for (text, shown) in [
        ("+14155550123", "+1 415 555 0123"),
        ("+44 (0)7700 900123", "+44 7700 900123"),
        ("+447700900123", "+44 7700 900123"),
        ("+390612345678", "+39 061 234 5678"),
        ("+99912345678", "+99912345678"),
    ] {
        let number = PhoneNumber::parse(text).unwrap();
        assert_eq!(preview(&number, &countries()), shown, "{text}");
    }
}

#[test]
fn a_number_is_spaced_as_it_was_typed_national_or_international() {
    for (code, text, spaced) in [
        ("GB", "+447700900123", Some("+44 7700 900123")),
        ("GB", "00447700900123", Some("+44 7700 900123")),
        ("GB", "tel:+44-7700-900123", Some("+44 7700 900123")),
        ("GB", "+44 (0)7700 900123", Some("+44 7700 900123")),
        ("GB", "07700900123", Some("07700 900123")),
        ("GB", "7700900123", Some("7700 900123")),
        ("US", "(415) 555-0123", Some("415 555 0123")),
        ("US", "14155550123", Some("1 415 555 0123")),
        ("IT", "0612345678", Some("061 234 5678")),
        ("GB", "٠٧٧٠٠٩٠٠١٢٣", Some("07700 900123")),
        ("GB", "+44 20 7946 0958", None),
        ("GB", "12", None),
        ("GB", "07700 900 CALL", None),
        ("GB", "", None),
    ] {
        let country = country(code);
        assert_eq!(
            format(text, Some(&country), &countries()).as_deref(),
            spaced,
            "{text}"
        );
    }
}

#[test]
fn spacing_a_number_never_changes_it() {
    for (code, text) in [
        ("GB", "07700900123"),
        ("US", "4155550123"),
        ("DE", "015123456789"),
    ] {
        let country = country(code);
        let spaced = format(text, Some(&country), &countries()).unwrap();
        assert_eq!(read_in(code, &spaced), read_in(code, text));
    }
}
