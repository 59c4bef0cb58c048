//! The TLS library for connections to Plivo and Redis; and which URLs need TLS.

use url::Url;

/// Whether traffic to the URL cannot be read on the way: https, or http on loopback.
pub fn is_private(url: &Url) -> bool {
    let is_loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

/// Installs the process-wide default provider; a second call changes nothing.
pub fn set_up() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
}
