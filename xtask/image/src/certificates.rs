//! Whom the program trusts: Mozilla's list, as a crate carries it, so that two machines
//! make the same image.

use base64::{Engine, engine::general_purpose::STANDARD};

const LINE: usize = 64;

/// All of them, as `ca-certificates.crt` has them.
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
