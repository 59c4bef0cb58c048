//! Which cryptography TLS uses, towards Plivo and towards Redis.

/// Names it; a second call changes nothing.
pub fn set_up() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
}
