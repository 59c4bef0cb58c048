//! What Countersign asks of the machine: its clock, its TLS library, and files that
//! only their owner may read. Nothing here knows what any of it is for.

pub mod clock;
pub mod private_file;
pub mod tls;
