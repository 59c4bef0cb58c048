//! What can be set. Defaults follow Plivo's documents; what Plivo does not
//! publish is a setting too.

use std::{net::SocketAddr, time::Duration};

/// How callbacks are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureVersion {
    /// What Plivo documents for Verify.
    #[default]
    V2,
    /// What Plivo documents for voice.
    V3,
}

/// A refusal that Plivo does not document: its status and its text.
#[derive(Clone, Debug)]
pub struct RefusalText {
    /// HTTP status.
    pub status: u16,
    /// The value of `error`.
    pub text: String,
}

impl RefusalText {
    /// A refusal.
    pub fn new(status: u16, text: &str) -> Self {
        Self {
            status,
            text: text.to_owned(),
        }
    }
}

/// How the simulator behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account's name: 20 characters that begin with `MA` or `SA`.
    pub auth_id: String,
    /// The account's password, which also signs callbacks.
    pub auth_token: String,
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// A session's life from its creation.
    pub session_lifetime: Duration,
    /// Digits in a code when the request names none, 4 to 8.
    pub otp_length: u8,
    /// Deliveries in one session.
    pub max_attempts: u32,
    /// Checks in one session. Plivo: 10.
    pub max_validations: u32,
    /// How much faster than real time deliveries and callback retries go.
    pub speed: f64,
    /// How callbacks are signed.
    pub signature: SignatureVersion,
    /// What a successful check costs, in 1/100000 of a US dollar; Plivo asks
    /// nothing for it at present.
    pub validation_charge: u32,
    /// Channels that the application has on.
    pub channels: Vec<String>,
    /// The brand in messages when the request names none.
    pub brand_name: String,
    /// Requests in five seconds before 429. Plivo: 300.
    pub requests_per_5s: usize,
    /// List requests in a minute before 429. Plivo: 20.
    pub lists_per_minute: usize,
    /// The answer to a wrong code.
    pub wrong_otp: RefusalText,
    /// The answer to a check of an expired session.
    pub expired: RefusalText,
    /// The answer to a check of a verified session.
    pub already_verified: RefusalText,
    /// The answer to a check beyond the last.
    pub too_many_validations: RefusalText,
    /// The answer about a session that is not there.
    pub unknown_session: RefusalText,
    /// The answer to a delivery beyond the last.
    pub too_many_attempts: RefusalText,
}

impl Settings {
    /// The defaults, for an account.
    pub fn new(auth_id: impl Into<String>, auth_token: impl Into<String>) -> Self {
        Self {
            auth_id: auth_id.into(),
            auth_token: auth_token.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            session_lifetime: Duration::from_mins(10),
            otp_length: 6,
            max_attempts: 3,
            max_validations: 10,
            speed: 1.0,
            signature: SignatureVersion::V2,
            validation_charge: 0,
            channels: ["sms", "voice", "whatsapp"].map(str::to_owned).to_vec(),
            brand_name: "Simulator".to_owned(),
            requests_per_5s: 300,
            lists_per_minute: 20,
            wrong_otp: RefusalText::new(400, "incorrect otp"),
            expired: RefusalText::new(400, "session expired"),
            already_verified: RefusalText::new(400, "session already verified"),
            too_many_validations: RefusalText::new(400, "maximum validation attempts reached"),
            unknown_session: RefusalText::new(404, "session not found"),
            too_many_attempts: RefusalText::new(400, "maximum attempts reached"),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new("MASIMULATORXXXXXXXXX", "simulator_auth_token")
    }
}
