//! The types shared by the server and the page.
//!
//! It contains newtypes for the domain's values, and the requests and answers of every
//! call, but no clock, regex or phone metadata: the whole crate is sent to the browser.
//! Rules belong to the server, presentation to the page.

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
