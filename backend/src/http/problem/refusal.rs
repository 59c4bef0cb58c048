//! The error response of a refused step.

use std::{borrow::Cow, time::Duration};

use countersign_core::SessionOver;
use countersign_shared::{
    ErrorCode, Problem,
    session::NextAction::{self, ChangeChannel, ChangeRecipient, Resend, Retry, Send, Verify},
};

use super::{problem, waiting, words::in_words};
use crate::verification::Refusal;

pub(super) fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::RecipientInvalid => recipient(
            ErrorCode::RecipientInvalid,
            "That is not a phone number we can read. Give it with its country code, such as +14155550123.",
        ),
        Refusal::CountryNotAllowed => recipient(
            ErrorCode::CountryNotAllowed,
            "We do not send codes to that country. Use a number of another country.",
        ),
        Refusal::NumberTypeNotAllowed { other_channel } => number_type(other_channel),
        Refusal::ChannelNotAvailable => Problem {
            field: Some(Cow::Borrowed("channel")),
            ..problem(
                400,
                ErrorCode::ChannelNotAvailable,
                "Codes are not sent that way here. Choose another channel.",
                &[ChangeChannel],
            )
        },
        Refusal::OtpLength { expected } => Problem {
            field: Some(Cow::Borrowed("otp")),
            ..problem(
                400,
                ErrorCode::InvalidRequest,
                format!("The code has {expected} digits. This was not counted as a try."),
                &[Verify],
            )
        },
        Refusal::OtpIncorrect { checks_left: 0 } => wrong_code(
            0,
            "That code is wrong, and it was the last try. Ask for a new code.",
            &[Send],
        ),
        Refusal::OtpIncorrect { checks_left } => wrong_code(
            checks_left,
            "That code is wrong. Look at the newest message and try again.",
            &[Verify, Resend],
        ),
        Refusal::Over(over) => session_over(over),
        Refusal::RateLimited { rule, retry_after } => Problem {
            limit: Some(Cow::Borrowed(rule.public_name())),
            ..waiting(
                429,
                ErrorCode::RateLimited,
                format!("Too many requests. Try again in {}.", in_words(retry_after)),
                retry_after,
            )
        },
        Refusal::RequestUnderWay => waiting(
            409,
            ErrorCode::RequestUnderWay,
            "This request is being worked on already. Repeat it in a moment.",
            Duration::from_secs(1),
        ),
        Refusal::IdempotencyKeyReused => Problem {
            field: Some(Cow::Borrowed("Idempotency-Key")),
            ..problem(
                422,
                ErrorCode::IdempotencyKeyReused,
                "The request's key was used for another request. Use a new key for a new request.",
                &[],
            )
        },
        Refusal::UpstreamError => problem(
            502,
            ErrorCode::UpstreamError,
            "The code could not be delivered or checked. Try again in a while.",
            &[Retry],
        ),
        Refusal::UpstreamTimeout => problem(
            504,
            ErrorCode::UpstreamTimeout,
            "The delivery service did not answer in time. A code may still arrive.",
            &[Retry],
        ),
        Refusal::TemporarilyUnavailable { retry_after } | Refusal::Unsettled { retry_after } => {
            waiting(
                503,
                ErrorCode::TemporarilyUnavailable,
                format!(
                    "The service is not available for a moment. Try again in {}.",
                    in_words(retry_after)
                ),
                retry_after,
            )
        }
    }
}

fn recipient(code: ErrorCode, detail: &'static str) -> Problem {
    Problem {
        field: Some(Cow::Borrowed("recipient")),
        ..problem(400, code, detail, &[ChangeRecipient])
    }
}

fn number_type(other_channel: bool) -> Problem {
    let code = ErrorCode::NumberTypeNotAllowed;
    if other_channel {
        Problem {
            next_actions: vec![ChangeChannel, ChangeRecipient],
            ..recipient(
                code,
                "That kind of number cannot take the code this way. Use a mobile number, or voice for a landline.",
            )
        }
    } else {
        recipient(
            code,
            "That kind of number cannot take codes here. Use a mobile number.",
        )
    }
}

fn wrong_code(checks_left: u8, detail: &'static str, next_actions: &[NextAction]) -> Problem {
    Problem {
        verified: Some(false),
        checks_left: Some(checks_left),
        ..problem(400, ErrorCode::OtpIncorrect, detail, next_actions)
    }
}

fn session_over(over: SessionOver) -> Problem {
    match over {
        SessionOver::NotFound => problem(
            404,
            ErrorCode::SessionNotFound,
            "There is no such verification. Start a new one.",
            &[Send],
        ),
        SessionOver::Expired => problem(
            404,
            ErrorCode::SessionExpired,
            "This code is no longer valid. Ask for a new one.",
            &[Send],
        ),
        SessionOver::AlreadyVerified => problem(
            409,
            ErrorCode::SessionAlreadyVerified,
            "This verification is already complete. Its code cannot be used again.",
            &[Send],
        ),
        SessionOver::ChecksExhausted => Problem {
            checks_left: Some(0),
            limit: Some(Cow::Borrowed("checks_per_session")),
            ..problem(
                429,
                ErrorCode::ChecksExhausted,
                "Too many wrong codes. Ask for a new code.",
                &[Send],
            )
        },
    }
}
