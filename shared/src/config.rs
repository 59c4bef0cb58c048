//! `GET /api/config`: what a client needs to draw itself.

use serde::{Deserialize, Serialize};

use crate::Channel;

/// Where the request goes.
pub const PATH: &str = "/api/config";

/// A country that codes are sent to.
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
    /// What is dialled in front of a number inside the country, such as `0` or `06`,
    /// and is no part of it.
    #[serde(default)]
    pub national_prefixes: Vec<String>,
    /// How the digits of a mobile number behind the calling code are grouped, for
    /// each length that such a number can have: `[4, 6]` is `7400 123456`.
    #[serde(default)]
    pub groups: Vec<Vec<u8>>,
}

/// How this service is set up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfigResponse {
    /// The name to show to people.
    pub brand_name: String,
    /// True when nothing is really sent.
    pub sandbox: bool,
    /// How many digits a code has.
    pub otp_length: u8,
    /// The channels that may be asked for, the usual one first.
    pub channels: Vec<Channel>,
    /// The countries that codes are sent to, by code.
    pub countries: Vec<Country>,
}
