//! HTTP client of one Plivo account, one request per call.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_core::{Charges, UpstreamAttempt, Verdict};
use countersign_shared::{Channel, Locale, OneTimeCode, PhoneNumber};
use reqwest::{
    Client, Method, Response, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::{AcceptedMessages, Account, CountryPrices, PlivoError, error, pricing, wire};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Time after which an idle connection is closed: shorter than any load balancer's, so that
/// we close first.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Plivo's answers have a few hundred bytes; a session with many attempts a few thousand.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// HTTP client of one Plivo account.
pub struct PlivoClient {
    http: Client,
    /// URL of the sessions; each session is below it.
    sessions: Url,
    app_uuid: Option<String>,
    app_hash: Option<String>,
    accepted_messages: AcceptedMessages,
}

/// A code to deliver.
#[derive(Debug)]
pub struct Create<'a> {
    /// Recipient.
    pub recipient: &'a PhoneNumber,
    /// Channel.
    pub channel: Channel,
    /// The language of the message.
    pub locale: &'a Locale,
    /// The name in the message.
    pub brand_name: &'a str,
    /// Plivo's application that sends it; the account's own where it names none.
    pub app_uuid: Option<&'a str>,
    /// Digits in the code.
    pub otp_length: u8,
    /// Callback URL, if there is a public one.
    pub callback_url: Option<&'a str>,
}

/// Plivo's answer to a check.
#[derive(Clone, Debug, PartialEq)]
pub enum Answered {
    /// Its success or a refusal.
    Decided(Verdict),
    /// Any other 2xx with JSON: neither success nor a known refusal.
    Unexpected {
        /// Plivo's status.
        status: u16,
        /// The whole answer. It must not be shown unredacted.
        body: Value,
    },
}

/// The status of one of Plivo's sessions, as far as it decides anything. `verified` does
/// not: two sessions of ours can share one of Plivo's, so it may be another caller's
/// success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamStatus {
    /// No code was accepted yet.
    InProgress,
    /// No code will be accepted any more.
    Expired,
    /// `verified`, or unknown.
    Other,
}

/// One of Plivo's sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retrieved {
    /// The session's own status.
    pub status: UpstreamStatus,
    /// Each attempt, oldest first.
    pub attempts: Vec<UpstreamAttempt>,
    /// Their charges, in the same order.
    pub charges: Charges,
}

impl PlivoClient {
    /// A client for `account`. It opens no connection yet.
    pub fn new(account: Account) -> Result<Self, reqwest::Error> {
        countersign_platform::tls::set_up();
        let mut http = Client::builder()
            .default_headers(headers(&account))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")));
        if account.base_url.starts_with("http://") {
            // Loopback only (see the configuration): never through a proxy, and on machines
            // without certificates too.
            http = http.no_proxy().tls_certs_only([]);
        }
        let http = http.build()?;
        let sessions = format!(
            "{}/v1/Account/{}/Verify/Session/",
            account.base_url, account.auth_id
        );
        Ok(Self {
            // Parsed once, so that an invalid address is noticed at the start.
            sessions: http.post(sessions).build()?.url().clone(),
            http,
            app_uuid: account.app_uuid,
            app_hash: account.app_hash,
            accepted_messages: account.accepted_messages,
        })
    }

    /// Creates a session, or adds an attempt to the recipient's current one, and returns
    /// Plivo's session id (reference: create session).
    pub async fn create(
        &self,
        create: &Create<'_>,
        within: Duration,
    ) -> Result<String, PlivoError> {
        let body = wire::CreateBody {
            recipient: create.recipient.as_str(),
            channel: create.channel,
            locale: create.locale.as_str(),
            brand_name: create.brand_name,
            code_length: create.otp_length,
            app_uuid: create.app_uuid.or(self.app_uuid.as_deref()),
            app_hash: self.app_hash.as_deref(),
            url: create.callback_url,
            method: create.callback_url.map(|_| "POST"),
        };
        let response = self
            .call(Method::POST, self.sessions.clone(), Some(&body), within)
            .await?;
        match response.status().as_u16() {
            200..=299 => wire::created(&read(response).await?),
            400 => Err(error::create_refused(
                &read(response).await.unwrap_or_default(),
            )),
            403 => Err(PlivoError::CountryRefused),
            _ => Err(error::failed(&response)),
        }
    }

    /// Checks a code (reference: validate session). Success is status 200 and
    /// Plivo's own sentence for it, see [`AcceptedMessages`].
    pub async fn validate(
        &self,
        upstream_id: &str,
        otp: &OneTimeCode,
        within: Duration,
    ) -> Result<Answered, PlivoError> {
        let session = self.session(upstream_id);
        let body = wire::ValidateBody { otp: otp.expose() };
        let response = self
            .call(Method::POST, session, Some(&body), within)
            .await?;
        let status = response.status().as_u16();
        match status {
            200..=299 => {
                let body = read(response).await?;
                let body =
                    serde_json::from_slice(&body).map_err(|_| PlivoError::InvalidResponse)?;
                if status == 200 && self.accepted_messages.accept(&body, upstream_id) {
                    Ok(Answered::Decided(Verdict::Accepted))
                } else {
                    Ok(Answered::Unexpected { status, body })
                }
            }
            // Plivo publishes neither status nor text for a wrong code; integrators treat
            // both statuses alike.
            400 | 404 => Ok(Answered::Decided(error::rejection(
                &read(response).await.unwrap_or_default(),
            ))),
            _ => Err(error::failed(&response)),
        }
    }

    /// The status of each delivery, oldest first, and the charges (reference: retrieve).
    pub async fn retrieve(
        &self,
        upstream_id: &str,
        within: Duration,
    ) -> Result<Retrieved, PlivoError> {
        let session = self.session(upstream_id);
        let response = self.call::<()>(Method::GET, session, None, within).await?;
        match response.status().as_u16() {
            200 => wire::retrieved(&read(response).await?, upstream_id),
            _ => Err(error::failed(&response)),
        }
    }

    /// Fetches the prices of a country by its ISO 3166-1 code (reference: Pricing API).
    pub async fn prices(
        &self,
        country: &str,
        within: Duration,
    ) -> Result<CountryPrices, PlivoError> {
        let mut url = self.sessions.clone();
        let account = self.sessions.path().trim_end_matches("Verify/Session/");
        url.set_path(&format!("{account}Pricing/"));
        url.query_pairs_mut().append_pair("country_iso", country);
        let response = self.call::<()>(Method::GET, url, None, within).await?;
        match response.status().as_u16() {
            200 => pricing::read(&read(response).await?),
            _ => Err(error::failed(&response)),
        }
    }

    fn session(&self, upstream_id: &str) -> Url {
        let mut url = self.sessions.clone();
        url.set_path(&format!("{}{upstream_id}/", self.sessions.path()));
        url
    }

    async fn call<B: serde::Serialize>(
        &self,
        method: Method,
        url: Url,
        body: Option<&B>,
        within: Duration,
    ) -> Result<Response, PlivoError> {
        let mut request = self
            .http
            .request(method, url)
            // Until the last byte of the response.
            .timeout(within);
        if let Some(body) = body {
            request = request.json(body);
        }
        request
            .send()
            .await
            .map_err(|error| error::transport(&error))
    }
}

/// Headers of every call.
fn headers(account: &Account) -> HeaderMap {
    let (id, token) = (&account.auth_id, account.auth_token.expose_secret());
    let basic = STANDARD.encode(format!("{id}:{token}"));
    let basic = HeaderValue::from_str(&format!("Basic {basic}"));
    let mut basic = basic.expect("base64 is a header value");
    basic.set_sensitive(true);
    HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/json")),
        (AUTHORIZATION, basic),
    ])
}

/// The body of an answer declared as JSON, up to the size limit.
async fn read(mut response: Response) -> Result<Vec<u8>, PlivoError> {
    let is_json = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/json"));
    if !is_json {
        return Err(PlivoError::InvalidResponse);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| error::transport(&error))?
    {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(PlivoError::InvalidResponse);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
