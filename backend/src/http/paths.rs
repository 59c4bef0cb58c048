//! Paths that only this crate knows.

/// Messages on pretend phones, in sandbox.
pub const SANDBOX_MESSAGES: &str = "/sandbox/messages";
/// The `OpenAPI` document.
pub const OPENAPI: &str = "/api/openapi.json";
/// The documentation page.
pub const DOCS: &str = "/api/docs";
/// Reports of a failed page program.
pub const PAGE_FAILURES: &str = "/api/page/failures";
/// Plivo's callbacks; the secret follows.
pub const CALLBACK: &str = "/api/plivo/callback";
/// Where it stands.
pub const CALLBACK_OF_SECRET: &str = "/api/plivo/callback/{secret}";
/// A session.
pub const SESSION: &str = "/api/otp/sessions/{session_uuid}";
/// Its changes as they come.
pub const EVENTS: &str = "/api/otp/sessions/{session_uuid}/events";
/// A file of the page, or a document.
pub const DOCS_FILE: &str = "/api/docs/{file}";
/// A document in a folder.
pub const DOCS_FILE_IN: &str = "/api/docs/{folder}/{file}";
/// What there is to read, for programs.
pub const LLMS: &str = "/llms.txt";
/// Liveness.
pub const LIVE: &str = "/healthz";
/// Readiness.
pub const READY: &str = "/readyz";
