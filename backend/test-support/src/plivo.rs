//! What Plivo answers, as its documents have it.

/// A session was created.
pub const CREATE_202: &str = include_str!("../fixtures/create_202.json");
/// A session as it stands.
pub const RETRIEVE_200: &str = include_str!("../fixtures/retrieve_200.json");
/// A right code.
pub const VALIDATE_200: &str = include_str!("../fixtures/validate_200.json");
/// A wrong code.
pub const VALIDATE_400: &str = include_str!("../fixtures/validate_400.json");
