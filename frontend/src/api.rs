//! Client of the service's API. The only module that uses fetch.

use std::pin::Pin;

use countersign_shared::{
    Problem, SessionId,
    config::{self, ConfigResponse},
    page::{self, PageRequest},
    resend::{self, ResendRequest},
    send::{self, SendRequest, SendResponse},
    session::{self, SessionResponse},
    verify::{self, VerifyRequest, VerifyResponse},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, EventSource, Headers, MessageEvent, RequestInit, Response};

use crate::{
    i18n::Texts,
    platform::{self, json},
    state::{Failure, FailureKind},
};

/// Request timeout: longer than the server takes at worst, so that its own timeout
/// response is seen.
const TIMEOUT_MILLISECONDS: u32 = 20_000;

/// A message on a pretend phone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Message {
    /// Recipient, in E.164.
    pub(crate) recipient: String,
    /// The code in it.
    pub(crate) otp: String,
    /// The text of the message or call.
    pub(crate) text: String,
}

/// Fetches the configuration, for an application.
pub(crate) async fn config(application: Option<&str>) -> Result<ConfigResponse, Failure> {
    match application {
        // An application id needs no percent-encoding.
        Some(id) => get(&format!("{}?application={id}", config::PATH)).await,
        None => get(config::PATH).await,
    }
}

/// Sends a code.
pub(crate) fn send(
    request: &SendRequest,
    key: &str,
) -> impl Future<Output = Result<SendResponse, Failure>> + use<> {
    answer(post(send::PATH, request, key))
}

/// Sends the code of a page that the application's server began.
pub(crate) fn page(
    request: &PageRequest,
    key: &str,
) -> impl Future<Output = Result<SendResponse, Failure>> + use<> {
    answer(post(page::PATH, request, key))
}

/// Resends the code.
pub(crate) fn resend(
    request: &ResendRequest,
    key: &str,
) -> impl Future<Output = Result<SendResponse, Failure>> + use<> {
    answer(post(resend::PATH, request, key))
}

/// Checks a code.
pub(crate) fn verify(
    request: &VerifyRequest,
    key: &str,
) -> impl Future<Output = Result<VerifyResponse, Failure>> + use<> {
    answer(post(verify::PATH, request, key))
}

/// Fetches a session.
pub(crate) async fn session(id: SessionId) -> Result<SessionResponse, Failure> {
    get(&session::path(id)).await
}

/// The event stream of a session, closed when dropped. The browser reconnects by
/// itself.
pub(crate) struct SessionEvents {
    source: EventSource,
    _seen: Closure<dyn FnMut(MessageEvent)>,
    _lost: Closure<dyn FnMut()>,
}

impl SessionEvents {
    /// Connects: `seen` receives each change, `lost` is called when the connection is
    /// lost. None if the browser lacks `EventSource`.
    pub(crate) fn listen(
        id: SessionId,
        seen: impl Fn(SessionResponse) + 'static,
        lost: impl Fn() + 'static,
    ) -> Option<Self> {
        let path = format!("{}{}", session::path(id), session::EVENTS);
        let source = EventSource::new(&path).ok()?;
        let seen = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let data = event.data().as_string().and_then(|data| json::parse(&data));
            if let Some(session) = data.and_then(json::read) {
                seen(session);
            }
        });
        let lost = Closure::<dyn FnMut()>::new(lost);
        let listener = seen.as_ref().unchecked_ref();
        source
            .add_event_listener_with_callback("session", listener)
            .ok()?;
        source.set_onerror(Some(lost.as_ref().unchecked_ref()));
        Some(Self {
            source,
            _seen: seen,
            _lost: lost,
        })
    }
}

impl Drop for SessionEvents {
    fn drop(&mut self) {
        self.source.close();
    }
}

/// The messages on pretend phones, newest first. Sandbox only.
pub(crate) async fn sandbox_messages(recipient: Option<&str>) -> Result<Vec<Message>, Failure> {
    match recipient {
        Some(number) => {
            let digits = number.trim_start_matches('+');
            get(&format!("/sandbox/messages?recipient=%2B{digits}")).await
        }
        None => get("/sandbox/messages").await,
    }
}

/// Fetches the texts of a language.
pub(crate) async fn texts(path: &str) -> Result<Texts, Failure> {
    let texts = exchange("GET", path.to_owned(), None, None).await?;
    Texts::read(texts).ok_or_else(unreachable)
}

/// A pending request.
type Asked = Pin<Box<dyn Future<Output = Result<JsValue, Failure>>>>;

async fn get<T: DeserializeOwned>(path: &str) -> Result<T, Failure> {
    answer(exchange("GET", path.to_owned(), None, None)).await
}

/// A POST with an idempotency key. The body is serialized before the future is made, so
/// that calls with the same response type share the rest.
fn post(path: &str, body: &impl Serialize, key: &str) -> Asked {
    let body = json::write(body);
    exchange("POST", path.to_owned(), Some(key.to_owned()), body)
}

async fn answer<T: DeserializeOwned>(asked: Asked) -> Result<T, Failure> {
    read(asked.await?)
}

/// One request and its response, without what differs by type. Boxed, because otherwise
/// each call would carry a copy.
fn exchange(
    method: &'static str,
    path: String,
    key: Option<String>,
    body: Option<String>,
) -> Asked {
    Box::pin(async move {
        let (is_ok, text) = fetch(method, &path, key, body)
            .await
            .map_err(|_| unreachable())?;
        let body = json::parse(&text).ok_or_else(unreachable)?;
        if is_ok {
            return Ok(body);
        }
        // An error of another shape comes from something in between, such as a proxy,
        // and is not shown.
        match json::read::<Problem>(body) {
            Some(problem) => Err(Failure::from(&problem)),
            None => Err(unreachable()),
        }
    })
}

/// Whether the status is 2xx, and the body.
async fn fetch(
    method: &str,
    path: &str,
    key: Option<String>,
    body: Option<String>,
) -> Result<(bool, String), JsValue> {
    let headers = Headers::new()?;
    // Without randomness there is no key.
    if let Some(key) = key.filter(|key| !key.is_empty()) {
        headers.set("idempotency-key", &key)?;
    }
    let request = RequestInit::new();
    request.set_method(method);
    if let Some(body) = body {
        headers.set("content-type", "application/json")?;
        request.set_body(&body.into());
    }
    request.set_headers(&headers);
    let signal = AbortSignal::timeout_with_u32(TIMEOUT_MILLISECONDS);
    request.set_signal(Some(&signal));
    let window = web_sys::window().ok_or(JsValue::UNDEFINED)?;
    let response = JsFuture::from(window.fetch_with_str_and_init(path, &request)).await?;
    let response: Response = response.dyn_into()?;
    let text = JsFuture::from(response.text()?).await?;
    Ok((response.ok(), text.as_string().unwrap_or_default()))
}

fn read<T: DeserializeOwned>(body: JsValue) -> Result<T, Failure> {
    json::read(body).ok_or_else(unreachable)
}

fn unreachable() -> Failure {
    if platform::is_online() {
        FailureKind::ServerUnreachable.into()
    } else {
        FailureKind::Offline.into()
    }
}
