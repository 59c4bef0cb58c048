//! `POST /api/otp/resend`: the same session and code, delivered once more.

use serde::{Deserialize, Serialize};

use crate::{Channel, EndUser};

/// Where the request goes.
pub const PATH: &str = "/api/otp/resend";

/// Asks for the code once more. The answer is that of a send.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "validator", derive(validator::Validate))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ResendRequest {
    /// The session, as send named it.
    #[cfg_attr(
        feature = "validator",
        validate(custom(function = "crate::problem::check::session_uuid"))
    )]
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::session_uuid))]
    pub session_uuid: String,
    /// Another way for the code to travel; the last one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// For whom an application's server calls, with its key only.
    #[serde(
        default,
        deserialize_with = "crate::end_user::from_object",
        skip_serializing_if = "Option::is_none"
    )]
    pub end_user: Option<EndUser>,
}
