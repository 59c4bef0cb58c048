//! Receives Plivo's callbacks at the service's address and path.

use std::{net::SocketAddr, time::Duration};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::header::{CONTENT_TYPE, HeaderMap},
    web::{self, Bytes, Data, PayloadConfig},
};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use countersign_plivo::signature::{self, Callback, Signatures};

use crate::http::paths;

/// Timeout for the end of a delivery.
const PATIENCE: Duration = Duration::from_mins(1);
const MAX_FORM: usize = 16 * 1024;

/// A received callback.
pub(super) struct Told {
    headers: HeaderMap,
    fields: Vec<(String, String)>,
}

impl Told {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|(known, _)| known == name);
        field.map(|(_, value)| value.as_str())
    }

    /// The names of its parameters, sorted.
    pub(super) fn names(&self) -> String {
        let is_plain = |name: &&str| {
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let names = self.fields.iter().map(|(name, _)| name.as_str());
        let mut names: Vec<&str> = names.filter(is_plain).collect();
        names.sort_unstable();
        names.join(" ")
    }

    pub(super) fn content_type(&self) -> &str {
        let value = self
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        value
            .and_then(|value| value.split(';').next())
            .unwrap_or("none")
    }

    /// The version of its signature, and whether it is valid.
    pub(super) fn signature(&self, url: &str, auth_token: &secrecy::SecretString) -> &'static str {
        let callback = Callback {
            url,
            query: &[],
            form: &self.fields,
            signatures: Signatures::read(|name| self.headers.get(name)?.to_str().ok()),
        };
        let has = |name: &str| self.headers.contains_key(name);
        let is_right = signature::nonce(auth_token, &callback).is_some();
        match (
            has("x-plivo-signature-v2-nonce"),
            has("x-plivo-signature-v3-nonce"),
        ) {
            (true, _) if is_right => "v2",
            (false, true) if is_right => "v3",
            (false, false) => "none",
            _ => "not by this token",
        }
    }
}

/// The callback listener, stopped when dropped.
pub(super) struct Listener {
    pub(super) url: String,
    told: UnboundedReceiver<Told>,
    handle: ServerHandle,
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

impl Listener {
    /// Listens at the service's address, so the service must not be running.
    pub(super) fn start(listen: SocketAddr, public_url: &str) -> Result<Self, String> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).map_err(|error| error.to_string())?;
        let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = format!("{}/{secret}", paths::CALLBACK);
        let url = format!("{public_url}{path}");
        let (sender, told) = mpsc::unbounded_channel();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(Data::new(sender.clone()))
                .app_data(PayloadConfig::new(MAX_FORM))
                .route(&path, web::post().to(take))
        })
        .workers(1)
        .disable_signals()
        .bind(listen)
        .map_err(|error| {
            format!("LISTEN_ADDR: cannot listen on {listen}: {error}; stop the service meanwhile")
        })?
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { url, told, handle })
    }

    /// The callbacks until the delivery has ended or the timeout passes.
    pub(super) async fn delivery(&mut self) -> Vec<Told> {
        let mut all = Vec::new();
        let end = tokio::time::Instant::now() + PATIENCE;
        while let Ok(Some(told)) = tokio::time::timeout_at(end, self.told.recv()).await {
            let has_ended = !matches!(
                told.field("ChannelStatus"),
                Some("queued" | "sent" | "ringing" | "in-progress")
            );
            all.push(told);
            if has_ended {
                break;
            }
        }
        all
    }
}

async fn take(
    sender: Data<UnboundedSender<Told>>,
    request: HttpRequest,
    body: Bytes,
) -> HttpResponse {
    let fields = form_urlencoded::parse(&body).into_owned().collect();
    let headers = request.headers().clone();
    sender.send(Told { headers, fields }).ok();
    HttpResponse::Ok().finish()
}
