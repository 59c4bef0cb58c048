use countersign_shared::phone_number::InvalidPhoneNumber;

use super::*;

fn countries() -> Vec<Country> {
    let groups = |groups: &[&[u8]]| groups.iter().map(|groups| groups.to_vec()).collect();
    [
        ("CA", 1, "+15062345678", "1", groups(&[&[3, 3, 4]])),
        ("DE", 49, "+4915123456789", "0", groups(&[&[4, 6], &[4, 7]])),
        ("FR", 33, "+33612345678", "0", groups(&[&[1, 2, 2, 2, 2]])),
        ("GB", 44, "+447400123456", "0", groups(&[&[4, 6]])),
        ("GG", 44, "+447781123456", "0", groups(&[&[4, 6]])),
        ("HU", 36, "+36201234567", "06", groups(&[&[2, 3, 4]])),
        (
            "IT",
            39,
            "+393123456789",
            "",
            groups(&[&[3, 3, 3], &[3, 3, 4]]),
        ),
        ("KZ", 7, "+77710009998", "8", groups(&[&[3, 3, 4]])),
        ("LT", 370, "+37061234567", "0 8", groups(&[&[3, 5]])),
        ("RU", 7, "+79123456789", "8", groups(&[&[3, 3, 2, 2]])),
        ("US", 1, "+12015550123", "1", groups(&[&[3, 3, 4]])),
    ]
    .into_iter()
    .map(|(code, calling_code, example, prefix, groups)| Country {
        code: code.to_owned(),
        calling_code,
        example: example.to_owned(),
        national_prefixes: prefix.split_whitespace().map(str::to_owned).collect(),
        groups,
    })
    .collect()
}

fn country(code: &str) -> Country {
    let mut countries = countries().into_iter();
    countries.find(|country| country.code == code).unwrap()
}

fn read_in(code: &str, text: &str) -> Result<String, FailureKind> {
    read(text, Some(&country(code)), &countries()).map(|number| number.as_str().to_owned())
}

#[test]
fn national_numbers_get_the_calling_code() {
    for (code, text, number) in [
        ("US", "(415) 555-0123", "+14155550123"),
        ("US", "1 415 555 0123", "+14155550123"),
        ("GB", "7700 900123", "+447700900123"),
        ("GB", "07700 900123", "+447700900123"),
        ("GB", "０7700 ９00123", "+447700900123"),
        ("GB", "020 7946 0958", "+442079460958"),
        ("IT", "06 1234 5678", "+390612345678"),
        ("IT", "06 123 456 789", "+3906123456789"),
    ] {
        assert_eq!(read_in(code, text), Ok(number.to_owned()), "{text}");
    }
}

#[test]
fn what_is_dialled_inside_a_country_is_no_part_of_the_number() {
    for (code, text, number) in [
        ("HU", "06 20 123 4567", "+36201234567"),
        ("HU", "20 123 4567", "+36201234567"),
        ("HU", "+36 06 20 123 4567", "+36201234567"),
        ("RU", "8 (912) 345-67-89", "+79123456789"),
        ("RU", "912 345-67-89", "+79123456789"),
        // A number that begins with what elsewhere is the prefix.
        ("RU", "812 345-67-89", "+78123456789"),
        ("KZ", "8 771 000 9998", "+77710009998"),
        ("LT", "8 612 34567", "+37061234567"),
        ("LT", "0 612 34567", "+37061234567"),
        ("DE", "0151 23456789", "+4915123456789"),
        ("DE", "030 123456", "+4930123456"),
        ("GB", "+44 (0)7700 900123", "+447700900123"),
        ("US", "1 (415) 555-0123", "+14155550123"),
    ] {
        assert_eq!(read_in(code, text), Ok(number.to_owned()), "{text}");
    }
}

#[test]
fn a_calling_code_without_its_plus_is_one_where_nothing_else_fits() {
    for (code, text, number) in [
        ("GB", "44 7700 900123", "+447700900123"),
        ("GB", "44 (0)7700 900123", "+447700900123"),
        ("DE", "(49) 1512 3456789", "+4915123456789"),
        ("HU", "36 20 123 4567", "+36201234567"),
        ("HU", "36 06 20 123 4567", "+36201234567"),
        ("IT", "39 312 345 6789", "+393123456789"),
        ("RU", "7 912 345 67 89", "+79123456789"),
        ("US", "1 415 555 0123", "+14155550123"),
        // A number of the country as it stands.
        ("DE", "491 2345678", "+494912345678"),
        ("GB", "4412345678", "+444412345678"),
        // No number either way.
        ("GB", "44 7700", "+44447700"),
    ] {
        assert_eq!(read_in(code, text), Ok(number.to_owned()), "{text}");
    }
}

#[test]
fn address_books_and_word_processors_do_no_harm() {
    for text in [
        "\u{202a}+44 7700 900123\u{202c}",
        "\u{2066}+44\u{2069}\u{a0}7700\u{202f}900\u{200e}123",
        "＋４４（０）７７００－９００１２３",
        "\t+44\u{2009}7700\u{2011}900123\n",
    ] {
        let number = Ok("+447700900123".to_owned());
        assert_eq!(read_in("US", text), number, "{text:?}");
    }
}

#[test]
fn a_server_that_knows_less_is_enough() {
    let bare = |code: &str| Country {
        national_prefixes: Vec::new(),
        groups: Vec::new(),
        ..country(code)
    };
    for (code, text, number) in [
        ("GB", "07700 900123", "+447700900123"),
        ("GB", "44 7700 900123", "+447700900123"),
        ("US", "1 415 555 0123", "+14155550123"),
        ("IT", "06 1234 5678", "+390612345678"),
    ] {
        let country = bare(code);
        let read = read(text, Some(&country), std::slice::from_ref(&country));
        assert_eq!(read.unwrap().as_str(), number, "{text}");
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
    assert!(read("+14155550123", None, &[]).is_ok());
    assert_eq!(
        read("4155550123", None, &[]),
        Err(FailureKind::CountryMissing)
    );
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
    assert_eq!(guessed(&["pl-PL", "de-Latn-DE"]), "DE");
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
        ("+33612345678", "+33 6 12 34 56 78"),
        ("+36201234567", "+36 20 123 4567"),
        ("+79123456789", "+7 912 345 67 89"),
        ("+77710009998", "+7 771 000 9998"),
        ("+491512345678", "+49 1512 345678"),
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
        ("HU", "06201234567", Some("06 20 123 4567")),
        ("GB", "447700900123", Some("44 7700 900123")),
        ("FR", "0612345678", Some("06 12 34 56 78")),
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
