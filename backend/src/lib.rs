//! Countersign's API: a JSON service that verifies phone numbers by one-time
//! codes, which Plivo Verify delivers.
//!
//! Arrows run one way: `routes → verification → {plivo, store} → shared`.

pub mod app;
pub mod attempt;
pub mod bulkhead;
pub mod check_config;
pub mod client_ip;
pub mod clock;
pub mod config;
pub mod connections;
pub mod contract;
pub mod cross_origin;
pub mod draining;
pub mod encoded;
pub mod logging;
pub mod metrics;
pub mod money;
pub mod plivo;
pub mod prices;
pub mod private_file;
pub mod problem;
pub mod proof;
pub mod rate_limit;
pub mod request_id;
pub mod routes;
pub mod security_headers;
pub mod single_page_app;
pub mod store;
pub mod tls;
pub mod verification;
