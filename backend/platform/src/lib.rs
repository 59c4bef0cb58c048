//! Platform services: the clock, the TLS library, files that only their owner can read,
//! and files that are reloaded when they change. Nothing here knows the domain.

pub mod clock;
pub mod private_file;
pub mod reloading;
pub mod tls;
