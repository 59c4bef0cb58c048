//! Which cryptography TLS uses, towards Plivo and towards Redis; and where there
//! must be some.

use url::Url;

/// Whether what goes there can be read by nobody on the way: https, or http that
/// stays on this machine.
pub fn is_private(url: &Url) -> bool {
    let is_loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

/// Names it; a second call changes nothing.
pub fn set_up() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
}
