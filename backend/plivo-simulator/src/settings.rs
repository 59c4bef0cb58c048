//! Settings. Defaults follow Plivo's documents; what Plivo does not publish can be set too.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};

/// How callbacks are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureVersion {
    /// What Plivo documents for Verify.
    #[default]
    V2,
    /// What Plivo documents for voice.
    V3,
}

/// An answer that Plivo does not document: its status and its text, which is in `message`
/// for a 2xx and in `error` otherwise.
#[derive(Clone, Debug)]
pub struct AnswerText {
    /// HTTP status.
    pub status: u16,
    /// The text.
    pub text: String,
}

impl AnswerText {
    /// An answer.
    pub fn new(status: u16, text: &str) -> Self {
        Self {
            status,
            text: text.to_owned(),
        }
    }

    pub(crate) fn body(&self) -> Value {
        let key = if (200..300).contains(&self.status) {
            "message"
        } else {
            "error"
        };
        json!({ key: self.text })
    }
}

/// The parameters of a callback that Plivo documents.
const CALLBACK_PARAMETERS: [&str; 9] = [
    "SessionUUID",
    "SessionStatus",
    "AttemptUUID",
    "AttemptSequence",
    "Channel",
    "ChannelStatus",
    "ChannelErrorCode",
    "Recipient",
    "RequestTime",
];

/// Settings of the simulator.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account's name: 20 characters that begin with `MA` or `SA`.
    pub auth_id: String,
    /// The account's password, which also signs callbacks.
    pub auth_token: String,
    /// Address to listen on; port 0 selects a free one.
    pub listen: SocketAddr,
    /// A session's life from its creation.
    pub session_lifetime: Duration,
    /// Digits in a code if the request names none, 4 to 8.
    pub otp_length: u8,
    /// Maximum deliveries in one session.
    pub max_attempts: u32,
    /// Maximum checks in one session. Plivo: 10.
    pub max_validations: u32,
    /// How much faster than real time deliveries and callback retries go.
    pub speed: f64,
    /// How callbacks are signed.
    pub signature: SignatureVersion,
    /// Price of a successful check, in 1/100000 of a US dollar; Plivo does not charge for
    /// it at present.
    pub validation_charge: u32,
    /// Channels that are enabled for the application.
    pub channels: Vec<String>,
    /// The brand in messages if the request names none.
    pub brand_name: String,
    /// Requests in five seconds before 429. Plivo: 300.
    pub requests_per_5s: usize,
    /// List requests in a minute before 429. Plivo: 20.
    pub lists_per_minute: usize,
    /// The answer to a create.
    pub created: AnswerText,
    /// Whether a create reuses the number's session that is still open.
    pub reuses_open_session: bool,
    /// Whether a create reuses the number's session that was verified.
    pub reuses_verified_session: bool,
    /// The answer to the right code.
    pub validated: AnswerText,
    /// The status of a session whose code was accepted.
    pub verified_status: String,
    /// Content type of a callback.
    pub callback_content_type: String,
    /// The parameters of a callback; unknown ones are empty.
    pub callback_parameters: Vec<String>,
    /// Whether the number in a callback has a `+`.
    pub callback_recipient_has_plus: bool,
    /// The answer to a wrong code.
    pub wrong_otp: AnswerText,
    /// The answer to a check of an expired session.
    pub expired: AnswerText,
    /// The answer to a check of a verified session.
    pub already_verified: AnswerText,
    /// The answer to a check beyond the maximum.
    pub too_many_validations: AnswerText,
    /// The answer for an unknown session.
    pub unknown_session: AnswerText,
    /// The answer to a delivery beyond the maximum.
    pub too_many_attempts: AnswerText,
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
            created: AnswerText::new(202, "Session initiated"),
            reuses_open_session: true,
            reuses_verified_session: false,
            validated: AnswerText::new(200, "session validated successfully."),
            verified_status: "verified".to_owned(),
            callback_content_type: "application/x-www-form-urlencoded".to_owned(),
            callback_parameters: CALLBACK_PARAMETERS.map(str::to_owned).to_vec(),
            callback_recipient_has_plus: false,
            wrong_otp: AnswerText::new(400, "incorrect otp"),
            expired: AnswerText::new(400, "session expired"),
            already_verified: AnswerText::new(400, "session already verified"),
            too_many_validations: AnswerText::new(400, "maximum validation attempts reached"),
            unknown_session: AnswerText::new(404, "session not found"),
            too_many_attempts: AnswerText::new(400, "maximum attempts reached"),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new("MASIMULATORXXXXXXXXX", "simulator_auth_token")
    }
}
