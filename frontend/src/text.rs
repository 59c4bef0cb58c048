//! Every word the page shows, in one place.
//!
//! English only for now. The functions take what varies, so that another
//! language can order its words in its own way.

use countersign_shared::{
    Channel, ErrorCode,
    phone_number::InvalidPhoneNumber,
    session::{AttemptReason, AttemptStatus},
};

use crate::flow::{Failure, FailureKind, clock};

pub(crate) const STEP_PHONE: &str = "Step 1 of 2";
pub(crate) const STEP_CODE: &str = "Step 2 of 2";
pub(crate) const PHONE_HEADING: &str = "Verify your phone number";
pub(crate) const CODE_HEADING: &str = "Enter your code";
pub(crate) const VERIFIED_HEADING: &str = "Phone number verified";

pub(crate) const COUNTRY_LABEL: &str = "Country or region";
pub(crate) const COUNTRIES_LOADING: &str = "Loading…";
pub(crate) const PHONE_LABEL: &str = "Phone number";
pub(crate) const PHONE_PURPOSE: &str =
    "We send you a one-time code to make sure that this number is yours.";
pub(crate) const PHONE_SMALL_PRINT: &str =
    "Your number is used for this check only. Your carrier may charge for messages.";

pub(crate) const VERIFY: &str = "Verify";
pub(crate) const NO_CODE: &str = "No code yet?";
pub(crate) const CALL_ME: &str = "Call me instead";
pub(crate) const WHATSAPP_ME: &str = "Send by WhatsApp";
pub(crate) const CHANGE_NUMBER: &str = "Change number";
pub(crate) const SEND_NEW_CODE: &str = "Send a new code";
pub(crate) const START_AGAIN: &str = "Start again";
pub(crate) const VERIFY_ANOTHER: &str = "Verify another number";
pub(crate) const RESEND_READY: &str = "You can ask for the code again now.";
pub(crate) const VERIFIED_NEXT: &str = "You can close this page.";

pub(crate) const SANDBOX: &str =
    "Sandbox: nothing is really sent. Codes appear on the pretend phone.";
pub(crate) const PRETEND_PHONE: &str = "Pretend phone";
pub(crate) const PRETEND_PHONE_WAITS: &str = "Waiting for the message…";
pub(crate) const PRETEND_PHONE_CODE: &str = "Code";

/// The title of the browser's tab.
pub(crate) fn title(heading: &str, brand: &str, failed: bool) -> String {
    let error = if failed { "Error: " } else { "" };
    if brand.is_empty() {
        format!("{error}{heading}")
    } else {
        format!("{error}{heading} · {brand}")
    }
}

/// A country to choose.
pub(crate) fn country(name: &str, calling_code: u16) -> String {
    format!("{name} (+{calling_code})")
}

/// How a number of the country looks.
pub(crate) fn phone_hint(example: &str) -> String {
    format!("For example {example}")
}

/// The button that sends the first code.
pub(crate) const fn send(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "Text me a code",
        Channel::Voice => "Call me with a code",
        Channel::Whatsapp => "Send a code by WhatsApp",
    }
}

/// What will happen, before the number.
pub(crate) const fn preview(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "We will text ",
        Channel::Voice => "We will call ",
        Channel::Whatsapp => "We will message ",
    }
}

/// What has happened, before the number.
pub(crate) const fn sent_to(channel: Option<Channel>) -> &'static str {
    match channel {
        Some(Channel::Sms) => "We texted a code to ",
        Some(Channel::Voice) => "We are calling you with a code on ",
        Some(Channel::Whatsapp) => "We sent a code by WhatsApp to ",
        None => "We sent a code to ",
    }
}

/// How far the delivery has come, where that is worth a line.
pub(crate) const fn delivery(
    channel: Option<Channel>,
    status: AttemptStatus,
    reason: Option<AttemptReason>,
) -> Option<&'static str> {
    match (status, channel) {
        (AttemptStatus::Delivered, Some(Channel::Voice)) => Some("The call was answered."),
        (AttemptStatus::Delivered, _) => Some("Delivered to your phone."),
        (AttemptStatus::Undelivered, _) => Some(match (reason, channel) {
            (Some(AttemptReason::CountryBarred), _) => {
                "Nothing gets through to that country this way. Try another way."
            }
            (_, Some(Channel::Voice)) => {
                "The call did not get through. Try again, or check the number."
            }
            (Some(AttemptReason::Unreachable), _) => {
                "The message did not get through: the phone is out of reach. Try another way."
            }
            _ => "The message did not get through. Check the number, or try another way.",
        }),
        (AttemptStatus::Sent, Some(Channel::Voice)) => Some("Your phone is ringing."),
        (AttemptStatus::Sent, _) => Some("Handed to your carrier."),
        (AttemptStatus::Queued | AttemptStatus::Unknown, _) => None,
    }
}

/// The code field's label.
pub(crate) fn code_label(length: Option<u8>) -> String {
    match length {
        Some(length) => format!("{length}-digit code"),
        None => "Code".to_owned(),
    }
}

/// How long the code can be used.
pub(crate) fn expires(seconds: u64) -> String {
    format!("The code works for {} more.", clock(seconds))
}

/// The button that sends the code once more, with what is left to wait.
pub(crate) fn resend(seconds: Option<u64>) -> String {
    match seconds {
        Some(seconds @ 1..) => format!("Send again in {}", clock(seconds)),
        Some(0) | None => "Send again".to_owned(),
    }
}

/// Said when a button is pressed too early.
pub(crate) fn resend_later(seconds: u64) -> String {
    format!("You can ask for the code again in {}.", duration(seconds))
}

/// Said when a code is on its way.
pub(crate) fn announce_sent(channel: Channel, number: &str, again: bool) -> String {
    let again = if again {
        " The code is the same as before."
    } else {
        ""
    };
    format!("{}{number}.{again}", sent_to(Some(channel)))
}

/// The verified number's line.
pub(crate) const VERIFIED_NUMBER: &str = "is verified.";

/// What went wrong and what to do about it.
pub(crate) fn failure(failure: &Failure) -> String {
    match failure.kind {
        FailureKind::Offline => "You are offline. What you typed is kept: connect, then press the \
                                 button again."
            .to_owned(),
        FailureKind::ServerUnreachable => "We cannot reach the service. What you typed is kept: \
                                           wait a moment, then press the button again."
            .to_owned(),
        FailureKind::Refused(code) => refused(code, failure),
        FailureKind::PhoneMissing => "Enter your phone number.".to_owned(),
        FailureKind::CountryMissing => "Choose a country, or begin the number with + and its \
                                        country code."
            .to_owned(),
        FailureKind::Phone(reason) => phone(reason).to_owned(),
        FailureKind::CodeMissing => "Enter the code that we sent you.".to_owned(),
        FailureKind::CodeTooShort => "The code is too short. Enter all of its digits.".to_owned(),
        FailureKind::CodeTooLong => {
            "The code is too long. Check it against the message.".to_owned()
        }
        FailureKind::CodeNotDigits => {
            "The code has digits only. Check it against the message.".to_owned()
        }
    }
}

const fn phone(reason: InvalidPhoneNumber) -> &'static str {
    match reason {
        InvalidPhoneNumber::TooLong => "The phone number is too long. Check its digits.",
        InvalidPhoneNumber::ForbiddenCharacter => {
            "A phone number has digits only. Remove letters, extensions and other signs, or type \
             the number by hand."
        }
        InvalidPhoneNumber::NoCountryCode => "Begin the number with + and its country code.",
        InvalidPhoneNumber::NotE164 => {
            "The phone number is too short or too long. Check its digits and the country."
        }
    }
}

fn refused(code: ErrorCode, failure: &Failure) -> String {
    let wait = || match failure.retry_after {
        Some(seconds @ 1..) => format!("in {}", duration(seconds)),
        Some(0) | None => "in a moment".to_owned(),
    };
    match code {
        ErrorCode::OtpIncorrect => match failure.checks_left {
            Some(left) => format!(
                "That code is not right. Check it and type it again: {} left.",
                tries(left)
            ),
            None => "That code is not right. Check it and type it again.".to_owned(),
        },
        ErrorCode::RateLimited => format!("Too many tries. Try again {}.", wait()),
        ErrorCode::TemporarilyUnavailable => format!(
            "The service is busy. What you typed is kept: try again {}.",
            wait()
        ),
        other => refused_plainly(other).to_owned(),
    }
}

/// What a refusal without numbers in it says.
const fn refused_plainly(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::RecipientInvalid => {
            "This is not a phone number that we can reach. Check its digits and the country."
        }
        ErrorCode::CountryNotAllowed => {
            "We do not send codes to this country. Use a number of another country."
        }
        ErrorCode::NumberTypeNotAllowed => {
            "We cannot send codes to this kind of number. Use a mobile number."
        }
        ErrorCode::ChannelNotAvailable => "We cannot send the code this way. Choose another way.",
        ErrorCode::SessionNotFound | ErrorCode::SessionExpired => {
            "The code has expired. Ask for a new one."
        }
        ErrorCode::SessionAlreadyVerified => {
            "This code has been used already. If that was not you, start again."
        }
        ErrorCode::ChecksExhausted => {
            "That was one wrong code too many, so this code no longer works. Start again to get a \
             new one."
        }
        ErrorCode::OtpIncorrect => "That code is not right. Check it and type it again.",
        ErrorCode::RateLimited => "Too many tries. Try again later.",
        ErrorCode::RequestUnderWay => {
            "We are still working on this. Press the button again in a moment."
        }
        ErrorCode::UpstreamError => {
            "The code could not be sent or checked just now. Try again in a few minutes."
        }
        ErrorCode::UpstreamTimeout => {
            "This took too long. Your code may still arrive: look at your phone before you try \
             again."
        }
        ErrorCode::TemporarilyUnavailable => "The service is busy. Try again in a moment.",
        ErrorCode::InternalError => {
            "Something went wrong on our side. What you typed is kept: try again in a moment."
        }
        ErrorCode::InvalidRequest
        | ErrorCode::RequestTooLarge
        | ErrorCode::UnsupportedMediaType
        | ErrorCode::MethodNotAllowed
        | ErrorCode::OriginNotAllowed
        | ErrorCode::CallbackRefused
        | ErrorCode::RequestTimeout
        | ErrorCode::IdempotencyKeyReused
        | ErrorCode::NotFound
        | ErrorCode::Unknown => {
            "The service did not understand this page. Reload the page, then try again."
        }
    }
}

fn tries(left: u8) -> String {
    if left == 1 {
        "1 try".to_owned()
    } else {
        format!("{left} tries")
    }
}

/// A wait in words, never shorter than it is.
fn duration(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..=90 => (seconds, "second"),
        91..=5_400 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3_600), "hour"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused_with(code: ErrorCode) -> Failure {
        FailureKind::Refused(code).into()
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        for code in ErrorCode::ALL.iter().chain(&[ErrorCode::Unknown]) {
            let text = failure(&refused_with(*code));
            assert!(text.ends_with('.') && text.len() > 30, "{code:?}: {text}");
            assert!(
                !text.contains(code.as_str()) || code.as_str() == "unknown",
                "{text}"
            );
        }
    }

    #[test]
    fn a_wrong_code_says_what_is_left() {
        let mut wrong = refused_with(ErrorCode::OtpIncorrect);
        for (left, said) in [(4, "4 tries left"), (1, "1 try left")] {
            wrong.checks_left = Some(left);
            assert!(failure(&wrong).contains(said));
        }
    }

    #[test]
    fn a_limit_says_how_long_it_lasts() {
        let mut limited = refused_with(ErrorCode::RateLimited);
        for (seconds, said) in [
            (1, "in 1 second."),
            (90, "in 90 seconds."),
            (91, "in 2 minutes."),
            (3_600, "in 60 minutes."),
            (5_401, "in 2 hours."),
        ] {
            limited.retry_after = Some(seconds);
            assert!(failure(&limited).ends_with(said), "{}", failure(&limited));
        }
    }

    #[test]
    fn the_resend_button_counts_down() {
        assert_eq!(resend(Some(30)), "Send again in 0:30");
        assert_eq!(resend(Some(0)), "Send again");
        assert_eq!(resend(None), "Send again");
    }
}
