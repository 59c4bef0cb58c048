//! `POST /api/otp/verify`: checks a code.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::EndUser;

/// Path of the request.
pub const PATH: &str = "/api/otp/verify";

/// How long a lost answer can be fetched again, by the same request under the same
/// `Idempotency-Key`: long enough for a network to recover, too short for the code to be
/// of use to somebody who sees it later.
pub const ANSWER_KEPT_FOR: Duration = Duration::from_mins(1);

/// Checks a code.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "validator", derive(validator::Validate))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The session's id, as returned by send.
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
    /// The user on whose behalf an application's server calls; only with its key.
    #[serde(
        default,
        deserialize_with = "crate::end_user::from_object",
        skip_serializing_if = "Option::is_none"
    )]
    pub end_user: Option<EndUser>,
}

/// The answer to the right code. A wrong one is answered with a problem whose `verified` is
/// false.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifyResponse {
    /// Always true.
    pub verified: bool,
    /// A sentence to display.
    pub message: String,
    /// The number that is now verified, in E.164.
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::e164))]
    pub recipient: String,
    /// The proof, for an application's server, which verifies or introspects it.
    pub proof: String,
    /// When the proof expires, RFC 3339 in UTC.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub expires_at: String,
}
