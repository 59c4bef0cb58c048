//! `POST /api/otp/verify`: one try at the code.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::EndUser;

/// Where the request goes.
pub const PATH: &str = "/api/otp/verify";

/// How long an answer that was lost can be fetched again, by the same request under
/// the same `Idempotency-Key`. Long enough for a network to come back, too short for
/// the code to be of use to somebody who sees it later.
pub const ANSWER_KEPT_FOR: Duration = Duration::from_mins(1);

/// Tries a code.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "validator", derive(validator::Validate))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The session, as send named it.
    #[cfg_attr(
        feature = "validator",
        validate(custom(function = "crate::problem::check::session_uuid"))
    )]
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::session_uuid))]
    pub session_uuid: String,
    /// The code, digits only.
    #[cfg_attr(
        feature = "validator",
        validate(custom(function = "crate::problem::check::otp"))
    )]
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::otp))]
    pub otp: String,
    /// For whom an application's server calls, with its key only.
    #[serde(
        default,
        deserialize_with = "crate::end_user::from_object",
        skip_serializing_if = "Option::is_none"
    )]
    pub end_user: Option<EndUser>,
}

/// The code was right. A wrong one is a problem whose `verified` is false.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifyResponse {
    /// Always true.
    pub verified: bool,
    /// A sentence to show.
    pub message: String,
    /// The number that is now verified, in E.164.
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::e164))]
    pub recipient: String,
    /// For an application's server, which checks it or asks about it.
    pub proof: String,
    /// When the proof ends, RFC 3339 in UTC.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub expires_at: String,
}
