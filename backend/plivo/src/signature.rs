//! Verifies the signatures of Plivo's callbacks (reference: callback signatures). Verify's
//! are documented with V2; V3 is accepted if it comes alone.

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

/// A callback as it was received.
pub struct Callback<'a> {
    /// Its URL, byte for byte as Plivo was given it.
    pub url: &'a str,
    /// The query, decoded.
    pub query: &'a [(String, String)],
    /// The form, decoded; empty for a GET.
    pub form: &'a [(String, String)],
    /// Its signatures.
    pub signatures: Signatures<'a>,
}

/// The headers that sign a callback.
#[derive(Clone, Copy, Default)]
pub struct Signatures<'a> {
    /// V2, by the account and by its main account.
    v2: [Option<&'a str>; 2],
    v2_nonce: Option<&'a str>,
    /// V3, likewise.
    v3: [Option<&'a str>; 2],
    v3_nonce: Option<&'a str>,
}

impl<'a> Signatures<'a> {
    /// Reads them by a header look-up with lower-case names.
    pub fn read(header: impl Fn(&str) -> Option<&'a str>) -> Self {
        Self {
            v2: ["x-plivo-signature-v2", "x-plivo-signature-ma-v2"].map(&header),
            v2_nonce: header("x-plivo-signature-v2-nonce"),
            v3: ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"].map(&header),
            v3_nonce: header("x-plivo-signature-v3-nonce"),
        }
    }
}

/// The nonce of a callback that Plivo signed; `None` if the signature is invalid.
pub fn nonce<'a>(auth_token: &SecretString, callback: &Callback<'a>) -> Option<&'a str> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, auth_token.expose_secret().as_bytes());
    let signs = |value: &str, signed: &str| {
        BASE64_STANDARD
            .decode(value)
            .is_ok_and(|tag| hmac::verify(&key, signed.as_bytes(), &tag).is_ok())
    };
    let signatures = &callback.signatures;
    if let Some(nonce) = signatures.v2_nonce {
        let signed = format!("{}{nonce}", without_query(callback.url));
        let mut values = signatures.v2.into_iter().flatten();
        return values.any(|value| signs(value, &signed)).then_some(nonce);
    }
    let nonce = signatures.v3_nonce?;
    let signed = format!("{}.{nonce}", v3_base(callback));
    let mut values = signatures.v3.into_iter().flatten();
    values
        .any(|value| value.split(',').any(|one| signs(one, &signed)))
        .then_some(nonce)
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

fn v3_base(callback: &Callback<'_>) -> String {
    let base = without_query(callback.url);
    let query: Vec<String> = sorted(callback.query)
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let query = query.join("&");
    let form: String = sorted(callback.form)
        .iter()
        .map(|(name, value)| format!("{name}{value}"))
        .collect();
    match (query.as_str(), form.as_str()) {
        ("", "") => base.to_owned(),
        (query, "") => format!("{base}?{query}"),
        ("", form) => format!("{base}?{form}"),
        (query, form) => format!("{base}?{query}.{form}"),
    }
}

fn sorted(pairs: &[(String, String)]) -> Vec<&(String, String)> {
    let mut pairs: Vec<_> = pairs.iter().collect();
    pairs.sort();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors that Plivo's SDKs for Python and Node agree on (reference:
    /// worked example).
    const URL: &str = "https://example.com/plivo/status/?tenant=42";
    const NONCE: &str = "11223344556677889900";
    const FORM: &str = "SessionUUID=8e712097-8090-4644-81e7-8f4265d8354e&SessionStatus=in-progress\
        &AttemptUUID=c1ed6b11-783d-4efd-8b45-d372e02d2943&AttemptSequence=1&Channel=sms\
        &ChannelStatus=delivered&ChannelErrorCode=&Recipient=14155550123\
        &RequestTime=2026-01-15+10%3A00%3A00.123456";

    fn pairs(text: &str) -> Vec<(String, String)> {
        form_urlencoded::parse(text.as_bytes())
            .into_owned()
            .collect()
    }

    fn signed(headers: &[(&str, &str)], query: &str, form: &str, url: &str) -> bool {
        let map: std::collections::HashMap<_, _> = headers.iter().copied().collect();
        let callback = Callback {
            url,
            query: &pairs(query),
            form: &pairs(form),
            signatures: Signatures::read(|name| map.get(name).copied()),
        };
        let token = "ref_example_token_0001".to_owned().into();
        nonce(&token, &callback) == Some(NONCE)
    }

    #[test]
    fn plivos_own_signatures_are_known() {
        let v2 = "XOskJ4O2uU+3hr5utWDA8lh8nNYUwpgvvdDiNxvPYn8=";
        for name in ["x-plivo-signature-v2", "x-plivo-signature-ma-v2"] {
            let headers = [(name, v2), ("x-plivo-signature-v2-nonce", NONCE)];
            assert!(signed(&headers, "tenant=42", FORM, URL), "{name}");
            assert!(!signed(
                &headers,
                "",
                "",
                "https://example.com/plivo/status?tenant=42"
            ));
            assert!(!signed(
                &headers,
                "",
                "",
                "https://Example.com/plivo/status/"
            ));
        }
        let post = "dgrLys4luQWXW/NDpfp6V72A4zKZ1z8+REr5CaWbb/s=";
        let get = "e09ph25L6T1pvQ3WwuSpckQjRI7aVWazxLYDTyDPec0=";
        let several = format!("AAAA,{post}");
        for name in ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"] {
            let nonce = ("x-plivo-signature-v3-nonce", NONCE);
            assert!(signed(&[(name, post), nonce], "tenant=42", FORM, URL));
            assert!(signed(&[(name, &several), nonce], "tenant=42", FORM, URL));
            let query = format!("tenant=42&{FORM}");
            assert!(signed(&[(name, get), nonce], &query, "", URL));
            // V3 covers the parameters.
            let forged = FORM.replace("delivered", "undelivered");
            assert!(!signed(&[(name, post), nonce], "tenant=42", &forged, URL));
        }
    }

    #[test]
    fn what_plivo_did_not_sign_is_not_signed() {
        let nonce = ("x-plivo-signature-v2-nonce", NONCE);
        for value in [
            "",
            "x",
            "AAAA",
            "XOskJ4O2uU+3hr5utWDA8lh8nNYUwpgvvdDiNxvPYn9=",
        ] {
            let headers = [("x-plivo-signature-v2", value), nonce];
            assert!(!signed(&headers, "", FORM, URL), "{value}");
        }
        assert!(!signed(&[nonce], "", FORM, URL));
        assert!(!signed(&[], "", FORM, URL));
        let v2 = (
            "x-plivo-signature-v2",
            "XOskJ4O2uU+3hr5utWDA8lh8nNYUwpgvvdDiNxvPYn8=",
        );
        assert!(!signed(&[v2], "", FORM, URL));
        let other = ("x-plivo-signature-v2-nonce", "11223344556677889901");
        assert!(!signed(&[v2, other], "", FORM, URL));
    }
}
