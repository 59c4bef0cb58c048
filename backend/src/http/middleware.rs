//! Middleware.

pub mod api_key;
pub(crate) mod catch_panic;
pub mod cross_origin;
pub mod preflight;
pub mod rate_limit;
pub mod request_id;
pub mod security_headers;
