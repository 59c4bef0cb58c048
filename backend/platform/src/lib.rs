//! What Countersign asks of the machine: its clock, its TLS library, files that only their
//! owner may read, and files that are read again when they have changed. Nothing here knows what any of it is for.

pub mod clock;
pub mod private_file;
pub mod reloading;
pub mod tls;
