//! The paths of our own calls that no other crate knows.

/// What the pretend phones received, in sandbox.
pub const SANDBOX_MESSAGES: &str = "/sandbox/messages";
/// Where the `OpenAPI` document is.
pub const OPENAPI: &str = "/api/openapi.json";
/// The page to read it and try it.
pub const DOCS: &str = "/api/docs";
/// Where the page reports that its program died.
pub const PAGE_FAILURES: &str = "/api/page/failures";
/// Where Plivo calls back; the secret stands below it.
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
/// Whether the process runs.
pub const LIVE: &str = "/healthz";
/// Whether the process can serve.
pub const READY: &str = "/readyz";
