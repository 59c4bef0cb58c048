//! Platform services: the clock, the TLS library, files that only their owner may read, and
//! files that are read again when they have changed. Nothing here knows the domain.

pub mod clock;
pub mod private_file;
pub mod reloading;
pub mod tls;
