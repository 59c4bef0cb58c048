//! The rules of a verification, written once, as pure functions.
//!
//! Each step of a verification is a [`Transition`]: it names the rows it reads, and
//! given those rows and the store's time it answers an outcome and changes rows.
//! Nothing here knows a database, a clock, a random source or an executor, so a
//! step may be run again whenever another instance was first.

mod millis;
mod row;
mod transition;

pub use self::{
    millis::Millis,
    row::{Key, Row, Unreadable},
    transition::{Rows, StoredRow, Transition, Write},
};
