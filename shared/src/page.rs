//! The hosted page for a number that an application's server knows: created by the
//! server, completed by the user.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Channel, Locale};

/// Path on which the page requests its code, once the user has pressed the button.
pub const PATH: &str = "/api/otp/page";
/// How long the user may take to press it.
pub const LIFETIME: Duration = Duration::from_mins(10);

/// The answer to a send with `page`: nothing has been sent yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PageResponse {
    /// URL of the page for the user. It shows their number, masked, and sends one code
    /// when they press its button.
    #[cfg_attr(
        feature = "openapi",
        schema(examples("https://verify.example.com/?page=51630b05-1f2b-4c1a-835b-968f259175d1"))
    )]
    pub page_url: String,
    /// When the page expires, RFC 3339 in UTC.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub expires_at: String,
    /// Whole seconds until then.
    pub expires_in: u64,
}

/// Requests the one code of a page.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "validator", derive(validator::Validate))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PageRequest {
    /// The page's id, as in its URL.
    #[cfg_attr(
        feature = "validator",
        validate(custom(function = "crate::problem::check::session_uuid"))
    )]
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::session_uuid))]
    pub page: String,
    /// Channel of the code; if absent, the one that the application requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Language of the message; if absent, the one that the application requested.
    #[serde(
        default,
        deserialize_with = "crate::locale::wish",
        skip_serializing_if = "Option::is_none"
    )]
    pub locale: Option<Locale>,
}
