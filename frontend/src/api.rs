//! The service's calls. The only place that knows fetch.

use countersign_shared::{
    Problem, SessionId,
    config::{self, ConfigResponse},
    resend::{self, ResendRequest},
    send::{self, SendRequest, SendResponse},
    session::{self, SessionResponse},
    verify::{self, VerifyRequest, VerifyResponse},
};
use gloo_net::http::{Request, Response};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use web_sys::AbortSignal;

use crate::{
    browser,
    flow::{Failure, FailureKind},
};

/// Longer than the server takes at worst, so that its own answer is seen.
const TIMEOUT_MILLISECONDS: u32 = 20_000;

/// A message on a pretend phone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Message {
    /// Who received it, in E.164.
    pub(crate) recipient: String,
    /// The code in it.
    pub(crate) otp: String,
    /// The whole text, or what the call says.
    pub(crate) text: String,
}

/// How the service is set up.
pub(crate) async fn config() -> Result<ConfigResponse, Failure> {
    get(config::PATH).await
}

/// Asks for a code.
pub(crate) async fn send(request: &SendRequest, key: &str) -> Result<SendResponse, Failure> {
    post(send::PATH, request, key).await
}

/// Asks for the code once more.
pub(crate) async fn resend(request: &ResendRequest, key: &str) -> Result<SendResponse, Failure> {
    post(resend::PATH, request, key).await
}

/// Tries a code.
pub(crate) async fn verify(request: &VerifyRequest, key: &str) -> Result<VerifyResponse, Failure> {
    post(verify::PATH, request, key).await
}

/// How a session stands.
pub(crate) async fn session(id: SessionId) -> Result<SessionResponse, Failure> {
    get(&session::path(id)).await
}

/// What the pretend phones received, newest first. There in sandbox only.
pub(crate) async fn sandbox_messages(recipient: Option<&str>) -> Result<Vec<Message>, Failure> {
    match recipient {
        Some(number) => {
            let digits = number.trim_start_matches('+');
            get(&format!("/sandbox/messages?recipient=%2B{digits}")).await
        }
        None => get("/sandbox/messages").await,
    }
}

async fn get<T: DeserializeOwned>(path: &str) -> Result<T, Failure> {
    let signal = AbortSignal::timeout_with_u32(TIMEOUT_MILLISECONDS);
    answer(Request::get(path).abort_signal(Some(&signal)).send().await).await
}

/// The key makes a repeated request one request to the server.
async fn post<T: DeserializeOwned>(
    path: &str,
    body: &impl Serialize,
    key: &str,
) -> Result<T, Failure> {
    let signal = AbortSignal::timeout_with_u32(TIMEOUT_MILLISECONDS);
    let request = Request::post(path)
        .header("idempotency-key", key)
        .abort_signal(Some(&signal))
        .json(body)
        .map_err(|_| unreachable())?;
    answer(request.send().await).await
}

async fn answer<T: DeserializeOwned>(
    response: Result<Response, gloo_net::Error>,
) -> Result<T, Failure> {
    let response = response.map_err(|_| unreachable())?;
    let body = response.text().await.map_err(|_| unreachable())?;
    if response.ok() {
        return serde_json::from_str(&body).map_err(|_| unreachable());
    }
    // A failure in another form comes from something in between, such as a
    // proxy: nothing of it is fit to be shown.
    match serde_json::from_str::<Problem>(&body) {
        Ok(problem) => Err(Failure::from(&problem)),
        Err(_) => Err(unreachable()),
    }
}

fn unreachable() -> Failure {
    if browser::is_online() {
        FailureKind::ServerUnreachable.into()
    } else {
        FailureKind::Offline.into()
    }
}
