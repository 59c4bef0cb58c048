//! The HTTP side: what comes in and what goes out, and the only code that knows
//! actix-web beside `app`.

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
