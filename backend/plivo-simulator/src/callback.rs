//! Status callbacks: one for each change of a delivery, and one at expiry.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use reqwest::{Client, header::CONTENT_TYPE};
use url::Url;

use crate::{
    outcome::{Outcome, Step},
    random,
    request::CreateRequest,
    session::Session,
    settings::SignatureVersion,
    signature,
    world::{Created, World},
};

/// Plivo waits this long for an answer (unpublished).
const TIMEOUT: Duration = Duration::from_secs(5);
/// Waits before each retry, at speed 1 (Plivo: status callbacks).
const RETRIES: [u64; 3] = [60, 120, 240];

/// Where and how one delivery is reported.
pub(crate) struct Reporter {
    world: Arc<World>,
    http: Client,
    url: Url,
    url_text: String,
    get: bool,
    created: Created,
}

impl Reporter {
    /// A reporter, if the request names a URL.
    pub(crate) fn new(
        world: Arc<World>,
        http: Client,
        request: &CreateRequest,
        created: Created,
    ) -> Option<Self> {
        Some(Self {
            world,
            http,
            url: request.url.clone()?,
            url_text: request.url_text.clone(),
            get: request.get,
            created,
        })
    }

    /// Reports every step, and the expiry if this is the first delivery.
    pub(crate) async fn run(self) {
        let speed = self.world.settings.speed;
        let plan = self.look(|session| {
            let attempt = &session.attempts[self.created.attempt];
            let outcome = Outcome::of(&session.recipient);
            (
                attempt.started_at,
                attempt.steps,
                session.expires_at,
                outcome,
            )
        });
        let Some((started_at, steps, expires_at, outcome)) = plan else {
            return;
        };
        for (after, step) in outcome.reports(steps) {
            self.world
                .clock
                .reach(started_at + after.div_f64(speed))
                .await;
            self.report(step).await;
        }
        if self.created.attempt == 0 {
            let reported_at = expires_at + outcome.expiry_delay().div_f64(speed);
            self.world.clock.reach(reported_at).await;
            let verified = self.look(|session| session.verified);
            if let (Some(false), Some(last)) = (verified, steps.last()) {
                self.report(last).await;
            }
        }
    }

    fn look<T>(&self, look: impl FnOnce(&Session) -> T) -> Option<T> {
        self.world
            .with_session(&self.created.session_id, |session, _| look(session))
    }

    /// Plivo expects a 200, and otherwise retries three times.
    async fn report(&self, step: &Step) {
        let Some(parameters) = self.parameters(step) else {
            return;
        };
        let waits = RETRIES.iter().map(Some).chain([None]);
        for wait in waits {
            if self.deliver(&parameters).await {
                return;
            }
            let Some(seconds) = wait else {
                return;
            };
            let wait = Duration::from_secs(*seconds).div_f64(self.world.settings.speed);
            self.world.clock.reach(self.world.clock.now() + wait).await;
        }
    }

    fn parameters(&self, step: &Step) -> Option<Vec<(String, String)>> {
        let now = self.world.clock.now();
        self.look(|session| {
            let attempt = &session.attempts[self.created.attempt];
            let settings = &self.world.settings;
            let plus = if settings.callback_recipient_has_plus {
                "+"
            } else {
                ""
            };
            let value = |name: &str| match name {
                "SessionUUID" => session.id.clone(),
                "SessionStatus" => session.status(now).to_owned(),
                "AttemptUUID" => attempt.id.clone(),
                "AttemptSequence" => (self.created.attempt + 1).to_string(),
                "Channel" => attempt.channel.clone(),
                "ChannelStatus" => step.status.to_owned(),
                "ChannelErrorCode" => step.error_code.to_owned(),
                "Recipient" => format!("{plus}{}", session.recipient),
                "RequestTime" => request_time(attempt.started_at),
                _ => String::new(),
            };
            let names = settings.callback_parameters.iter();
            names.map(|name| (name.clone(), value(name))).collect()
        })
    }

    async fn deliver(&self, parameters: &[(String, String)]) -> bool {
        let nonce = random::digits(20);
        let mut url = self.url.clone();
        let mut url_text = self.url_text.clone();
        let encoded = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        let request = if self.get {
            url.query_pairs_mut().extend_pairs(parameters);
            let glue = if url_text.contains('?') { '&' } else { '?' };
            url_text = format!("{url_text}{glue}{encoded}");
            self.http.get(url)
        } else {
            self.http
                .post(url)
                .header(CONTENT_TYPE, &self.world.settings.callback_content_type)
                .body(encoded)
        };
        let token = &self.world.settings.auth_token;
        let (version, value) = match (self.world.settings.signature, self.get) {
            (SignatureVersion::V2, _) => ("V2", signature::v2(token, &self.url_text, &nonce)),
            (SignatureVersion::V3, true) => ("V3", signature::v3_get(token, &url_text, &nonce)),
            (SignatureVersion::V3, false) => (
                "V3",
                signature::v3_post(token, &url_text, parameters, &nonce),
            ),
        };
        let answer = request
            .header(format!("X-Plivo-Signature-{version}"), &value)
            .header(format!("X-Plivo-Signature-Ma-{version}"), &value)
            .header(format!("X-Plivo-Signature-{version}-Nonce"), nonce)
            .timeout(TIMEOUT)
            .send()
            .await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }
}

/// `2026-01-15 10:00:00.123456`, the format of Plivo's messaging callbacks.
fn request_time(time: SystemTime) -> String {
    humantime::format_rfc3339_micros(time)
        .to_string()
        .replace('T', " ")
        .trim_end_matches('Z')
        .to_owned()
}
