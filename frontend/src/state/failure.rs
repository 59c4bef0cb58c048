//! What can go wrong, as the page tells it apart.

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
    /// True when the same would do by another channel.
    pub other_channel: bool,
    /// The failed request's id in the service's log, where support can help.
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
    /// No answer came, or one that is not the service's.
    ServerUnreachable,
    /// The service refused.
    Refused(ErrorCode),
    /// No phone number was typed.
    PhoneMissing,
    /// A national number, and no country to go with it.
    CountryMissing,
    /// What was typed is no phone number.
    Phone(InvalidPhoneNumber),
    /// No code was typed.
    CodeMissing,
    /// The code lacks digits.
    CodeTooShort,
    /// The code has too many digits.
    CodeTooLong,
    /// The code has something else than digits.
    CodeNotDigits,
}

impl FailureKind {
    /// The key of its text.
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

/// True when the person can mend it, so that nobody needs to look it up.
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
    /// True when it says that the session takes no further step.
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

    /// True when no answer came, so that the same request may be made again
    /// under the same idempotency key.
    pub fn is_unanswered(&self) -> bool {
        matches!(
            self.kind,
            FailureKind::Offline
                | FailureKind::ServerUnreachable
                | FailureKind::Refused(ErrorCode::RequestUnderWay)
        )
    }
}
