//! The simulator over real HTTP, held to what Plivo documents.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use futures_util::future::join_all;
use plivo_simulator::{Outcome, Settings, SignatureVersion, Simulator, TABLE, signature};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

const ID: &str = "MAXXXXXXXXXXXXXXXXXX";
const TOKEN: &str = "test_auth_token";

struct Plivo {
    simulator: Simulator,
    http: Client,
}

impl Plivo {
    fn start() -> Self {
        Self::start_with(|_| {})
    }

    fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new(ID, TOKEN);
        change(&mut settings);
        let simulator = Simulator::start(settings).unwrap();
        let http = Client::builder().no_proxy().build().unwrap();
        Self { simulator, http }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!(
            "{}/v1/Account/{ID}/Verify/Session/{path}",
            self.simulator.base_url()
        );
        self.http.request(method, url).basic_auth(ID, Some(TOKEN))
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        // An id of its own in every answer, errors included.
        assert_eq!(body["api_id"].as_str().unwrap().len(), 36);
        (status, body)
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.call(self.request(Method::POST, path).json(body)).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call(self.request(Method::GET, path)).await
    }

    /// Creates, and answers the session's id.
    async fn create(&self, body: &Value) -> String {
        let (status, answer) = self.post("", body).await;
        assert_eq!(
            (status, &answer["message"]),
            (202, &json!("Session initiated")),
            "{answer}"
        );
        assert!(answer.get("error").is_none());
        answer["session_uuid"].as_str().unwrap().to_owned()
    }

    async fn validate(&self, id: &str, otp: &str) -> (u16, Value) {
        self.post(&format!("{id}/"), &json!({"otp": otp})).await
    }

    async fn refused(&self, body: &Value, status: u16, error: &str) {
        let (seen, answer) = self.post("", body).await;
        assert_eq!((seen, &answer["error"]), (status, &json!(error)), "{body}");
    }

    async fn session(&self, id: &str) -> Value {
        let (status, answer) = self.get(&format!("{id}/")).await;
        assert_eq!(status, 200);
        answer
    }

    fn otp(&self) -> String {
        self.simulator.messages()[0].otp.clone()
    }
}

fn to(recipient: &str) -> Value {
    json!({"recipient": recipient})
}

#[tokio::test]
async fn without_credentials_there_is_plain_text() {
    let plivo = Plivo::start();
    let url = format!(
        "{}/v1/Account/{ID}/Verify/Session/",
        plivo.simulator.base_url()
    );
    let other = url.replace(ID, "MAYYYYYYYYYYYYYYYYYY");
    for request in [
        plivo.http.post(&url),
        plivo.http.post(&url).basic_auth(ID, Some("wrong")),
        plivo.http.post(&other).basic_auth(ID, Some(TOKEN)),
    ] {
        let answer = request.json(&to("+14155550123")).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert!(answer.text().await.unwrap().starts_with("Could not verify"));
    }
    assert_eq!(plivo.simulator.calls().create, 0);
}

#[tokio::test]
async fn paths_end_in_a_slash_and_methods_are_two() {
    let plivo = Plivo::start();
    let url = format!(
        "{}/v1/Account/{ID}/Verify/Session",
        plivo.simulator.base_url()
    );
    let answer = plivo
        .call(plivo.http.post(url).basic_auth(ID, Some(TOKEN)))
        .await;
    assert_eq!(answer.0, 404);
    assert_eq!(plivo.call(plivo.request(Method::DELETE, "")).await.0, 405);
}

#[tokio::test]
async fn a_recipient_has_one_session_and_one_code_while_it_lives() {
    let plivo = Plivo::start();
    let first = plivo.create(&to("+14155550123")).await;
    let otp = plivo.otp();
    plivo.simulator.advance(Duration::from_mins(9));
    let again = json!({"recipient": "14155550123", "channel": "voice"});
    assert_eq!(plivo.create(&again).await, first);
    assert_eq!(plivo.otp(), otp);
    let session = plivo.session(&first).await;
    assert_eq!(
        (&session["count"], &session["channel"]),
        (&json!(2), &json!("voice"))
    );
    // The expiry is counted from the first create.
    plivo.simulator.advance(Duration::from_mins(1));
    assert_eq!(plivo.session(&first).await["status"], "expired");
    assert_eq!(
        plivo.validate(&first, &otp).await.1["error"],
        "session expired"
    );
    assert_ne!(plivo.create(&to("+14155550123")).await, first);
}

#[tokio::test]
async fn parallel_creates_for_a_recipient_are_one_session() {
    let plivo = Plivo::start_with(|settings| settings.max_attempts = 50);
    let body = to("+14155550123");
    let ids = join_all((0..50).map(|_| plivo.create(&body))).await;
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(plivo.session(&ids[0]).await["count"], 50);
}

#[tokio::test]
async fn a_code_counts_once_and_ten_are_tried_at_most() {
    let plivo = Plivo::start();
    let id = plivo.create(&to("+14155550123")).await;
    let otp = plivo.otp();
    for _ in 0..9 {
        assert_eq!(plivo.validate(&id, "x").await.1["error"], "incorrect otp");
    }
    let (status, answer) = plivo.validate(&id, &otp).await;
    assert_eq!(
        (status, &answer["message"]),
        (200, &json!("session validated successfully."))
    );
    assert_eq!(
        plivo.validate(&id, &otp).await.1["error"],
        "session already verified"
    );

    let other = plivo.create(&to("+14155550124")).await;
    let otp = plivo.otp();
    for _ in 0..10 {
        plivo.validate(&other, "x").await;
    }
    let refused = plivo.validate(&other, &otp).await;
    assert_eq!(refused.1["error"], "maximum validation attempts reached");
    assert_eq!(plivo.session(&other).await["status"], "in-progress");
}

#[tokio::test]
async fn bodies_are_read_as_the_sdks_write_them() {
    let plivo = Plivo::start();
    let id = plivo
        .create(&json!({
            "recipient": 14_155_550_123_u64, "channel": "", "method": null, "locale": "",
            "code_length": 0, "app_uuid": null, "zebra": 1
        }))
        .await;
    let number: u64 = plivo.otp().parse().unwrap();
    if plivo.otp().starts_with('0') {
        // As a number it lost its zero, and codes are texts.
        assert_eq!(
            plivo
                .post(&format!("{id}/"), &json!({"OTP": number}))
                .await
                .0,
            400
        );
    } else {
        assert_eq!(
            plivo
                .post(&format!("{id}/"), &json!({"OTP": number}))
                .await
                .0,
            200
        );
    }
    let body_on_get = plivo.request(Method::GET, &format!("{id}/")).body("\"\"");
    assert_eq!(plivo.call(body_on_get).await.0, 200);
}

#[tokio::test]
async fn malformed_creates_are_named() {
    let plivo = Plivo::start_with(|settings| settings.channels = vec!["sms".into()]);
    for (body, error) in [
        (json!({}), "recipient is invalid"),
        (to("0000"), "recipient is invalid"),
        (to("+1 415 555 0123"), "recipient is invalid"),
        (
            json!({"recipient": "+14155550123", "channel": "email"}),
            "channel is invalid",
        ),
        (
            json!({"recipient": "+14155550123", "channel": "voice"}),
            "channel not enabled for application",
        ),
        (
            json!({"recipient": "+14155550123", "code_length": 9}),
            "code_length must be between 4 and 8",
        ),
        (
            json!({"recipient": "+14155550123", "url": "example.com"}),
            "url is invalid",
        ),
        (
            json!({"recipient": "+14155550123", "method": "PUT"}),
            "method is invalid",
        ),
        (json!([1]), "invalid JSON"),
    ] {
        plivo.refused(&body, 400, error).await;
    }
    let id = plivo.create(&to("+14155550123")).await;
    assert_eq!(
        plivo.post(&format!("{id}/"), &json!({})).await.1["error"],
        "otp is required"
    );
}

#[tokio::test]
async fn the_last_two_digits_steer_what_happens() {
    let plivo = Plivo::start();
    plivo
        .refused(&to("+14155550190"), 400, "Insufficient Credit")
        .await;
    plivo
        .refused(&to("+14155550195"), 429, "too many requests")
        .await;
    plivo
        .refused(&to("+14155550196"), 500, "internal server error")
        .await;
    assert_eq!(plivo.post("", &to("+14155550194")).await.0, 403);
    let garbage = plivo
        .request(Method::POST, "")
        .json(&to("+14155550198"))
        .send()
        .await
        .unwrap();
    assert_eq!(garbage.status(), 200);
    assert_eq!(garbage.headers()["content-type"], "text/html");
    let silent = plivo.request(Method::POST, "").json(&to("+14155550197"));
    let silence = silent.timeout(Duration::from_millis(200)).send().await;
    assert!(silence.unwrap_err().is_timeout());

    for (recipient, status, code, arrives) in [
        ("+14155550123", "delivered", "", true),
        ("+14155550191", "delivered", "", true),
        ("+14155550192", "undelivered", "20", false),
        ("+14155550193", "failed", "452", false),
    ] {
        let id = plivo.create(&to(recipient)).await;
        plivo.simulator.advance(Duration::from_mins(1));
        let attempt = &plivo.session(&id).await["attempt_details"][0];
        assert_eq!(attempt["status"], status, "{recipient} {code}");
        let messages = plivo.simulator.messages();
        assert_eq!(
            messages
                .iter()
                .any(|message| message.recipient == recipient),
            arrives
        );
    }
    let id = plivo.create(&to("+14155550199")).await;
    plivo.create(&to("+14155550199")).await;
    plivo.simulator.advance(Duration::from_mins(1));
    let attempts = &plivo.session(&id).await["attempt_details"];
    assert_eq!(
        (&attempts[0]["status"], &attempts[1]["status"]),
        (&json!("failed"), &json!("delivered"))
    );
}

#[tokio::test]
async fn a_session_is_read_as_documented() {
    let plivo = Plivo::start();
    let id = plivo
        .create(&json!({"recipient": "+14155550123", "brand_name": "Acme", "code_length": 8}))
        .await;
    assert_eq!(plivo.otp().len(), 8);
    assert!(plivo.simulator.messages()[0].text.contains("Acme"));
    let session = plivo.session(&id).await;
    assert_eq!(session["recipient"], "14155550123");
    assert_eq!(session["status"], "in-progress");
    assert_eq!(session["destination_country_iso2"], "US");
    assert_eq!(session["attempt_details"][0]["brand_name"], "Acme");
    assert_eq!(session["attempt_details"][0]["code_length"], 8);
    assert_eq!(session["charges"]["total_charge"], "0.00700");
    assert_eq!(session["updated_at"], session["attempt_details"][0]["time"]);
    assert_eq!(
        plivo.get("8e712097-8090-4644-81e7-8f4265d8354e/").await.0,
        404
    );
}

#[tokio::test]
async fn charges_differ_by_country_and_channel_add_up_and_are_the_bill() {
    let plivo = Plivo::start_with(|settings| settings.validation_charge = 5_000);
    let us = plivo.create(&to("+14155550123")).await;
    plivo
        .create(&json!({"recipient": "+14155550123", "channel": "voice"}))
        .await;
    let gb = plivo.create(&to("+447700900123")).await;
    let blocked = plivo.create(&to("+447700900193")).await;
    let charges = |session: &Value| session["charges"].clone();
    let seen = charges(&plivo.session(&us).await);
    assert_eq!(seen["total_charge"], "0.01900");
    assert_eq!(seen["validation_charge"], "0");
    assert_eq!(seen["attempt_charges"][1]["charge"], "0.01200");
    let seen = charges(&plivo.session(&gb).await);
    assert_eq!(seen["total_charge"], "0.04130");
    let seen = charges(&plivo.session(&blocked).await);
    assert_eq!(seen["total_charge"], "0.00000");
    let newest = plivo.simulator.messages();
    let code = newest.iter().find(|it| it.recipient == "+447700900123");
    assert_eq!(plivo.validate(&gb, &code.unwrap().otp).await.0, 200);
    let seen = charges(&plivo.session(&gb).await);
    assert_eq!(seen["validation_charge"], "0.05000");
    assert_eq!(seen["total_charge"], "0.09130");
    let bill = plivo.simulator.bill();
    let lines: Vec<_> = bill
        .iter()
        .map(|line| (line.country, line.channel.as_str(), line.charge))
        .collect();
    assert_eq!(
        lines,
        [
            ("US", "sms", 700),
            ("US", "voice", 1200),
            ("GB", "sms", 4130),
            ("GB", "validation", 5000),
            ("GB", "sms", 0),
        ]
    );
}

#[tokio::test]
async fn the_list_has_pages_filters_and_a_limit_of_its_own() {
    let plivo = Plivo::start();
    let mut ids = Vec::new();
    for last in 10..15 {
        ids.push(plivo.create(&to(&format!("+141555501{last}"))).await);
        plivo.simulator.advance(Duration::from_secs(1));
    }
    let (_, page) = plivo.get("?limit=2&offset=1").await;
    let listed: Vec<_> = page["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| &session["session_uuid"])
        .collect();
    assert_eq!(listed, [&ids[3], &ids[2]]);
    assert_eq!(
        page["meta"]["next"],
        format!("/v1/Account/{ID}/Verify/Session/?limit=2&offset=3")
    );
    assert_eq!(
        page["meta"]["previous"],
        format!("/v1/Account/{ID}/Verify/Session/?limit=2&offset=0")
    );
    for (query, count) in [
        ("?recipient=%2B14155550112", 1),
        ("?status=verified", 0),
        ("?status=in-progress", 5),
        ("?country=US", 5),
        ("?session_time__gte=2020-01-01%2000:00", 5),
        ("?session_time__lt=2020-01-01%2000:00", 0),
    ] {
        let (_, page) = plivo.get(query).await;
        assert_eq!(page["sessions"].as_array().unwrap().len(), count, "{query}");
    }
    assert_eq!(plivo.get("?limit=21").await.0, 400);
    plivo.simulator.advance(Duration::from_hours(25));
    assert_eq!(plivo.get("").await.1["sessions"], json!([]));
    for _ in 0..19 {
        plivo.get("").await;
    }
    assert_eq!(plivo.get("").await.1["error"], "too many requests");
    plivo.simulator.advance(Duration::from_mins(1));
    assert_eq!(plivo.get("").await.0, 200);
}

#[tokio::test]
async fn an_account_has_three_hundred_requests_in_five_seconds() {
    let plivo = Plivo::start_with(|settings| settings.requests_per_5s = 3);
    for _ in 0..3 {
        plivo.get("x/").await;
    }
    assert_eq!(plivo.get("x/").await.0, 429);
    plivo.simulator.advance(Duration::from_secs(5));
    assert_eq!(plivo.get("x/").await.0, 404);
}

/// A receiver of callbacks: hands over head and body, answers each status in
/// turn and then 200.
async fn receiver(statuses: &'static [u16]) -> (String, mpsc::UnboundedReceiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/status/?tenant=42",
        listener.local_addr().unwrap()
    );
    let (send, receive) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut statuses = statuses.iter();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut text = String::new();
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = socket.read(&mut chunk).await {
                text += &String::from_utf8_lossy(&chunk[..count]);
                let length = text
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map_or(0, |length| length.parse().unwrap());
                if text
                    .split_once("\r\n\r\n")
                    .is_some_and(|(_, body)| body.len() >= length)
                {
                    break;
                }
            }
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let status = statuses.next().unwrap_or(&200);
            let answer =
                format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.ok();
            send.send((head.to_owned(), body.to_owned())).ok();
        }
    });
    (url, receive)
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .unwrap()
}

#[tokio::test]
async fn every_change_is_reported_and_signed() {
    let plivo = Plivo::start();
    let (url, mut callbacks) = receiver(&[]).await;
    let id = plivo
        .create(&json!({"recipient": "+14155550192", "url": url}))
        .await;
    for status in ["queued", "sent", "undelivered"] {
        let (head, body) = callbacks.recv().await.unwrap();
        assert!(head.starts_with("POST /status/?tenant=42 HTTP/1.1"));
        assert!(body.contains(&format!("SessionUUID={id}&SessionStatus=in-progress")));
        assert!(body.contains("&AttemptSequence=1&Channel=sms"));
        assert!(body.contains(&format!("ChannelStatus={status}&")), "{body}");
        assert!(body.contains("&Recipient=14155550192&"));
        let nonce = header(&head, "x-plivo-signature-v2-nonce");
        let expected = signature::v2(TOKEN, &url, nonce);
        assert_eq!(header(&head, "x-plivo-signature-v2"), expected);
        assert_eq!(header(&head, "x-plivo-signature-ma-v2"), expected);
        plivo.simulator.advance(Duration::from_secs(5));
    }
    plivo.simulator.advance(Duration::from_mins(10));
    let (_, body) = callbacks.recv().await.unwrap();
    assert!(body.contains("SessionStatus=expired"), "{body}");
}

#[tokio::test]
async fn a_carrier_in_disorder_reports_the_end_first_and_again() {
    let plivo = Plivo::start();
    let (url, mut callbacks) = receiver(&[]).await;
    plivo
        .create(&json!({"recipient": "+14155550189", "url": url}))
        .await;
    plivo.simulator.advance(Duration::from_secs(5));
    for status in ["delivered", "queued", "sent", "delivered", "delivered"] {
        let (_, body) = callbacks.recv().await.unwrap();
        assert!(body.contains(&format!("ChannelStatus={status}&")), "{body}");
    }
}

#[tokio::test]
async fn a_callback_by_get_is_signed_whole_with_v3() {
    let plivo = Plivo::start_with(|settings| settings.signature = SignatureVersion::V3);
    let (url, mut callbacks) = receiver(&[]).await;
    plivo
        .create(&json!({"recipient": "+14155550123", "url": url, "method": "get"}))
        .await;
    let (head, body) = callbacks.recv().await.unwrap();
    let path = head.split(' ').nth(1).unwrap();
    assert!(path.starts_with("/status/?tenant=42&SessionUUID=") && body.is_empty());
    let called = format!("{}{path}", url.split("/status").next().unwrap());
    let nonce = header(&head, "x-plivo-signature-v3-nonce");
    let expected = signature::v3_get(TOKEN, &called, nonce);
    assert_eq!(header(&head, "x-plivo-signature-v3"), expected);
}

#[tokio::test]
async fn a_callback_is_repeated_until_it_is_answered_with_200() {
    // A minute is 60 ms.
    let plivo = Plivo::start_with(|settings| settings.speed = 1000.0);
    let (url, mut callbacks) = receiver(&[500, 302]).await;
    let body = json!({"recipient": "+14155550123", "url": url});
    plivo.create(&body).await;
    for status in ["queued", "queued", "queued", "sent", "delivered"] {
        let (_, body) = callbacks.recv().await.unwrap();
        assert!(body.contains(&format!("ChannelStatus={status}&")), "{body}");
    }
}

#[test]
fn signatures_match_plivos_own_vectors() {
    let (token, nonce) = ("ref_example_token_0001", "11223344556677889900");
    let url = "https://example.com/plivo/status/?tenant=42";
    assert_eq!(
        signature::v2(token, url, nonce),
        "XOskJ4O2uU+3hr5utWDA8lh8nNYUwpgvvdDiNxvPYn8="
    );
    let form = [
        ("SessionUUID", "8e712097-8090-4644-81e7-8f4265d8354e"),
        ("SessionStatus", "in-progress"),
        ("AttemptUUID", "c1ed6b11-783d-4efd-8b45-d372e02d2943"),
        ("AttemptSequence", "1"),
        ("Channel", "sms"),
        ("ChannelStatus", "delivered"),
        ("ChannelErrorCode", ""),
        ("Recipient", "14155550123"),
        ("RequestTime", "2026-01-15 10:00:00.123456"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(
        signature::v3_post(token, url, &form, nonce),
        "dgrLys4luQWXW/NDpfp6V72A4zKZ1z8+REr5CaWbb/s="
    );
    let query: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", value.replace(' ', "+")))
        .collect();
    let called = format!("{url}&{}", query.join("&"));
    assert_eq!(
        signature::v3_get(token, &called, nonce),
        "e09ph25L6T1pvQ3WwuSpckQjRI7aVWazxLYDTyDPec0="
    );
}

#[test]
fn the_document_lists_every_outcome() {
    let document = include_str!("../../../docs/simulator.md");
    for (digits, outcome, meaning) in TABLE {
        assert!(
            document.contains(&format!("| `{digits}` | {meaning} |")),
            "{digits}"
        );
        assert_eq!(Outcome::of(&format!("141555501{digits}")), outcome);
    }
}
