//! Types of answers and requests that are written or read without a type of their own, for
//! the OpenAPI document.

use std::collections::BTreeSet;

use countersign_shared::{
    Purpose, page::PageResponse, send::SendResponse, session::SessionResponse,
};
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema},
};

use super::text;
use crate::http::docs::{
    self,
    documents::{DOCUMENTS, Document},
};

/// The session, or with `page` the page's address.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(in crate::http) enum SendAnswer {
    Sent(SendResponse),
    Page(PageResponse),
}

/// The form of RFC 7662.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(in crate::http) struct IntrospectRequest {
    /// The proof.
    #[schema(min_length = 1)]
    token: String,
    /// Consumes the proof in the same call.
    #[schema(nullable = false, default = false)]
    consume: Option<bool>,
    /// What the proof must be for; one for another purpose is inactive.
    #[schema(nullable = false)]
    purpose: Option<Purpose>,
}

/// Where a stream goes on: a header that browsers send.
pub(in crate::http) struct LastEventId;

/// One event of a session's stream.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SessionEvent {
    /// For `Last-Event-ID`.
    pub(super) id: String,
    #[schema(inline)]
    pub(super) event: SessionEventName,
    #[schema(schema_with = session_as_json)]
    pub(super) data: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum SessionEventName {
    Session,
}

fn session_as_json() -> RefOr<Schema> {
    text()
        .description(Some("The session, as JSON."))
        .content_media_type("application/json")
        .content_schema(Some(Ref::from_schema_name(SessionResponse::name())))
        .into()
}

/// Public keys (RFC 7517).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(in crate::http) struct JsonWebKeySet {
    keys: Vec<JsonWebKey>,
}

/// A public key: of Ed25519, or with `y` of P-256.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(in crate::http) struct JsonWebKey {
    kty: String,
    crv: String,
    x: String,
    #[schema(nullable = false)]
    y: Option<String>,
    kid: String,
    alg: String,
    r#use: String,
}

/// The process runs.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(in crate::http) struct Liveness {
    #[schema(pattern = "^ok$", examples("ok"))]
    status: String,
}

/// The process can serve.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(in crate::http) struct Readiness {
    #[schema(pattern = "^ready$", examples("ready"))]
    status: String,
}

/// This document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(in crate::http) struct OpenApiDocument {
    #[schema(pattern = r"^3\.1\.")]
    openapi: String,
}

/// What a pretend phone received.
#[cfg(feature = "sandbox")]
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(in crate::http) struct SandboxMessage {
    recipient: String,
    channel: countersign_shared::Channel,
    otp: String,
    text: String,
    #[schema(format = DateTime)]
    time: String,
}

/// The name of a file of the page, or of a document.
pub(in crate::http) struct DocsFileName;

/// The name of a folder of documents.
pub(in crate::http) struct DocsFolderName;

impl PartialSchema for DocsFileName {
    fn schema() -> RefOr<Schema> {
        let files = docs::FILES.iter().map(|file| file.name);
        let documents = DOCUMENTS.iter().map(Document::path);
        let names = files.chain(documents.filter(|path| !path.contains('/')));
        text().enum_values(Some(names)).into()
    }
}

impl ToSchema for DocsFileName {}

impl PartialSchema for DocsFolderName {
    fn schema() -> RefOr<Schema> {
        let paths = DOCUMENTS.iter().filter_map(|it| it.path().split_once('/'));
        let names: BTreeSet<_> = paths.map(|(folder, _)| folder).collect();
        text().enum_values(Some(names)).into()
    }
}

impl ToSchema for DocsFolderName {}
