//! All that this application knows of Countersign: where it is, and how to ask
//! it about a proof.

use std::time::Duration;

use serde::Deserialize;

/// Why a proof is not believed, in words for the person.
pub(crate) struct Untrusted(pub(crate) &'static str);

/// What Countersign says of a proof. The rest of its claims is not needed here.
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
    accepts_sandbox: bool,
}

impl Countersign {
    pub(crate) fn new(url: &str, accepts_sandbox: bool) -> Result<Self, reqwest::Error> {
        countersign_platform::tls::set_up();
        Ok(Self {
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(5))
                .build()?,
            url: url.trim_end_matches('/').to_owned(),
            accepts_sandbox,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether this proof says that this number was verified just now, for this
    /// visit. It is spent by that: nobody can show it again.
    pub(crate) async fn prove(
        &self,
        proof: &str,
        phone_number: &str,
        nonce: &str,
    ) -> Result<(), Untrusted> {
        let unreachable = |_| Untrusted("We cannot check that at the moment. Try again.");
        let answer = self
            .http
            .post(format!("{}/api/proofs/introspect", self.url))
            .form(&[("token", proof), ("consume", "true")])
            .send()
            .await
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
        if known.phone_number.as_deref() != Some(phone_number) {
            return Err(Untrusted("That proof is about another number."));
        }
        if known.nonce.as_deref() != Some(nonce) {
            return Err(Untrusted("That proof was made for another visit."));
        }
        Ok(())
    }
}
