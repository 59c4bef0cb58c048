//! Parsing of URLs.

use countersign_platform::tls;

/// Plivo's base URL. Plain HTTP is allowed on loopback only, because the token is in every
/// call.
pub(super) fn base_url(text: &str) -> Result<String, &'static str> {
    let url = reqwest::Url::parse(text)
        .map_err(|_| "must be an address such as https://api.plivo.com")?;
    if !tls::is_private(&url) {
        return Err("must be https, or http on loopback");
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("must be scheme, host, port and path only");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A public URL is an origin without a path, because page and API use paths from the root.
/// Normalised as browsers do, so that it is the same text wherever it is compared.
pub(super) fn host_url(text: &str) -> Result<String, &'static str> {
    base_url(text)?;
    let url = reqwest::Url::parse(text)
        .ok()
        .filter(|url| url.path() == "/");
    url.map(|url| url.origin().ascii_serialization()).ok_or(
        "must be a host of its own, such as https://verify.example.com, without a path; \
         the service answers at the root only",
    )
}
