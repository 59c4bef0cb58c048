//! `countersign-sandbox` for somebody who has nothing but the file, and the health check
//! of both programs.

#![cfg(feature = "sandbox")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

const SANDBOX: &str = env!("CARGO_BIN_EXE_countersign-sandbox");
const SERVICE: &str = env!("CARGO_BIN_EXE_countersign");

/// A program in an empty directory with an empty environment, on a machine without
/// certificates, like an empty one or a container image.
fn command(program: &str, directory: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(settings.iter().copied())
        .env("TMPDIR", directory)
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent")
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn output(mut command: Command) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = [stdout, stderr].concat();
    (status.code(), String::from_utf8(text).unwrap())
}

/// The sandbox program on free ports, and the three lines it printed.
struct Sandbox {
    child: Child,
    lines: Vec<String>,
    directory: TempDir,
}

impl Sandbox {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = [
            ("LISTEN_ADDR", "127.0.0.1:0"),
            ("METRICS_ADDR", "127.0.0.1:0"),
            ("SHUTDOWN_GRACE", "0s"),
        ];
        let mut child = command(SANDBOX, directory.path(), &settings)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let lines = lines.take(3).map(Result::unwrap).collect();
        Self {
            child,
            lines,
            directory,
        }
    }

    /// The URL in the first line.
    fn url(&self) -> String {
        url_in(&self.lines[0])
    }

    /// Terminates it as a service manager does. Returns its exit code, any other output,
    /// and the number of files left behind.
    fn terminate(mut self) -> (Option<i32>, String, usize) {
        let id = self.child.id().to_string();
        let kill = Command::new("kill").args(["-TERM", &id]).status();
        assert!(kill.unwrap().success());
        let code = self.child.wait().unwrap().code();
        let mut text = String::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        let left = std::fs::read_dir(self.directory.path()).unwrap().count();
        (code, text, left)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // If a test has failed; otherwise it has already exited.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The first URL in a text.
fn url_in(text: &str) -> String {
    let (_, after) = text.split_once("http://").unwrap();
    let end = after.find([' ', '/', ';', ')']).unwrap_or(after.len());
    format!("http://{}", &after[..end])
}

fn http() -> Client {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    Client::builder().no_proxy().build().unwrap()
}

async fn post(url: String, body: &Value) -> (u16, Value) {
    let answer = http().post(url).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn get(url: String) -> String {
    let answer = http().get(url).send().await.unwrap();
    answer.error_for_status().unwrap().text().await.unwrap()
}

#[actix_web::test]
async fn the_three_printed_lines_suffice_to_verify_a_number() {
    let sandbox = Sandbox::start();
    let url = sandbox.url();
    assert!(sandbox.lines[1].contains(&format!("{url}/api/otp/send")));
    assert!(sandbox.lines[2].contains("PLIVO_MODE=live"));

    // The exact body from the printed line.
    let (_, body) = sandbox.lines[1].split_once("-d '").unwrap();
    let body = serde_json::from_str(body.trim_end_matches('\'')).unwrap();
    let (status, sent) = post(format!("{url}/api/otp/send"), &body).await;
    assert_eq!(status, 200, "{sent}");
    let phone = get(format!("{url}/sandbox/messages")).await;
    let phone: Value = serde_json::from_str(&phone).unwrap();
    let code = json!({"session_uuid": sent["session_uuid"], "otp": phone[0]["otp"]});
    let (status, verified) = post(format!("{url}/api/otp/verify"), &code).await;
    assert_eq!((status, &verified["verified"]), (200, &json!(true)));

    let (_, metrics) = sandbox.lines[0].split_once("metrics at ").unwrap();
    let metrics = get(format!("{}/metrics", url_in(metrics))).await;
    assert!(metrics.contains("countersign_"));

    assert_eq!(sandbox.terminate(), (Some(0), String::new(), 0));
}

#[test]
fn it_never_goes_live() {
    let directory = tempfile::tempdir().unwrap();
    let live = [
        ("PLIVO_MODE", "live"),
        ("PLIVO_AUTH_ID", "MAXXXXXXXXXXXXXXXXXX"),
        ("PLIVO_AUTH_TOKEN", "none"),
        ("ALLOWED_COUNTRIES", "US"),
    ];
    let (code, text) = output(command(SANDBOX, directory.path(), &live));
    assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
    assert!(
        text.contains("PLIVO_MODE: countersign-sandbox sends nothing"),
        "{text}"
    );

    // Nor if the directory's .env says so.
    std::fs::write(directory.path().join(".env"), "PLIVO_MODE=live\n").unwrap();
    let (code, text) = output(command(SANDBOX, directory.path(), &[]));
    assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.contains("PLIVO_MODE"), "{text}");
}

fn healthy(program: &str, address: &str) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(program, directory.path(), &[("LISTEN_ADDR", address)]);
    command.arg("--healthy");
    let (code, text) = output(command);
    assert_eq!(text.lines().count(), 1, "{text}");
    (code, text.trim_end().to_owned())
}

#[test]
fn the_health_check_follows_the_service() {
    let sandbox = Sandbox::start();
    let address = sandbox.url().trim_start_matches("http://").to_owned();
    let (_, port) = address.split_once(':').unwrap();
    let ready = (Some(0), "ready".to_owned());
    assert_eq!(healthy(SERVICE, &address), ready);
    assert_eq!(healthy(SANDBOX, &address), ready);
    // As in a container.
    assert_eq!(healthy(SERVICE, &format!("0.0.0.0:{port}")), ready);
    sandbox.terminate();
    let gone = format!("not ready: nothing answers at {address}");
    assert_eq!(healthy(SERVICE, &address), (Some(1), gone));
}

/// A server that accepts one connection and gives this answer, or none.
fn answering(answer: Option<&'static str>) -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        if let Some(answer) = answer {
            let mut head = [0; 1024];
            let length = connection.read(&mut head).unwrap();
            assert!(head[..length].starts_with(b"GET /readyz "));
            connection.write_all(answer.as_bytes()).unwrap();
        }
        // Until the peer closes the connection.
        connection.read_to_end(&mut Vec::new()).ok();
    });
    (address, thread)
}

#[test]
fn the_health_check_fails_on_any_other_answer_and_on_none() {
    let cases = [
        (
            Some("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"),
            "answers 503",
        ),
        (
            Some("HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"),
            "answers 302",
        ),
        (Some("no HTTP\r\n\r\n"), "nothing answers"),
        (None, "does not answer within 3 seconds"),
    ];
    for (answer, expected) in cases {
        let (address, thread) = answering(answer);
        let (code, text) = healthy(SERVICE, &address);
        assert_eq!(code, Some(1), "{expected}");
        assert!(
            text.starts_with("not ready: ") && text.contains(expected),
            "{text}"
        );
        thread.join().unwrap();
    }
    for wrong in ["127.0.0.1:0", "nowhere"] {
        let (code, text) = healthy(SERVICE, wrong);
        assert_eq!(code, Some(1));
        assert!(text.contains("LISTEN_ADDR"), "{text}");
    }
}
