//! The person for whom an application's server calls.

use serde::{Deserialize, Serialize};

/// The longest id of a user, in bytes.
pub const MAX_ID: usize = 255;

/// The person for whom an application's server calls. Limits count them and not the
/// server; only keyed hashes of it are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EndUser {
    /// The IP address that the server saw them come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(examples("203.0.113.7"), nullable = false))]
    pub address: Option<String>,
    /// The application's own name for them: 1 to 255 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(
            examples("user-4711"),
            min_length = 1,
            max_length = 255,
            nullable = false
        )
    )]
    pub id: Option<String>,
}
