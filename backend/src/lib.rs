//! Countersign's API: a JSON service that verifies phone numbers by one-time
//! codes, which Plivo Verify delivers.
//!
//! Every arrow points down, which `tests/layers.rs` holds:
//!
//! ```text
//! 7  app            wiring, sockets, shutdown
//! 6  config         environment → each room's own settings; imported by `app` only
//! 5  http           problem, extractors, middleware, routes, OpenAPI, page
//! 4  verification   send, check, callback, introspect
//! 3  store · plivo · proof · logging
//! 2  metrics · platform
//! 1  core
//! 0  shared
//! ```

pub mod app;
pub mod config;
pub mod http;
pub mod logging;
pub mod proof;
pub mod verification;
