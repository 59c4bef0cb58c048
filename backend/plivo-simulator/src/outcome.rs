//! Outcomes of messages, selected by the last two digits of the recipient.

use std::time::Duration;

/// What happens to a recipient's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Sent, then delivered within two seconds.
    Delivered,
    /// 400: the account has no credit.
    InsufficientCredit,
    /// Delivered after 45 seconds.
    Slow,
    /// Sent, then undelivered: the phone cannot be reached.
    Undelivered,
    /// Accepted, then blocked as suspected fraud (error code 452).
    FraudBlocked,
    /// 403: the account does not send to that country.
    GeoRefused,
    /// 429: too many requests.
    Throttled,
    /// 500.
    ServerError,
    /// The request is accepted and never answered.
    Silent,
    /// 200 with a page of HTML.
    Garbage,
    /// The first delivery of a session fails, later ones arrive.
    FailedThenDelivered,
    /// Delivered, and reported out of order: the last status first, then all of them, then
    /// the last again.
    Disordered,
    /// Delivered; the callback at expiry comes 30 seconds late.
    LateExpiry,
    /// Delivered; the success of a check lacks its full stop.
    NoFullStop,
    /// Delivered; a wrong code is answered with 200 and a refusal.
    RefusalWith200,
    /// Delivered; every code is answered with 200 and an unknown text.
    UnknownText,
    /// Delivered; every code is answered with 200 and "already validated".
    AlreadyValidated,
    /// Delivered; the success of a check names another session.
    OtherSession,
    /// Delivered; a create returns the session of another number, if there is one.
    SharedSession,
}

/// The table: last two digits, outcome, and description.
pub const TABLE: [(&str, Outcome, &str); 18] = [
    (
        "82",
        Outcome::SharedSession,
        "a create answers the session id of another number, where there is one",
    ),
    (
        "83",
        Outcome::OtherSession,
        "the success of a check names another session",
    ),
    (
        "84",
        Outcome::AlreadyValidated,
        "every code: 200 \"session already validated\"; the right one is taken",
    ),
    (
        "85",
        Outcome::UnknownText,
        "every code: 200 \"request processed\"; the right one is taken",
    ),
    (
        "86",
        Outcome::RefusalWith200,
        "a wrong code: 200 \"The passcode entered is incorrect.\"",
    ),
    (
        "87",
        Outcome::NoFullStop,
        "the success of a check without its full stop",
    ),
    (
        "88",
        Outcome::LateExpiry,
        "delivered; the callback at expiry comes 30 seconds late",
    ),
    (
        "89",
        Outcome::Disordered,
        "delivered; callbacks out of order and repeated",
    ),
    ("90", Outcome::InsufficientCredit, "400 Insufficient Credit"),
    ("91", Outcome::Slow, "delivered after 45 seconds"),
    (
        "92",
        Outcome::Undelivered,
        "accepted, then undelivered (error code 20)",
    ),
    (
        "93",
        Outcome::FraudBlocked,
        "accepted, then blocked by Fraud Shield (error code 452)",
    ),
    ("94", Outcome::GeoRefused, "403, the country is not enabled"),
    ("95", Outcome::Throttled, "429 too many requests"),
    ("96", Outcome::ServerError, "500"),
    ("97", Outcome::Silent, "no answer at all"),
    ("98", Outcome::Garbage, "200 with HTML"),
    (
        "99",
        Outcome::FailedThenDelivered,
        "the first delivery fails, later ones arrive",
    ),
];

/// One step of a delivery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Time since the delivery was requested, at speed 1.
    pub(crate) after: Duration,
    pub(crate) status: &'static str,
    /// `ChannelErrorCode`, empty when there is none.
    pub(crate) error_code: &'static str,
}

const fn step(milliseconds: u64, status: &'static str, error_code: &'static str) -> Step {
    Step {
        after: Duration::from_millis(milliseconds),
        status,
        error_code,
    }
}

const TEXT_DELIVERED: &[Step] = &[
    step(0, "queued", ""),
    step(500, "sent", ""),
    step(2000, "delivered", ""),
];
const TEXT_READ: &[Step] = &[
    step(0, "queued", ""),
    step(500, "sent", ""),
    step(2000, "delivered", ""),
    step(4000, "read", ""),
];
const CALL_ANSWERED: &[Step] = &[
    step(0, "queued", ""),
    step(500, "ringing", ""),
    step(3000, "in-progress", ""),
    step(9000, "completed", ""),
];
const SLOW: &[Step] = &[
    step(0, "queued", ""),
    step(500, "sent", ""),
    step(45_000, "delivered", ""),
];
const UNDELIVERED: &[Step] = &[
    step(0, "queued", ""),
    step(500, "sent", ""),
    step(3000, "undelivered", "20"),
];
const FRAUD_BLOCKED: &[Step] = &[step(0, "queued", ""), step(500, "failed", "452")];
const FAILED: &[Step] = &[step(0, "queued", ""), step(1000, "failed", "20")];

impl Outcome {
    /// The outcome for a recipient's last two digits.
    pub fn of(recipient: &str) -> Self {
        TABLE
            .iter()
            .find(|(digits, ..)| recipient.ends_with(digits))
            .map_or(Self::Delivered, |(_, outcome, _)| *outcome)
    }

    /// The steps of the `number`th delivery (from 1) of a session.
    pub(crate) fn steps(self, channel: &str, number: usize) -> &'static [Step] {
        match self {
            Self::Slow => SLOW,
            Self::Undelivered => UNDELIVERED,
            Self::FraudBlocked => FRAUD_BLOCKED,
            Self::FailedThenDelivered if number == 1 => FAILED,
            _ => match channel {
                "voice" => CALL_ANSWERED,
                "whatsapp" => TEXT_READ,
                _ => TEXT_DELIVERED,
            },
        }
    }

    /// The callbacks of a delivery, in order, each with its time since the delivery was
    /// requested.
    pub(crate) fn reports(self, steps: &'static [Step]) -> Vec<(Duration, &'static Step)> {
        let (Self::Disordered, [.., last]) = (self, steps) else {
            return steps.iter().map(|step| (step.after, step)).collect();
        };
        let all = steps.iter().chain([last]);
        [last]
            .into_iter()
            .chain(all)
            .map(|step| (last.after, step))
            .collect()
    }

    /// Delay of the report of the expiry.
    pub(crate) fn expiry_delay(self) -> Duration {
        match self {
            Self::LateExpiry => Duration::from_secs(30),
            _ => Duration::ZERO,
        }
    }

    /// When the pretend phone receives the message, if ever. An ordinary message is there
    /// at once, so that people who try the sandbox do not wait.
    pub(crate) fn arrives(self, number: usize) -> Option<Duration> {
        match self {
            Self::Undelivered | Self::FraudBlocked => None,
            Self::FailedThenDelivered if number == 1 => None,
            Self::Slow => Some(Duration::from_secs(45)),
            _ => Some(Duration::ZERO),
        }
    }
}
