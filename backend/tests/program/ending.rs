//! Graceful shutdown.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use countersign_test_support::{
    hostile::{Fault, Hostile},
    http,
};
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::{Program, hostile_settings};

#[tokio::test(flavor = "multi_thread")]
async fn on_sigterm_it_is_not_ready_answers_requests_in_progress_and_exits_cleanly() {
    let hostile = Hostile::start(Fault::Late(Duration::from_secs(3)));
    let base_url = hostile.base_url();
    let mut settings = hostile_settings(&base_url);
    settings.push(("SHUTDOWN_GRACE", "2s"));
    let program = Program::new("drain");
    let running = program.start(&settings);
    let (http, address) = (http(), running.address.clone());
    let ready = async || {
        let ready = http.get(format!("http://{address}/readyz")).send().await;
        ready.unwrap().status().as_u16()
    };
    assert_eq!(ready().await, 200);
    let sends = join_all((0..200).map(|index| {
        let request = http.post(format!("http://{address}/api/otp/send"));
        let recipient = format!("+1415555{:04}", 100 + index % 100 + 1000 * (index / 100));
        request.json(&json!({"recipient": recipient})).send()
    }));
    let end = async {
        while hostile.creates() < 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.tell_to_end();
        while ready().await != 503 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Instant::now()
    };
    let (sends, told) = tokio::join!(sends, end);
    let statuses: Vec<_> = sends
        .into_iter()
        .map(|sent| sent.map(|answer| answer.status().as_u16()))
        .collect();
    let answered = statuses.iter().flatten().filter(|status| **status == 200);
    assert_eq!(answered.count(), 200, "{statuses:?}");
    let (code, log) = running.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("server.stopped") && !log.contains("server.cut_off"));
    assert!(told.elapsed() < Duration::from_secs(10), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_caller_is_gone_is_finished_before_the_exit() {
    let hostile = Hostile::start(Fault::Late(Duration::from_secs(2)));
    let base_url = hostile.base_url();
    let program = Program::new("drain-alone");
    let running = program.start(&hostile_settings(&base_url));
    let mut caller = tokio::net::TcpStream::connect(&running.address)
        .await
        .unwrap();
    let body = r#"{"recipient":"+14155550100"}"#;
    let request = format!(
        "POST /api/otp/send HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    caller.write_all(request.as_bytes()).await.unwrap();
    while hostile.creates() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // With a reset, upon which the server drops the request at once.
    caller.set_zero_linger().unwrap();
    drop(caller);
    let (code, log) = running.terminate();
    assert_eq!(code, Some(0));
    assert!(log.contains("otp.sent"), "{log}");
}

#[test]
fn sighup_and_sigquit_shut_it_down_gracefully() {
    for signal in ["-HUP", "-QUIT"] {
        let program = Program::new(&format!("signal{signal}"));
        // Also where the tests themselves run under nohup.
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_countersign")]);
        let running = program.start_by(command, &[]);
        running.signal(signal);
        let (code, log) = running.ended();
        assert_eq!(code, Some(0), "{signal}");
        assert!(log.contains("server.stopped"), "{signal}: {log}");
    }
}

#[tokio::test]
async fn a_program_under_nohup_ignores_sighup() {
    let program = Program::new("nohup");
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_countersign"));
    let running = program.start_by(command, &[("PATH", "/usr/bin:/bin")]);
    running.signal("-HUP");
    let url = format!("http://{}/readyz", running.address);
    for _ in 0..5 {
        let answer = http().get(&url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(running.terminate().0, Some(0));
}
