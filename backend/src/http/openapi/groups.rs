//! Failures that go together, as handlers name them.

use std::time::Duration;

use countersign_core::{
    RefusalRule,
    SessionOver::{AlreadyVerified, ChecksExhausted, Expired, NotFound},
};

use crate::{
    http::problem::{
        ApiError::{self, InvalidField},
        Challenge,
    },
    verification::Refusal,
};

/// Waits as they are usual.
const SOON: Duration = Duration::from_secs(25);
const MOMENT: Duration = Duration::from_secs(5);

/// What any JSON body may have wrong.
pub(in crate::http) const BODY: &[ApiError] = &[
    ApiError::InvalidBody,
    ApiError::TooSlow,
    ApiError::TooLarge,
    ApiError::UnsupportedMediaType,
];
/// What any form may have wrong.
pub(in crate::http) const FORM: &[ApiError] =
    &[ApiError::TooSlow, ApiError::TooLarge, ApiError::NoForm];
/// Who may not call.
pub(in crate::http) const CALLER: &[ApiError] = &[
    ApiError::OriginNotAllowed,
    ApiError::Refused(Refusal::RateLimited {
        rule: RefusalRule::RequestsPerAddress,
        retry_after: SOON,
    }),
];
/// What may be wrong with an application's key.
pub(in crate::http) const APPLICATION: &[ApiError] = &[
    ApiError::Unauthorized(Challenge::Bearer),
    ApiError::KeyFromBrowser,
];
/// What a server says of whom it calls for.
pub(in crate::http) const END_USER: &[ApiError] = &[
    InvalidField("end_user.address"),
    InvalidField("end_user.id"),
];
/// Who may not read, for now: pages of other sites may.
pub(in crate::http) const READER: &[ApiError] = &[ApiError::Refused(Refusal::RateLimited {
    rule: RefusalRule::RequestsPerAddress,
    retry_after: SOON,
})];
/// What a key may be wrong for.
pub(in crate::http) const KEY: &[ApiError] = &[
    InvalidField("Idempotency-Key"),
    ApiError::Refused(Refusal::RequestUnderWay),
    ApiError::Refused(Refusal::IdempotencyKeyReused),
];
pub(in crate::http) const SESSION: &[ApiError] = &[
    InvalidField("session_uuid"),
    ApiError::Refused(Refusal::Over(NotFound)),
    ApiError::Refused(Refusal::Over(Expired)),
];
pub(in crate::http) const DONE: &[ApiError] = &[
    ApiError::Refused(Refusal::Over(AlreadyVerified)),
    ApiError::Refused(Refusal::Over(ChecksExhausted)),
];
pub(in crate::http) const STORE: &[ApiError] =
    &[ApiError::Refused(Refusal::TemporarilyUnavailable {
        retry_after: MOMENT,
    })];
pub(in crate::http) const ENDING: &[ApiError] = &[ApiError::Ending];
pub(in crate::http) const UPSTREAM: &[ApiError] = &[
    ApiError::Refused(Refusal::UpstreamError),
    ApiError::Refused(Refusal::UpstreamTimeout),
];
pub(in crate::http) const NUMBER_TYPE: ApiError =
    ApiError::Refused(Refusal::NumberTypeNotAllowed {
        other_channel: true,
    });
pub(in crate::http) const NUMBER: &[ApiError] = &[
    ApiError::Refused(Refusal::RecipientInvalid),
    ApiError::Refused(Refusal::CountryNotAllowed),
    NUMBER_TYPE,
];
pub(in crate::http) const CHANNEL: &[ApiError] = &[
    InvalidField("channel"),
    ApiError::Refused(Refusal::ChannelNotAvailable),
];
