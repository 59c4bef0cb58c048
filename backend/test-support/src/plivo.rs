//! Plivo's answers, as documented.

/// To creating a session.
pub const CREATE_202: &str = include_str!("../fixtures/create_202.json");
/// To retrieving a session.
pub const RETRIEVE_200: &str = include_str!("../fixtures/retrieve_200.json");
/// To the right code.
pub const VALIDATE_200: &str = include_str!("../fixtures/validate_200.json");
/// To a wrong code.
pub const VALIDATE_400: &str = include_str!("../fixtures/validate_400.json");
