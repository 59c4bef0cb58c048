//! The HTTP layer: requests and responses. Beside `app` the only code that uses actix-web.

pub mod allowed_origins;
mod bulkhead;
pub mod connections;
mod docs;
pub mod drain;
pub mod extract;
pub mod middleware;
pub mod openapi;
pub mod page;
pub mod paths;
mod per_application;
mod precompressed;
pub mod problem;
pub mod routes;
pub mod state;
mod step;
