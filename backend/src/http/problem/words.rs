//! Error messages for users.

use std::time::Duration;

use countersign_platform::clock::whole_seconds_up;

/// What a field should contain. It names no field, because clients of the first API show
/// the message to users.
pub(super) fn advice_on(field: &str) -> &'static str {
    match field {
        "recipient" => "Give the phone number as text, with its country code.",
        "channel" => "Choose sms, voice or whatsapp, or leave the choice to us.",
        "locale" => "Give the language as text, such as en or pt-BR, or leave the choice to us.",
        "nonce" => "The application's own word must be 1 to 255 visible ASCII characters.",
        "session_uuid" => {
            "This verification is not named as we named it. Name it exactly so, or start a new one."
        }
        "Idempotency-Key" => "The request's key must be one of 16 to 255 visible ASCII characters.",
        "Access-Control-Request-Headers" => {
            "A page may ask for 32 names of headers at most, in 1 KB."
        }
        "purpose" => "Name what it is for as sign_up, sign_in, change_number or reset.",
        "application" => "No such application, or not the one of the key.",
        "page" => "Say true for a page, or leave it out; a page is named as we named it.",
        "return_to" => {
            "Name where the page leads back to: one of the application's return addresses."
        }
        "embed" => "Name the origin of the page around it: one of the application's.",
        "end_user" | "end_user.address" => {
            "Name the user's public IP address, as the application's server saw it."
        }
        "end_user.id" => "The application's name for its user must be 1 to 255 bytes of text.",
        "otp" => "Give the code as text: its digits and nothing else.",
        _ => "Something is missing or malformed.",
    }
}

/// Advice for an unknown field.
pub(super) fn instead_of(field: &str) -> &'static str {
    match field {
        "method" | "url" | "callback_url" => {
            "Where Plivo calls back is not asked for here: the operator sets PUBLIC_URL."
        }
        "app_uuid" => {
            "Plivo's application is not asked for here: the operator sets PLIVO_APP_UUID."
        }
        "app_hash" => "This is not asked for here: the operator sets PLIVO_APP_HASH.",
        "brand_name" => {
            "The name in the message is not asked for here: the operator sets BRAND_NAME."
        }
        "code_length" | "otp_length" => {
            "How long codes are is not asked for here: the operator sets OTP_LENGTH."
        }
        "dtmf" | "fraud_check" => {
            "This is not asked for here: it is set in Plivo's console, for the application."
        }
        "phone" | "phone_number" | "number" | "to" | "dst" => {
            "The phone number has another name here; see the documentation of this call."
        }
        "code" | "token" => "The code has another name here; see the documentation of this call.",
        "session_id" | "session" => {
            "The verification has another name here; see the documentation of this call."
        }
        "language" | "lang" => {
            "The language has another name here; see the documentation of this call."
        }
        _ => "This call does not take that. Leave it out.",
    }
}

/// A duration in words, rounded up.
pub(super) fn in_words(wait: Duration) -> String {
    let seconds = whole_seconds_up(wait).max(1);
    let (count, unit) = match seconds {
        ..=90 => (seconds, "second"),
        91..=5400 => (seconds.div_ceil(60), "minute"),
        5401..=129_600 => (seconds.div_ceil(3600), "hour"),
        _ => (seconds.div_ceil(86_400), "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::{super::ApiError, *};
    use countersign_core::RefusalRule;

    use crate::verification::Refusal;

    #[test]
    fn a_wait_is_said_as_people_say_it_and_never_too_short() {
        for (milliseconds, said) in [
            (0, "1 second"),
            (1, "1 second"),
            (1_001, "2 seconds"),
            (90_000, "90 seconds"),
            (91_000, "2 minutes"),
            (3_330_000, "56 minutes"),
            (5_400_000, "90 minutes"),
            (5_401_000, "2 hours"),
            (129_600_000, "36 hours"),
            (129_601_000, "2 days"),
        ] {
            assert_eq!(in_words(Duration::from_millis(milliseconds)), said);
        }
    }

    /// Clients of the first API show the message to users.
    #[test]
    fn a_message_names_no_field() {
        let fields = [
            "recipient",
            "channel",
            "locale",
            "nonce",
            "session_uuid",
            "otp",
            "Idempotency-Key",
        ];
        let invalid = fields.map(ApiError::InvalidField);
        let wait = Duration::from_secs(7);
        let refused = [
            Refusal::RecipientInvalid,
            Refusal::CountryNotAllowed,
            Refusal::NumberTypeNotAllowed {
                other_channel: true,
            },
            Refusal::NumberTypeNotAllowed {
                other_channel: false,
            },
            Refusal::ChannelNotAvailable,
            Refusal::OtpLength { expected: 6 },
            Refusal::OtpIncorrect { checks_left: 2 },
            Refusal::RateLimited {
                rule: RefusalRule::RequestsPerAddress,
                retry_after: wait,
            },
            Refusal::RequestUnderWay,
            Refusal::IdempotencyKeyReused,
            Refusal::UpstreamError,
            Refusal::UpstreamTimeout,
            Refusal::TemporarilyUnavailable { retry_after: wait },
        ];
        for error in invalid.into_iter().chain(refused.map(ApiError::Refused)) {
            let message = error.problem().message;
            let words: Vec<&str> = message.split([' ', ',', '.', ':']).collect();
            for name in ["recipient", "locale", "nonce", "otp", "Idempotency-Key"] {
                assert!(!words.contains(&name), "{message}");
            }
            assert!(!message.contains('_'), "{message}");
        }
    }
}
