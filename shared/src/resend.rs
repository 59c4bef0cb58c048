//! `POST /api/otp/resend`: the same session and code, delivered again.

use serde::{Deserialize, Serialize};

use crate::{Channel, EndUser};

/// Path of the request.
pub const PATH: &str = "/api/otp/resend";

/// Requests another delivery of the code. The answer is that of a send.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "validator", derive(validator::Validate))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ResendRequest {
    /// The session's id, as returned by send.
    #[cfg_attr(
        feature = "validator",
        validate(custom(function = "crate::problem::check::session_uuid"))
    )]
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::session_uuid))]
    pub session_uuid: String,
    /// Channel of the delivery; the last one used if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The user on whose behalf an application's server calls; only with its key.
    #[serde(
        default,
        deserialize_with = "crate::end_user::from_object",
        skip_serializing_if = "Option::is_none"
    )]
    pub end_user: Option<EndUser>,
}
