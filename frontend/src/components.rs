//! The page's components, one per file.

mod button;
mod cancel;
mod code_field;
mod code_form;
mod code_step;
mod confirm_step;
mod country_select;
mod deliveries;
mod ended;
mod language_select;
#[cfg(feature = "ssr")]
mod notices;
mod other_ways;
mod phone_field;
mod phone_step;
mod pretend_phone;
mod reference;
mod refused;
mod sentence;
mod verified;

pub use button::*;
pub use cancel::*;
pub use code_field::*;
pub use code_form::*;
pub use code_step::*;
pub use confirm_step::*;
pub use country_select::*;
pub use deliveries::*;
pub use ended::*;
pub use language_select::*;
#[cfg(feature = "ssr")]
pub use notices::*;
pub use other_ways::*;
pub use phone_field::*;
pub use phone_step::*;
pub use pretend_phone::*;
pub use reference::*;
pub use refused::*;
pub use sentence::*;
pub use verified::*;
