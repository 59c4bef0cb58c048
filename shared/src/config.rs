//! `GET /api/config`: what a client needs to display its form.

use serde::{Deserialize, Serialize};

use crate::Channel;

/// Path of the request.
pub const PATH: &str = "/api/config";

/// A country to which codes are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Country {
    /// ISO 3166-1 alpha-2, upper case.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Z]{2}$"))]
    pub code: String,
    /// The country calling code, without `+`.
    pub calling_code: u16,
    /// A mobile number of that country in E.164, as a hint only.
    pub example: String,
    /// Trunk prefixes, such as `0` or `06`: dialled before a number inside the country,
    /// but not part of it.
    #[serde(default)]
    pub national_prefixes: Vec<String>,
    /// How the digits of a mobile number after the calling code are grouped, for each
    /// length that such a number can have: `[4, 6]` is `7400 123456`.
    #[serde(default)]
    pub groups: Vec<Vec<u8>>,
}

/// The configuration of this service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfigResponse {
    /// The name to display to users.
    pub brand_name: String,
    /// True if nothing is really sent.
    pub sandbox: bool,
    /// Number of digits of a code.
    pub otp_length: u8,
    /// The available channels, the usual one first.
    pub channels: Vec<Channel>,
    /// The countries to which codes are sent, sorted by code.
    pub countries: Vec<Country>,
}
