//! The words both sides of Countersign speak.
//!
//! Here live the newtypes that carry the domain's values and the requests and
//! answers of every call. No clock, no regex, no phone metadata: the crate goes
//! into the browser whole. Rules belong to the server, looks to the page.

pub mod channel;
pub mod config;
pub mod end_user;
pub mod locale;
pub mod one_time_code;
pub mod page;
pub mod page_locale;
pub mod phone_number;
pub mod problem;
pub mod proof;
pub mod purpose;
pub mod resend;
#[cfg(feature = "openapi")]
mod schema;
pub mod send;
pub mod session;
pub mod session_id;
pub mod verify;

pub use channel::Channel;
pub use end_user::EndUser;
pub use locale::Locale;
pub use one_time_code::OneTimeCode;
pub use phone_number::PhoneNumber;
pub use problem::{ErrorCode, Problem};
pub use purpose::Purpose;
pub use session_id::SessionId;
