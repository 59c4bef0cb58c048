//! Every call, in the order a reader meets them.

mod proofs;
mod service;
mod verification;

pub(super) use self::service::sandbox_messages;
use self::{
    proofs::{introspect, keys},
    service::{callback, config, docs, docs_file, health, openapi, page_failure},
    verification::{events, page_send, resend, send, session, verify},
};
use crate::http::openapi::call::Call;
use crate::http::problem::ApiError::{self, InvalidField};
use crate::http::problem::Challenge;
use crate::verification::Refusal;
use countersign_core::RefusalRule;
use countersign_core::SessionOver::{AlreadyVerified, ChecksExhausted, Expired, NotFound};
use std::time::Duration;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{HttpMethod, RefOr, Required, Schema};

/// Waits as they are usual.
const SOON: Duration = Duration::from_secs(25);
const MOMENT: Duration = Duration::from_secs(5);

/// What any JSON body may have wrong.
const BODY: &[ApiError] = &[
    ApiError::InvalidBody,
    ApiError::TooSlow,
    ApiError::TooLarge,
    ApiError::UnsupportedMediaType,
];
/// What any form may have wrong.
const FORM: &[ApiError] = &[ApiError::TooSlow, ApiError::TooLarge, ApiError::NoForm];
/// Who may not call.
const CALLER: &[ApiError] = &[
    ApiError::OriginNotAllowed,
    ApiError::Refused(Refusal::RateLimited {
        rule: RefusalRule::RequestsPerAddress,
        retry_after: SOON,
    }),
];
/// What may be wrong with an application's key.
const APPLICATION: &[ApiError] = &[
    ApiError::Unauthorized(Challenge::Bearer),
    ApiError::KeyFromBrowser,
];
/// What a server says of whom it calls for.
const END_USER: &[ApiError] = &[
    InvalidField("end_user.address"),
    InvalidField("end_user.id"),
];
/// Who may not read, for now: pages of other sites may.
const READER: &[ApiError] = &[ApiError::Refused(Refusal::RateLimited {
    rule: RefusalRule::RequestsPerAddress,
    retry_after: SOON,
})];
/// What a key may be wrong for.
const KEY: &[ApiError] = &[
    InvalidField("Idempotency-Key"),
    ApiError::Refused(Refusal::RequestUnderWay),
    ApiError::Refused(Refusal::IdempotencyKeyReused),
];
const SESSION: &[ApiError] = &[
    InvalidField("session_uuid"),
    ApiError::Refused(Refusal::Over(NotFound)),
    ApiError::Refused(Refusal::Over(Expired)),
];
const DONE: &[ApiError] = &[
    ApiError::Refused(Refusal::Over(AlreadyVerified)),
    ApiError::Refused(Refusal::Over(ChecksExhausted)),
];
const STORE: &[ApiError] = &[ApiError::Refused(Refusal::TemporarilyUnavailable {
    retry_after: MOMENT,
})];
const ENDING: &[ApiError] = &[ApiError::Ending];
const UPSTREAM: &[ApiError] = &[
    ApiError::Refused(Refusal::UpstreamError),
    ApiError::Refused(Refusal::UpstreamTimeout),
];
const NUMBER_TYPE: ApiError = ApiError::Refused(Refusal::NumberTypeNotAllowed {
    other_channel: true,
});
const NUMBER: &[ApiError] = &[
    ApiError::Refused(Refusal::RecipientInvalid),
    ApiError::Refused(Refusal::CountryNotAllowed),
    NUMBER_TYPE,
];
const CHANNEL: &[ApiError] = &[
    InvalidField("channel"),
    ApiError::Refused(Refusal::ChannelNotAvailable),
];

pub(super) fn all(is_sandbox: bool) -> Vec<Call> {
    vec![
        send(),
        resend(),
        verify(),
        page_send(),
        session(),
        events(),
        introspect(is_sandbox),
        keys(),
        config(),
        health("/healthz", "live", "Whether the process runs", "ok").fails(&[]),
        health("/readyz", "ready", "Whether the process can serve", "ready")
            .fails(&[STORE, ENDING]),
        openapi(),
        docs(),
        docs_file(),
        page_failure(),
        callback(HttpMethod::Post),
        callback(HttpMethod::Get),
    ]
}

fn path_parameter(name: &str, schema: RefOr<Schema>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema))
        .build()
}
