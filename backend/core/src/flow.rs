//! The order of a verification's steps: what to do next, given what happened.
//!
//! Reserve, then call, then settle. The service drives these state machines with a store
//! and Plivo, the simulation with a scheduler; both do exactly what the machines say.

mod check;
mod deliver;
#[cfg(test)]
mod tests;

pub use self::{
    check::{CheckEnd, CheckFlow, CheckStep},
    deliver::{DeliverEnd, DeliverFlow, DeliverStep, Record, Reserve},
};
