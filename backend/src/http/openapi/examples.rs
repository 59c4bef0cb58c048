//! The examples of the OpenAPI document, as values of the types that are read and answered.

use countersign_shared::{
    Channel, EndUser, Locale, Purpose, SessionId,
    config::{ConfigResponse, Country},
    page::{PageRequest, PageResponse},
    proof::{Claims, Introspection},
    resend::ResendRequest,
    send::{SendRequest, SendResponse},
    session::{
        Attempt, AttemptReason, AttemptStatus,
        NextAction::{self, ChangeChannel, ChangeRecipient, Resend, Verify},
        SessionResponse, SessionStatus,
    },
    verify::{VerifyRequest, VerifyResponse},
};
use serde_json::{Value, json};

use super::{
    json,
    schemas::{SessionEvent, SessionEventName},
};

/// A number that is kept for fiction.
pub(in crate::http) const RECIPIENT: &str = "+14155550123";
pub(in crate::http) const OTP: &str = "601905";
pub(in crate::http) const SESSION: &str = "51630b05-1f2b-4c1a-835b-968f259175d1";
/// The head of one; the rest is of no use to a reader.
pub(in crate::http) const PROOF: &str = "eyJ0eXAiOiJjb3VudGVyc2lnbi1wcm9vZitqd3Qi…";
const ASKED_AT: &str = "2026-11-24T09:44:30Z";
const ENDS_AT: &str = "2026-11-24T09:54:30Z";

fn session_uuid() -> SessionId {
    SessionId::parse(SESSION).expect("it is a session's name")
}

pub(in crate::http) fn send_at_least() -> SendRequest {
    SendRequest {
        recipient: RECIPIENT.to_owned(),
        channel: None,
        locale: None,
        nonce: None,
        purpose: None,
        application: None,
        page: false,
        return_to: None,
        embed: None,
        state: None,
        end_user: None,
    }
}

pub(in crate::http) fn send_with_everything() -> SendRequest {
    SendRequest {
        recipient: "+44 7700 900123".to_owned(),
        channel: Some(Channel::Voice),
        locale: Locale::parse("en-GB").ok(),
        nonce: Some("a-word-of-mine".to_owned()),
        purpose: Some(Purpose::SignUp),
        application: Some("shop".to_owned()),
        end_user: Some(EndUser {
            address: Some("203.0.113.7".to_owned()),
            id: Some("user-4711".to_owned()),
        }),
        ..send_at_least()
    }
}

pub(in crate::http) fn send_a_page() -> SendRequest {
    SendRequest {
        page: true,
        return_to: Some("https://shop.example/account/phone".to_owned()),
        state: Some("a-word-to-come-back".to_owned()),
        purpose: Some(Purpose::SignIn),
        ..send_at_least()
    }
}

pub(in crate::http) fn resend(channel: Option<Channel>) -> ResendRequest {
    ResendRequest {
        session_uuid: SESSION.to_owned(),
        channel,
        end_user: None,
    }
}

pub(in crate::http) fn verify() -> VerifyRequest {
    VerifyRequest {
        session_uuid: SESSION.to_owned(),
        otp: OTP.to_owned(),
        end_user: None,
    }
}

pub(in crate::http) fn sent(channel: Channel) -> SendResponse {
    SendResponse {
        session_uuid: session_uuid(),
        recipient: RECIPIENT.to_owned(),
        channel,
        otp_length: 6,
        expires_at: ENDS_AT.to_owned(),
        expires_in: 600,
        resend_in: 30,
        checks_left: 5,
        next_actions: vec![Verify, Resend, ChangeRecipient],
    }
}

pub(in crate::http) fn page() -> PageResponse {
    PageResponse {
        page_url: format!("https://verify.example.com/?page={SESSION}"),
        expires_at: ENDS_AT.to_owned(),
        expires_in: 600,
    }
}

pub(in crate::http) fn page_pressed() -> PageRequest {
    PageRequest {
        page: SESSION.to_owned(),
        channel: None,
        locale: None,
    }
}

pub(in crate::http) fn verified() -> VerifyResponse {
    VerifyResponse {
        verified: true,
        message: "The phone number is verified.".to_owned(),
        recipient: RECIPIENT.to_owned(),
        proof: PROOF.to_owned(),
        expires_at: "2026-11-24T09:55:01Z".to_owned(),
    }
}

pub(in crate::http) fn session_delivered() -> SessionResponse {
    session(
        AttemptStatus::Delivered,
        None,
        vec![Verify, Resend, ChangeRecipient],
    )
}

pub(in crate::http) fn session_undelivered() -> SessionResponse {
    session(
        AttemptStatus::Undelivered,
        Some(AttemptReason::Unreachable),
        vec![ChangeChannel, Verify, Resend, ChangeRecipient],
    )
}

fn session(
    status: AttemptStatus,
    reason: Option<AttemptReason>,
    next_actions: Vec<NextAction>,
) -> SessionResponse {
    SessionResponse {
        session_uuid: session_uuid(),
        status: SessionStatus::Pending,
        recipient: "+•••••••••23".to_owned(),
        channel: Channel::Sms,
        attempts: vec![Attempt {
            channel: Channel::Sms,
            status,
            reason,
            requested_at: ASKED_AT.to_owned(),
        }],
        otp_length: 6,
        expires_at: ENDS_AT.to_owned(),
        expires_in: 575,
        resend_in: 5,
        checks_left: 5,
        next_actions,
    }
}

pub(in crate::http) fn active() -> Introspection {
    let claims = Claims {
        iss: "https://verify.example.com".to_owned(),
        aud: "countersign".to_owned(),
        iat: 1_795_513_501,
        exp: 1_795_514_101,
        jti: "q3ZkV0oT5m1xYb7sJd2cHg".to_owned(),
        sub: "a9IrgCBHlqbFhJDPPZl4g7bQGRMRfhdQ5sTA3RClmvM".to_owned(),
        auth_time: 1_795_513_501,
        phone_number: RECIPIENT.to_owned(),
        phone_number_verified: true,
        amr: vec!["otp".to_owned(), "sms".to_owned()],
        nonce: Some("a-word-of-mine".to_owned()),
        purpose: None,
        sandbox: false,
    };
    Introspection {
        active: true,
        claims: Some(claims),
    }
}

pub(in crate::http) fn inactive() -> Introspection {
    Introspection {
        active: false,
        claims: None,
    }
}

pub(in crate::http) fn session_event() -> SessionEvent {
    SessionEvent {
        id: "5f1d7a84e0c2b396".to_owned(),
        event: SessionEventName::Session,
        data: json(&session_delivered()).to_string(),
    }
}

#[cfg(feature = "sandbox")]
pub(in crate::http) fn message() -> Value {
    json!({
        "recipient": RECIPIENT,
        "channel": "sms",
        "otp": OTP,
        "text": format!("{OTP} is your Countersign verification code."),
        "time": "2026-11-24T09:44:30.987984Z",
    })
}

pub(in crate::http) fn keys() -> Value {
    json!({"keys": [{
        "use": "sig",
        "alg": "EdDSA",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    }]})
}

pub(in crate::http) fn config() -> ConfigResponse {
    let country = |code: &str, calling_code, example: &str, prefix: &str, groups: &[u8]| Country {
        code: code.to_owned(),
        calling_code,
        example: example.to_owned(),
        national_prefixes: vec![prefix.to_owned()],
        groups: vec![groups.to_vec()],
    };
    ConfigResponse {
        brand_name: "Countersign".to_owned(),
        sandbox: false,
        otp_length: 6,
        channels: vec![Channel::Sms, Channel::Voice],
        countries: vec![
            country("GB", 44, "+447700900123", "0", &[4, 6]),
            country("US", 1, "+14155550123", "1", &[3, 3, 4]),
        ],
    }
}
