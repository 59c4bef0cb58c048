//! Root certificates: Mozilla's list, from a crate, so that two machines build the same
//! image.

use base64::{Engine, engine::general_purpose::STANDARD};

const LINE: usize = 64;

/// All of them, in the format of `ca-certificates.crt`.
pub(crate) fn pem() -> Vec<u8> {
    let mut text = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        let encoded = STANDARD.encode(certificate);
        text += "-----BEGIN CERTIFICATE-----\n";
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(LINE));
            text += &format!("{line}\n");
            rest = after;
        }
        text += "-----END CERTIFICATE-----\n";
    }
    text.into_bytes()
}
