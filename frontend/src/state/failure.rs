//! Failures, as the page distinguishes them.

use std::{borrow::Cow, fmt};

use countersign_shared::{
    ErrorCode, Problem, phone_number::InvalidPhoneNumber, session::NextAction,
};

/// A failure to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// Whole seconds to wait before the next try.
    pub retry_after: Option<u64>,
    /// How many more codes may be tried.
    pub checks_left: Option<u8>,
    /// True if another channel would work.
    pub other_channel: bool,
    /// The failed request's id, by which support finds it in the service's log.
    pub request_id: Option<RequestId>,
}

/// A request's id: 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(u64);

impl RequestId {
    fn read(id: Option<&str>) -> Option<Self> {
        u64::from_str_radix(id?, 16).ok().map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The device has no network.
    Offline,
    /// No response arrived, or one that is not the service's.
    ServerUnreachable,
    /// The service refused.
    Refused(ErrorCode),
    /// No phone number was typed.
    PhoneMissing,
    /// A national number without a selected country.
    CountryMissing,
    /// The text is not a phone number.
    Phone(InvalidPhoneNumber),
    /// No code was typed.
    CodeMissing,
    /// The code is too short.
    CodeTooShort,
    /// The code is too long.
    CodeTooLong,
    /// The code contains something other than digits.
    CodeNotDigits,
}

impl FailureKind {
    /// The key of the message.
    pub fn key(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Offline => "offline",
            Self::ServerUnreachable => "unreachable",
            Self::Refused(code) => return Cow::Owned(format!("error-{}", code.as_str())),
            Self::PhoneMissing => "phone-missing",
            Self::CountryMissing => "country-missing",
            Self::Phone(InvalidPhoneNumber::TooLong) => "phone-too-long",
            Self::Phone(InvalidPhoneNumber::ForbiddenCharacter) => "phone-not-digits",
            Self::Phone(InvalidPhoneNumber::NoCountryCode) => "phone-no-country",
            Self::Phone(InvalidPhoneNumber::NotE164) => "phone-not-e164",
            Self::CodeMissing => "code-missing",
            Self::CodeTooShort => "code-too-short",
            Self::CodeTooLong => "code-too-long",
            Self::CodeNotDigits => "code-not-digits",
        })
    }
}

impl From<FailureKind> for Failure {
    fn from(kind: FailureKind) -> Self {
        Self {
            kind,
            retry_after: None,
            checks_left: None,
            other_channel: false,
            request_id: None,
        }
    }
}

impl From<&Problem> for Failure {
    fn from(problem: &Problem) -> Self {
        Self {
            kind: FailureKind::Refused(problem.code),
            retry_after: problem.retry_after,
            checks_left: problem.checks_left,
            other_channel: problem.next_actions.contains(&NextAction::ChangeChannel),
            request_id: RequestId::read(problem.request_id.as_deref())
                .filter(|_| !is_up_to_the_person(problem.code)),
        }
    }
}

/// True if the user can fix it, so that no support is needed.
fn is_up_to_the_person(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::RecipientInvalid
            | ErrorCode::CountryNotAllowed
            | ErrorCode::NumberTypeNotAllowed
            | ErrorCode::ChannelNotAvailable
            | ErrorCode::OtpIncorrect
            | ErrorCode::ChecksExhausted
            | ErrorCode::SessionExpired
            | ErrorCode::SessionNotFound
            | ErrorCode::SessionAlreadyVerified
            | ErrorCode::RequestUnderWay
    )
}

impl Failure {
    /// True if the session accepts no further step.
    pub(super) fn ends_session(&self) -> bool {
        matches!(
            self.kind,
            FailureKind::Refused(
                ErrorCode::SessionNotFound
                    | ErrorCode::SessionExpired
                    | ErrorCode::SessionAlreadyVerified
                    | ErrorCode::ChecksExhausted
            )
        )
    }

    /// True if no response arrived, so that the same request may be repeated under the
    /// same idempotency key.
    pub fn is_unanswered(&self) -> bool {
        matches!(
            self.kind,
            FailureKind::Offline
                | FailureKind::ServerUnreachable
                | FailureKind::Refused(ErrorCode::RequestUnderWay)
        )
    }
}
