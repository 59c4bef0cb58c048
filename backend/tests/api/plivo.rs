//! The Plivo client, against a socket that records every byte and answers as the test
//! says.

use std::sync::{Arc, Mutex};

use countersign_core::Verdict;
use countersign_plivo::{AcceptedMessages, Account, Answered, Create, PlivoClient, PlivoError};
use countersign_shared::{Channel, Locale, OneTimeCode, PhoneNumber, session::AttemptStatus};
use countersign_test_support::{hostile::read_request, plivo};
use tokio::{io::AsyncWriteExt, net::TcpListener};

/// Timeout that no test reaches.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(8);
const ID: &str = "8e712097-8090-4644-81e7-8f4265d8354e";

/// An upstream that answers every request alike.
struct Upstream {
    base_url: String,
    received: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    /// Answers with these bytes, then closes the connection.
    async fn raw(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = received.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let request = read_request(&mut socket).await.ok().flatten();
                log.lock().unwrap().push(request.unwrap_or_default());
                socket.write_all(&answer).await.ok();
            }
        });
        Self { base_url, received }
    }

    async fn answering(status: u16, content_type: &str, body: &str) -> Self {
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        Self::raw([head.as_bytes(), body.as_bytes()].concat()).await
    }

    async fn json(status: u16, body: &str) -> Self {
        Self::answering(status, "application/json", body).await
    }

    fn client(&self) -> PlivoClient {
        PlivoClient::new(Account {
            base_url: self.base_url.clone(),
            auth_id: "MAXXXXXXXXXXXXXXXXXX".into(),
            auth_token: "test_auth_token".to_owned().into(),
            app_uuid: None,
            app_hash: None,
            accepted_messages: AcceptedMessages::default(),
        })
        .unwrap()
    }

    async fn create(&self) -> Result<String, PlivoError> {
        self.client()
            .create(
                &Create {
                    recipient: &PhoneNumber::parse("+14155550123").unwrap(),
                    channel: Channel::Sms,
                    locale: &Locale::parse("en_US").unwrap(),
                    brand_name: "Acme",
                    app_uuid: None,
                    otp_length: 6,
                    callback_url: None,
                },
                WITHIN,
            )
            .await
    }

    async fn validate(&self) -> Result<Answered, PlivoError> {
        let otp = OneTimeCode::parse("012345").unwrap();
        self.client().validate(ID, &otp, WITHIN).await
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}

#[actix_web::test]
async fn a_create_on_the_wire() {
    let upstream = Upstream::json(202, plivo::CREATE_202).await;
    assert_eq!(upstream.create().await.unwrap(), ID);
    let host = upstream.base_url.strip_prefix("http://").unwrap();
    let body = r#"{"recipient":"+14155550123","channel":"sms","locale":"en_US","brand_name":"Acme","code_length":6}"#;
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        upstream.received(),
        [format!(
            "POST /v1/Account/MAXXXXXXXXXXXXXXXXXX/Verify/Session/ HTTP/1.1\r\n\
             content-type: application/json\r\naccept: application/json\r\n\
             authorization: Basic TUFYWFhYWFhYWFhYWFhYWFhYWFg6dGVzdF9hdXRoX3Rva2Vu\r\n\
             user-agent: countersign/{version}\r\nhost: {host}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )]
    );
}

#[actix_web::test]
async fn a_validate_on_the_wire() {
    let upstream = Upstream::json(200, plivo::VALIDATE_200).await;
    assert_eq!(
        upstream.validate().await,
        Ok(Answered::Decided(Verdict::Accepted))
    );
    let received = upstream.received();
    assert!(received[0].starts_with(&format!(
        "POST /v1/Account/MAXXXXXXXXXXXXXXXXXX/Verify/Session/{ID}/ HTTP/1.1\r\n"
    )));
    assert!(received[0].ends_with("\r\n\r\n{\"otp\":\"012345\"}"));
}

#[actix_web::test]
async fn a_retrieve_on_the_wire() {
    let upstream = Upstream::json(200, plivo::RETRIEVE_200).await;
    let retrieved = upstream.client().retrieve(ID, WITHIN).await.unwrap();
    let attempts = retrieved.attempts.iter();
    let retrieved: Vec<_> = attempts.map(|it| (it.channel, it.status)).collect();
    assert_eq!(
        retrieved,
        [
            (Channel::Voice, AttemptStatus::Delivered),
            (Channel::Sms, AttemptStatus::Undelivered)
        ]
    );
    assert!(upstream.received()[0].starts_with("GET "));
}

#[actix_web::test]
async fn answers_to_create_keep_their_kind() {
    for (status, body, error) in [
        (200, "{}", PlivoError::InvalidResponse),
        (
            202,
            r#"{"session_uuid":"x","error":"no"}"#,
            PlivoError::InvalidResponse,
        ),
        (
            202,
            r#"{"session_uuid":"../../Message"}"#,
            PlivoError::InvalidResponse,
        ),
        (202, r#"{"session_uuid":""}"#, PlivoError::InvalidResponse),
        (202, r#"{"session_uuid":7}"#, PlivoError::InvalidResponse),
        (202, r#"["x"]"#, PlivoError::InvalidResponse),
        (202, "zebra", PlivoError::InvalidResponse),
        (204, "", PlivoError::InvalidResponse),
        (301, "{}", PlivoError::InvalidResponse),
        (
            400,
            r#"{"error":"recipient is invalid"}"#,
            PlivoError::RecipientRefused,
        ),
        (
            400,
            r#"{"error":{"message":"Recipient is invalid"}}"#,
            PlivoError::RecipientRefused,
        ),
        (
            400,
            r#"{"error":"maximum attempts reached"}"#,
            PlivoError::AttemptsUsedUp,
        ),
        (
            400,
            r#"{"error":"Insufficient Credit"}"#,
            PlivoError::Refused { status: 400 },
        ),
        (400, "zebra", PlivoError::Refused { status: 400 }),
        (401, "{}", PlivoError::Refused { status: 401 }),
        (403, "{}", PlivoError::CountryRefused),
        (404, "{}", PlivoError::Refused { status: 404 }),
        (500, "", PlivoError::Failed { status: 500 }),
        (503, "{}", PlivoError::Failed { status: 503 }),
    ] {
        let upstream = Upstream::json(status, body).await;
        assert_eq!(upstream.create().await, Err(error), "{status} {body}");
        assert_eq!(upstream.received().len(), 1, "a create was repeated");
    }
}

#[actix_web::test]
async fn answers_to_validate_keep_their_kind() {
    let rejected = |hint| Ok(Answered::Decided(hint));
    let incorrect = || rejected(Verdict::Incorrect);
    let dead = || rejected(Verdict::CodeUsed);
    for (status, body, expected) in [
        (200, "zebra", Err(PlivoError::InvalidResponse)),
        (204, "", Err(PlivoError::InvalidResponse)),
        (400, plivo::VALIDATE_400, incorrect()),
        (400, "", incorrect()),
        (404, "{}", incorrect()),
        (400, r#"{"error":"session expired"}"#, dead()),
        (400, r#"{"message":"session expired"}"#, dead()),
        (400, r#"{"error":{"message":"Session Expired"}}"#, dead()),
        (400, r#"{"error":"session already verified"}"#, dead()),
        (404, r#"{"error":"session not found"}"#, dead()),
        (401, "", Err(PlivoError::Refused { status: 401 })),
        (500, "", Err(PlivoError::Failed { status: 500 })),
    ] {
        let upstream = Upstream::json(status, body).await;
        assert_eq!(upstream.validate().await, expected, "{status} {body}");
        assert_eq!(upstream.received().len(), 1, "a validate was repeated");
    }
}

#[actix_web::test]
async fn a_2xx_without_plivos_success_is_not_a_success() {
    let success = r#"{"message":"session validated successfully."}"#;
    for (status, body) in [
        (200, "{}"),
        (200, "null"),
        (200, r#"["session validated successfully."]"#),
        (200, r#"{"message":"x"}"#),
        (200, r#"{"message":"The passcode entered is incorrect."}"#),
        (
            200,
            r#"{"message":"session validated successfully.","error":""}"#,
        ),
        (201, success),
        (202, success),
        (206, success),
    ] {
        let upstream = Upstream::json(status, body).await;
        let json = serde_json::from_str(body).unwrap();
        let expected = Answered::Unexpected { status, body: json };
        assert_eq!(upstream.validate().await, Ok(expected), "{status} {body}");
        assert_eq!(upstream.received().len(), 1, "a validate was repeated");
    }
}

#[actix_web::test]
async fn contradictory_and_oversize_answers_are_invalid() {
    let html = Upstream::answering(200, "text/html", r#"{"message":"x"}"#).await;
    assert_eq!(html.validate().await, Err(PlivoError::InvalidResponse));
    let large = format!(r#"{{"message":"{}"}}"#, "x".repeat(70_000));
    let flood = Upstream::json(200, &large).await;
    assert_eq!(flood.validate().await, Err(PlivoError::InvalidResponse));
}

#[actix_web::test]
async fn a_redirect_is_not_followed() {
    let target = Upstream::json(200, r#"{"message":"x"}"#).await;
    let answer = format!(
        "HTTP/1.1 307 X\r\nlocation: {}/x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        target.base_url
    );
    let upstream = Upstream::raw(answer.into_bytes()).await;
    assert_eq!(upstream.validate().await, Err(PlivoError::InvalidResponse));
    assert!(target.received().is_empty());
}

#[actix_web::test]
async fn a_connection_cut_after_the_request_is_not_unreachable() {
    let upstream = Upstream::raw(Vec::new()).await;
    assert_eq!(upstream.create().await, Err(PlivoError::Broken));
    assert_eq!(upstream.received().len(), 1);
}

#[actix_web::test]
async fn throttling_reports_its_wait() {
    for (header, seconds) in [
        ("retry-after: 7\r\n", Some(7)),
        ("", None),
        ("retry-after: zebra\r\n", None),
        ("retry-after: 99999999\r\n", Some(300)),
    ] {
        let answer =
            format!("HTTP/1.1 429 X\r\n{header}content-length: 0\r\nconnection: close\r\n\r\n");
        let upstream = Upstream::raw(answer.into_bytes()).await;
        let retry_after = seconds.map(std::time::Duration::from_secs);
        assert_eq!(
            upstream.create().await,
            Err(PlivoError::Throttled { retry_after })
        );
    }
}
