//! A page for a number that an application's server knows: begun by the server, finished
//! by the person.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Channel, Locale};

/// Where the page asks for its code, once the person pressed the button.
pub const PATH: &str = "/api/otp/page";
/// How long the person may take to press it.
pub const LIFETIME: Duration = Duration::from_mins(10);

/// The answer to a send with `page`: nothing was sent yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PageResponse {
    /// Where the person goes. It holds their number, masked, and sends one code when they
    /// press its button.
    #[cfg_attr(
        feature = "openapi",
        schema(examples("https://verify.example.com/?page=51630b05-1f2b-4c1a-835b-968f259175d1"))
    )]
    pub page_url: String,
    /// Until when they may press it, RFC 3339 in UTC.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub expires_at: String,
    /// Whole seconds until then.
    pub expires_in: u64,
}

/// Asks for the one code of a page.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "validator", derive(validator::Validate))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PageRequest {
    /// The page, as its address names it.
    #[cfg_attr(
        feature = "validator",
        validate(custom(function = "crate::problem::check::session_uuid"))
    )]
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::session_uuid))]
    pub page: String,
    /// How the code travels; as the application asked when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The language of the message; as the application asked when absent.
    #[serde(
        default,
        deserialize_with = "crate::locale::wish",
        skip_serializing_if = "Option::is_none"
    )]
    pub locale: Option<Locale>,
}
