//! Callbacks: what is reported, how it is signed, and how often it is repeated.

use std::time::Duration;

use plivo_simulator::{SignatureVersion, signature};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

use super::{Plivo, TOKEN};

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
