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
