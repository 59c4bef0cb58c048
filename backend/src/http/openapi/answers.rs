//! What the contract's examples say.

use countersign_shared::{
    Channel, EndUser, Locale, Purpose, SessionId,
    config::{ConfigResponse, Country},
    page::{PageRequest, PageResponse},
    proof::{Claims, Introspection},
    resend::ResendRequest,
    send::{SendRequest, SendResponse},
    session::{
        Attempt, AttemptReason, AttemptStatus,
        NextAction::{ChangeChannel, ChangeRecipient, Resend, Verify},
        SessionResponse, SessionStatus,
    },
    verify::{VerifyRequest, VerifyResponse},
};

use super::call::Example;

/// A number that is kept for fiction.
pub(super) const RECIPIENT: &str = "+14155550123";
pub(super) const OTP: &str = "601905";
pub(super) const SESSION: &str = "51630b05-1f2b-4c1a-835b-968f259175d1";
/// The head of one; the rest is of no use to a reader.
pub(super) const PROOF: &str = "eyJ0eXAiOiJjb3VudGVyc2lnbi1wcm9vZitqd3Qi…";
const ASKED_AT: &str = "2026-11-24T09:44:30Z";
const ENDS_AT: &str = "2026-11-24T09:54:30Z";

fn session_uuid() -> SessionId {
    SessionId::parse(SESSION).expect("it is a session's name")
}

pub(super) fn send_requests() -> [Example<SendRequest>; 3] {
    let least = SendRequest {
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
    };
    let all = SendRequest {
        recipient: "+44 7700 900123".to_owned(),
        channel: Some(Channel::Voice),
        locale: Locale::parse("en-GB").ok(),
        nonce: Some("a-word-of-mine".to_owned()),
        purpose: Some(Purpose::SignUp),
        application: Some("shop".to_owned()),
        page: false,
        return_to: None,
        embed: None,
        state: None,
        end_user: Some(EndUser {
            address: Some("203.0.113.7".to_owned()),
            id: Some("user-4711".to_owned()),
        }),
    };
    let page = SendRequest {
        page: true,
        return_to: Some("https://shop.example/account/phone".to_owned()),
        state: Some("a-word-to-come-back".to_owned()),
        purpose: Some(Purpose::SignIn),
        ..least.clone()
    };
    [
        ("at_least", least),
        ("with_everything", all),
        ("a_page", page),
    ]
}

pub(super) fn resend_requests() -> [Example<ResendRequest>; 2] {
    let by = |channel| ResendRequest {
        session_uuid: SESSION.to_owned(),
        channel,
        end_user: None,
    };
    [("again", by(None)), ("as_a_call", by(Some(Channel::Voice)))]
}

pub(super) fn verify_requests() -> [Example<VerifyRequest>; 1] {
    let request = VerifyRequest {
        session_uuid: SESSION.to_owned(),
        otp: OTP.to_owned(),
        end_user: None,
    };
    [("code", request)]
}

pub(super) fn sent(channel: Channel) -> SendResponse {
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

pub(super) fn page() -> PageResponse {
    PageResponse {
        page_url: format!("https://verify.example.com/?page={SESSION}"),
        expires_at: ENDS_AT.to_owned(),
        expires_in: 600,
    }
}

pub(super) fn page_requests() -> [Example<PageRequest>; 1] {
    let request = PageRequest {
        page: SESSION.to_owned(),
        channel: None,
        locale: None,
    };
    [("pressed", request)]
}

pub(super) fn verified() -> VerifyResponse {
    VerifyResponse {
        verified: true,
        message: "The phone number is verified.".to_owned(),
        recipient: RECIPIENT.to_owned(),
        proof: PROOF.to_owned(),
        expires_at: "2026-11-24T09:55:01Z".to_owned(),
    }
}

/// One that goes well, and one that does not.
pub(super) fn sessions() -> [Example<SessionResponse>; 2] {
    let seen = |status, reason, next_actions| SessionResponse {
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
    };
    let usual = [Verify, Resend, ChangeRecipient];
    let lost = [&[ChangeChannel], &usual[..]].concat();
    [
        (
            "delivered",
            seen(AttemptStatus::Delivered, None, usual.to_vec()),
        ),
        (
            "undelivered",
            seen(
                AttemptStatus::Undelivered,
                Some(AttemptReason::Unreachable),
                lost,
            ),
        ),
    ]
}

pub(super) fn introspections() -> [Example<Introspection>; 2] {
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
    let said = |claims: Option<Claims>| Introspection {
        active: claims.is_some(),
        claims,
    };
    [("active", said(Some(claims))), ("inactive", said(None))]
}

pub(super) fn config() -> ConfigResponse {
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
