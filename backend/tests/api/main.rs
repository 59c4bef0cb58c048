//! The API over real HTTP, against the built-in simulator.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod app;
mod applications;
mod bodies;
mod bulkheads;
mod charges;
mod config;
mod contract;
mod conversion;
mod cross_origin;
mod crowd;
mod delivery;
mod faults;
mod floods;
mod fuzz;
mod idempotency;
mod instances;
mod integrators;
mod keys;
mod known_numbers;
mod limits;
mod metrics;
mod operator;
mod page;
mod page_url;
mod plivo;
mod proof_claims;
mod proofs;
mod redis;
mod resend;
mod retention;
mod sandbox;
mod send;
mod session;
mod spend;
mod store;
mod test_numbers;
mod verdict;
mod verify;
