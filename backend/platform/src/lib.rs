//! Platform services: the clock, the TLS library, and files that only their owner may read.
//! Nothing here knows the domain.

pub mod clock;
pub mod private_file;
pub mod tls;
