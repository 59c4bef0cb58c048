use proptest::{prelude::*, test_runner::Config};

use super::*;

fn policy() -> AccessPolicy {
    AccessPolicy {
        countries: None,
        channels: Channel::ALL.to_vec(),
        fictitious_numbers: true,
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Real numbers of many countries, as people write them.
const NUMBERS: [&str; 12] = [
    "+1 (415) 555-0123",
    "+44 (0)7400 123456",
    "+447700900123",
    "+49 1512 3456789",
    "+49 (0)1512 3456789",
    "+390612345678",
    "+39 312 345 6789",
    "+33 6 12 34 56 78",
    "+55 11 96123-4567",
    "+91 81234 56789",
    "+52 222 123 4567",
    "+54 9 11 2345-6789",
];

/// Typical mistakes when a number is copied into a field.
fn mutated() -> impl Strategy<Value = String> {
    let inserted = prop_oneof![
        8 => prop::sample::select(" -.()+0123456789".chars().collect::<Vec<_>>()),
        2 => prop::sample::select("OlI;,x#*/\u{0}\u{200b}\u{a0}\u{202e}١５".chars().collect::<Vec<_>>()),
        1 => any::<char>(),
    ];
    let edit = (0..3_u8, any::<prop::sample::Index>(), inserted);
    (
        prop::sample::select(NUMBERS.to_vec()),
        prop::collection::vec(edit, 0..4),
    )
        .prop_map(|(number, edits)| {
            let mut text: Vec<char> = number.chars().collect();
            for (kind, index, character) in edits {
                let at = index.index(text.len().max(1));
                match kind {
                    0 => text.insert(at.min(text.len()), character),
                    1 if !text.is_empty() => text[at] = character,
                    _ if !text.is_empty() => drop(text.remove(at)),
                    _ => {}
                }
            }
            text.into_iter().collect()
        })
}

proptest! {
    #![proptest_config(Config::with_cases(20_000))]

    /// The digits sent are the digits typed, or those without one zero right after the
    /// calling code.
    #[test]
    fn the_digits_sent_are_the_digits_typed(text in mutated()) {
        if let Ok(Recipient { number, .. }) = read(&text, Channel::Voice, &policy()) {
            prop_assert!(text.is_ascii());
            let (sent, typed) = (number.digits(), digits(&text));
            let trunk_zero_dropped = (1..=3).any(|length| {
                typed.len() == sent.len() + 1
                    && typed[..length] == sent[..length]
                    && typed[length..] == format!("0{}", &sent[length..])
            });
            prop_assert!(sent == typed || trunk_zero_dropped, "{typed} became {sent}");
        }
    }
}

/// Numbers around the metadata's examples of every country and kind.
fn around_examples() -> impl Strategy<Value = PhoneNumber> {
    let kinds = [
        PhoneNumberType::Mobile,
        PhoneNumberType::FixedLine,
        PhoneNumberType::TollFree,
        PhoneNumberType::PremiumRate,
        PhoneNumberType::SharedCost,
        PhoneNumberType::VoIP,
        PhoneNumberType::UAN,
    ];
    let examples: Vec<String> = PHONE_NUMBER_UTIL
        .get_supported_regions()
        .flat_map(|region| kinds.map(|kind| (region, kind)))
        .filter_map(|(region, kind)| {
            PHONE_NUMBER_UTIL
                .get_example_number_for_type_and_region(region, kind)
                .ok()
        })
        .map(|number| digits(&PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164)))
        .collect();
    let edit = (0..4_u8, any::<prop::sample::Index>(), b'0'..=b'9');
    let edits = prop::collection::vec(edit, 0..6);
    (prop::sample::select(examples), edits).prop_filter_map("no number", |(example, edits)| {
        let mut digits = example.into_bytes();
        for (kind, index, digit) in edits {
            let at = index.index(digits.len());
            match kind {
                0 => digits.insert(at, digit),
                1 if digits.len() > 1 => drop(digits.remove(at)),
                _ => digits[at] = digit,
            }
        }
        PhoneNumber::parse(&format!("+{}", String::from_utf8(digits).ok()?)).ok()
    })
}

proptest! {
    #![proptest_config(Config::with_cases(10_000))]

    /// The fast path and the metadata's parser agree.
    #[test]
    fn the_fast_path_agrees_with_the_parser(number in around_examples()) {
        if let Some(known) = plain(&number) {
            prop_assert_eq!(Some(known), parsed(&number));
        }
    }
}

#[test]
fn the_sample_numbers_are_valid() {
    for number in NUMBERS {
        assert!(read(number, Channel::Voice, &policy()).is_ok(), "{number}");
    }
}

#[test]
fn a_zero_is_dropped_only_where_the_country_dials_one() {
    let read = |text| {
        read(text, Channel::Voice, &policy()).map(|recipient| recipient.number.as_str().to_owned())
    };
    assert_eq!(read("+44 (0)7400 123456").unwrap(), "+447400123456");
    assert_eq!(read("+44 (0)7700 900123").unwrap(), "+447700900123");
    for refused in [
        "+44 00 7400 123456",
        "+44 00 7700 900123",
        "+44 7700 9001234",
        "+1 0415 555 0123",
        "+39 3 012 345 678 90",
        "+7 8 912 345 67 89",
    ] {
        assert_eq!(read(refused), Err(RecipientError::Invalid), "{refused}");
    }
}

#[test]
fn a_refused_landline_names_the_voice_channel_if_it_is_allowed() {
    let landline = |channels: &[Channel]| {
        let policy = AccessPolicy {
            channels: channels.to_vec(),
            ..policy()
        };
        read("+442079460958", Channel::Sms, &policy)
    };
    for (channels, other_channel) in [
        (&[Channel::Sms, Channel::Voice][..], true),
        (&[Channel::Sms], false),
    ] {
        let refused = RecipientError::NumberTypeNotAllowed { other_channel };
        assert_eq!(landline(channels), Err(refused));
    }
    let premium = read("+449012345678", Channel::Sms, &policy());
    let refused = RecipientError::NumberTypeNotAllowed {
        other_channel: false,
    };
    assert_eq!(premium, Err(refused));
}
