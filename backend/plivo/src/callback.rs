//! Parses callbacks (reference: status callbacks).

use std::time::SystemTime;

use countersign_shared::{
    Channel, PhoneNumber,
    session::{AttemptReason, AttemptStatus},
};

use crate::wire::{attempt_status, is_plain_id};
use countersign_core::{AttemptUpdate, UpstreamAttempt};

/// Longer than any of Plivo's error codes.
const MAX_ERROR_CODE: usize = 16;

/// One change of one attempt.
#[derive(Debug, PartialEq, Eq)]
pub struct DeliveryCallback {
    /// Plivo's session id.
    pub upstream_id: String,
    /// The attempt and its status.
    pub update: AttemptUpdate,
    /// Plivo's code for why it did not arrive; empty if there is none.
    pub error_code: String,
    /// The number, if it can be parsed.
    pub recipient: Option<PhoneNumber>,
    /// When the attempt was made, if that can be parsed.
    pub requested_at: Option<SystemTime>,
}

impl DeliveryCallback {
    /// Parses the parameters; `None` if a required one is invalid.
    pub fn read(fields: &[(String, String)]) -> Option<Self> {
        let field = |name: &str| {
            let found = fields.iter().find(|(field, _)| field == name);
            found.map(|(_, value)| value.as_str())
        };
        let upstream_id = field("SessionUUID").filter(|id| is_plain_id(id))?;
        // Counted from 1.
        let sequence: usize = field("AttemptSequence")?.parse().ok()?;
        let status = attempt_status(field("ChannelStatus")?);
        let error_code = field("ChannelErrorCode").unwrap_or_default();
        let attempt = UpstreamAttempt {
            channel: Channel::parse(&field("Channel")?.to_ascii_lowercase())?,
            status,
            reason: (status == AttemptStatus::Undelivered)
                .then(|| reason(error_code))
                .flatten(),
        };
        Some(Self {
            upstream_id: upstream_id.to_owned(),
            update: AttemptUpdate {
                index: sequence.checked_sub(1)?,
                attempt,
            },
            error_code: error_code
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .take(MAX_ERROR_CODE)
                .collect(),
            recipient: field("Recipient").and_then(|digits| {
                PhoneNumber::parse(&format!("+{}", digits.trim_start_matches('+'))).ok()
            }),
            requested_at: field("RequestTime").and_then(time),
        })
    }
}

/// What an error code means to the person waiting (reference: errors). A block for
/// suspected fraud (451, 452) is not revealed.
fn reason(error_code: &str) -> Option<AttemptReason> {
    match error_code {
        "20" | "50" | "2040" => Some(AttemptReason::Unreachable),
        "450" | "2030" => Some(AttemptReason::CountryBarred),
        _ => None,
    }
}

/// `2026-01-15 10:00:00.123456`, in UTC; Plivo does not publish the format.
fn time(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339_weak(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callback(text: &str) -> Option<DeliveryCallback> {
        let fields: Vec<_> = form_urlencoded::parse(text.as_bytes())
            .into_owned()
            .collect();
        DeliveryCallback::read(&fields)
    }

    #[test]
    fn plivos_parameters_are_read() {
        let sample = "SessionUUID=8e712097-8090-4644-81e7-8f4265d8354e&SessionStatus=in-progress\
            &AttemptUUID=c1ed6b11-783d-4efd-8b45-d372e02d2943&AttemptSequence=2&Channel=sms\
            &ChannelStatus=undelivered&ChannelErrorCode=450&Recipient=14155550123\
            &RequestTime=2026-01-15+10%3A00%3A00.123456";
        let read = callback(sample).unwrap();
        assert_eq!(read.upstream_id, "8e712097-8090-4644-81e7-8f4265d8354e");
        assert_eq!(read.update.index, 1);
        assert_eq!(read.error_code, "450");
        assert_eq!(read.update.attempt.status, AttemptStatus::Undelivered);
        assert_eq!(
            read.update.attempt.reason,
            Some(AttemptReason::CountryBarred)
        );
        let at = humantime::parse_rfc3339("2026-01-15T10:00:00.123456Z").unwrap();
        assert_eq!(read.requested_at, Some(at));
        // Fraud is not revealed, and a time of another format is no reason to reject.
        let read = callback(&sample.replace("450", "452").replace("2026-01-15", "today")).unwrap();
        assert_eq!(read.update.attempt.reason, None);
        assert_eq!(read.requested_at, None);
        for (text, other) in [
            ("AttemptSequence=2", "AttemptSequence=0"),
            ("AttemptSequence=2", "AttemptSequence=x"),
            ("8e712097-", "../../"),
            ("Channel=sms", "Channel=pigeon"),
            ("SessionUUID=", "Session="),
        ] {
            assert_eq!(callback(&sample.replace(text, other)), None, "{other}");
        }
    }
}
