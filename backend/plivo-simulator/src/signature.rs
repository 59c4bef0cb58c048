//! Signatures of callbacks.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// V2: the URL without its query, then the nonce. Parameters are not covered.
pub fn v2(auth_token: &str, url: &str, nonce: &str) -> String {
    let base = url.split(['?', '#']).next().unwrap_or_default();
    sign(auth_token, &format!("{base}{nonce}"))
}

/// V3 of a POST: the URL, its sorted query, the sorted form, then the nonce.
pub fn v3_post(auth_token: &str, url: &str, form: &[(String, String)], nonce: &str) -> String {
    let (base, query) = split(url);
    let mut form = form.to_vec();
    form.sort();
    let form: String = form
        .iter()
        .map(|(name, value)| format!("{name}{value}"))
        .collect();
    let signed = match (query.as_str(), form.as_str()) {
        ("", "") => base.to_owned(),
        (query, "") => format!("{base}?{query}"),
        ("", form) => format!("{base}?{form}"),
        (query, form) => format!("{base}?{query}.{form}"),
    };
    sign(auth_token, &format!("{signed}.{nonce}"))
}

/// V3 of a GET, with all parameters in the URL.
pub fn v3_get(auth_token: &str, url: &str, nonce: &str) -> String {
    v3_post(auth_token, url, &[], nonce)
}

fn split(url: &str) -> (&str, String) {
    let url = url.split('#').next().unwrap_or_default();
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    query.sort();
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    (base, query.join("&"))
}

fn sign(auth_token: &str, text: &str) -> String {
    let mut hmac = Hmac::<Sha256>::new_from_slice(auth_token.as_bytes())
        .expect("a key of any length is a key");
    hmac.update(text.as_bytes());
    BASE64_STANDARD.encode(hmac.finalize().into_bytes())
}
