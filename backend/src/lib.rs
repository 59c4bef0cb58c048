//! Countersign's API: a JSON service that verifies phone numbers by one-time
//! codes, which Plivo Verify delivers.
//!
//! Every arrow points down, which `tests/layers.rs` holds:
//!
//! ```text
//! 7  app            wiring, sockets, shutdown
//! 6  config         environment → each room's own settings; imported by `app` only
//! 5  http           problem, extractors, middleware, routes, OpenAPI, page
//! 4  verification   send, check, callback, introspect: orchestrates the rules
//! 3  proof · logging                 and the crates countersign-store, -plivo
//! 2                                  the crates countersign-metrics, -platform
//! 1                                  the crate countersign-core: the rules
//! 0                                  the crate countersign-shared: wire types
//! ```

pub mod app;
pub mod config;
pub mod http;
pub mod logging;
pub mod proof;
pub mod verification;
