//! `deploy/Caddyfile`, run by a real Caddy.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

const CADDY: &str = "/usr/bin/caddy";
const SAMPLE: &str = include_str!("../../deploy/Caddyfile");
const SECRET: &str = "a-secret-of-callbacks";

/// A running Caddy, killed when dropped.
struct Caddy(Child);

impl Drop for Caddy {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The error that Caddy logs when no instance can be reached must not contain the path,
/// because it contains the secret of Plivo's callbacks.
#[actix_web::test]
async fn a_request_that_fails_is_logged_without_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let sample = SAMPLE
        .replacen("{\n", "{\n\tadmin off\n", 1)
        .replace("verify.example.com", &format!("http://127.0.0.1:{port}"))
        // Nothing listens on the first port.
        .replace("127.0.0.1:8081 127.0.0.1:8082", "127.0.0.1:1")
        // As the sample describes for Debian 12's Caddy.
        .replace("request_buffers", "buffer_requests")
        .replace("buffer_requests 4KiB", "buffer_requests");
    let config = directory.path().join("Caddyfile");
    fs::write(&config, sample).unwrap();
    let log = directory.path().join("log");
    let child = Command::new(CADDY)
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(&config)
        .env("HOME", directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let caddy = Caddy(child);
    // Waits until it accepts connections.
    let is_there = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    let mut tries = 0;
    while !is_there() {
        tries += 1;
        let said = || fs::read_to_string(&log).unwrap();
        assert!(tries < 600, "Caddy does not start: {}", said());
        thread::sleep(Duration::from_millis(50));
    }
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let url = format!("http://127.0.0.1:{port}/api/plivo/callback/{SECRET}");
    let answer = reqwest::Client::new()
        .post(url)
        .header("authorization", SECRET)
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_server_error(), "{}", answer.status());
    drop(caddy);
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.contains("http.log.error"), "{log}");
    assert!(!log.contains(SECRET), "{log}");
}
