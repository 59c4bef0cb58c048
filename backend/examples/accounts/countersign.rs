//! The client for Countersign: its URL, this application's key, and the calls to send and
//! verify a code and to check a proof.

use std::{net::IpAddr, time::Duration};

use reqwest::Response;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::users::User;

/// Why a proof is not accepted, in words for the user.
pub(crate) struct Untrusted(pub(crate) &'static str);

/// The introspection of a proof. The rest of its claims is not needed here.
#[derive(Deserialize)]
struct Introspection {
    active: bool,
    phone_number: Option<String>,
    nonce: Option<String>,
    #[serde(default)]
    sandbox: bool,
}

pub(crate) struct Countersign {
    http: reqwest::Client,
    url: String,
    key: SecretString,
    accepts_sandbox: bool,
}

impl Countersign {
    pub(crate) fn new(
        url: &str,
        key: SecretString,
        accepts_sandbox: bool,
    ) -> Result<Self, reqwest::Error> {
        countersign_platform::tls::set_up();
        Ok(Self {
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(15))
                .build()?,
            url: url.trim_end_matches('/').to_owned(),
            key,
            accepts_sandbox,
        })
    }

    /// Sends a code to this user, whose request came from that address. The number and
    /// the nonce are the server's own, never the browser's.
    pub(crate) async fn send(
        &self,
        user: &User,
        nonce: &str,
        address: Option<IpAddr>,
    ) -> reqwest::Result<(u16, Value)> {
        let body = json!({
            "recipient": user.phone_number,
            "nonce": nonce,
            "purpose": purpose(user),
            "end_user": {"address": address, "id": user.name()},
        });
        self.call("/api/otp/send", None, &body).await
    }

    /// Checks a code. Repeated under the same idempotency key, a check has one effect.
    pub(crate) async fn verify(
        &self,
        session: &str,
        otp: &str,
        key: Option<&str>,
    ) -> reqwest::Result<(u16, Value)> {
        let body = json!({"session_uuid": session, "otp": otp});
        self.call("/api/otp/verify", key, &body).await
    }

    async fn call(
        &self,
        path: &str,
        idempotency_key: Option<&str>,
        body: &Value,
    ) -> reqwest::Result<(u16, Value)> {
        let request = self.http.post(format!("{}{path}", self.url));
        let request = request.bearer_auth(self.key.expose_secret()).json(body);
        let request = match idempotency_key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await?))
    }

    /// Checks that this proof says that this number was verified just now, for this
    /// visit. That consumes the proof: it cannot be used again.
    pub(crate) async fn prove(
        &self,
        proof: &str,
        user: &User,
        nonce: &str,
    ) -> Result<(), Untrusted> {
        let unreachable = |_| Untrusted("We cannot check that at the moment. Try again.");
        let answer = self
            .http
            .post(format!("{}/api/proofs/introspect", self.url))
            .bearer_auth(self.key.expose_secret())
            .form(&[
                ("token", proof),
                ("purpose", purpose(user)),
                ("consume", "true"),
            ])
            .send()
            .await
            .and_then(Response::error_for_status)
            .map_err(unreachable)?;
        let known: Introspection = answer.json().await.map_err(unreachable)?;
        if !known.active {
            return Err(Untrusted(
                "That is no proof, or not any more. Verify again.",
            ));
        }
        if known.sandbox && !self.accepts_sandbox {
            return Err(Untrusted(
                "That proof comes from a sandbox, where nothing is really sent.",
            ));
        }
        if known.phone_number.as_deref() != Some(user.phone_number.as_str()) {
            return Err(Untrusted("That proof is about another number."));
        }
        if known.nonce.as_deref() != Some(nonce) {
            return Err(Untrusted("That proof was made for another visit."));
        }
        Ok(())
    }
}

/// The purpose of a code: a proof made for a sign-up is not accepted for a log-in.
fn purpose(user: &User) -> &'static str {
    if user.is_phone_verified {
        "sign_in"
    } else {
        "sign_up"
    }
}
