//! Calls of Plivo with their raw answers.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, redirect::Policy};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{observations::Said, scrub::Scrubber};
use countersign_platform::tls;
use countersign_plivo::{AcceptedMessages, Account};

const TIMEOUT: Duration = Duration::from_secs(20);

pub(super) struct Probe {
    http: Client,
    account: Account,
}

/// One answer.
pub(super) struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the service would accept it as a success.
    pub(super) fn is_accepted(&self, messages: &AcceptedMessages, session: &str) -> bool {
        self.status == 200 && messages.accept(&self.body, session)
    }

    pub(super) fn field(&self, name: &str) -> &Value {
        &self.body[name]
    }

    /// Status and scrubbed text.
    pub(super) fn said(&self, scrubber: &Scrubber) -> Said {
        let texts = ["error", "message"].map(|name| self.body[name].as_str());
        // Plain text is represented as a JSON string.
        let text = texts.into_iter().flatten().next().or(self.body.as_str());
        Said {
            status: self.status,
            text: scrubber.clean(text.unwrap_or_default()),
        }
    }
}

impl Probe {
    pub(super) fn new(account: Account) -> Result<Self, reqwest::Error> {
        tls::set_up();
        let mut http = Client::builder().redirect(Policy::none()).timeout(TIMEOUT);
        if account.base_url.starts_with("http://") {
            http = http.no_proxy().tls_certs_only([]);
        }
        Ok(Self {
            http: http.build()?,
            account,
        })
    }

    /// Sends a code, as the service does.
    pub(super) async fn create(
        &self,
        recipient: &str,
        callback: Option<&str>,
    ) -> Result<Answer, String> {
        let mut body = json!({"recipient": recipient, "channel": "sms"});
        for (name, value) in [
            ("app_uuid", self.account.app_uuid.as_deref()),
            ("url", callback),
        ] {
            if let Some(value) = value {
                body[name] = value.into();
            }
        }
        self.answer(self.http.post(self.url("")).json(&body)).await
    }

    pub(super) async fn validate(&self, session: &str, otp: &str) -> Result<Answer, String> {
        let url = self.url(&format!("{session}/"));
        self.answer(self.http.post(url).json(&json!({"otp": otp})))
            .await
    }

    pub(super) async fn retrieve(&self, session: &str) -> Result<Answer, String> {
        self.answer(self.http.get(self.url(&format!("{session}/"))))
            .await
    }

    fn url(&self, below: &str) -> String {
        let Account {
            base_url, auth_id, ..
        } = &self.account;
        format!("{base_url}/v1/Account/{auth_id}/Verify/Session/{below}")
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Answer, String> {
        let Account {
            auth_id,
            auth_token,
            ..
        } = &self.account;
        let request = request.basic_auth(auth_id, Some(auth_token.expose_secret()));
        // The library's message contains the URL, and with it the account.
        let failed = |error: reqwest::Error| {
            let problem = if error.is_timeout() {
                "Plivo did not answer in time"
            } else {
                "Plivo cannot be reached"
            };
            problem.to_owned()
        };
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(failed)?;
        if status == 401 {
            return Err("Plivo refuses PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN (401)".to_owned());
        }
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, body })
    }
}
