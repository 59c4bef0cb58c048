//! Slow, idle and numerous clients.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use countersign_test_support::{
    Running,
    hostile::{Fault, Hostile},
    http,
};

use super::{Program, hostile_settings};

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_slow_and_idle_sockets_block_nobody() {
    let files: usize = {
        let limit = Command::new("sh").args(["-c", "ulimit -n"]).output();
        let text = String::from_utf8(limit.unwrap().stdout).unwrap();
        text.trim().parse().unwrap_or(usize::MAX)
    };
    // Fewer if the test itself may not open as many files.
    let count = files.saturating_sub(500).min(5000);
    let program = Program::new("slow");
    let running = program.start(&[]);
    let mut sockets = Vec::new();
    for index in 0..count {
        let socket = tokio::net::TcpStream::connect(&running.address).await;
        let mut socket = socket.unwrap();
        let said: &[u8] = match index % 4 {
            0 => b"",
            1 => b"GET /healthz HTTP/1.1\r\nho",
            2 => b"POST /api/otp/send HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{",
            _ => b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
        };
        socket.write_all(said).await.unwrap();
        sockets.push(socket);
    }
    let http = http();
    let started = Instant::now();
    for _ in 0..20 {
        let health = http
            .get(format!("http://{}/readyz", running.address))
            .send();
        assert_eq!(health.await.unwrap().status(), 200);
    }
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    // An incomplete head times out.
    let mut answer = Vec::new();
    let slow = sockets.get_mut(1).unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(9), slow.read_to_end(&mut answer));
    closed.await.expect("it is closed").ok();
    drop(sockets);
    assert_eq!(running.terminate().0, Some(0));
}

/// A connection with a tiny receive buffer, which is full before anybody reads.
async fn narrow(address: &str) -> tokio::net::TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(address.parse().unwrap()).await.unwrap()
}

/// The targets of a process's open file descriptors.
#[cfg(target_os = "linux")]
fn open_files(running: &Running) -> Vec<PathBuf> {
    let files = std::fs::read_dir(format!("/proc/{}/fd", running.process())).unwrap();
    files
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .collect()
}

/// A page with a script of a million bytes.
fn large_page(program: &Program) -> String {
    let page = program.directory.join("page");
    std::fs::create_dir(&page).unwrap();
    std::fs::write(page.join("index.html"), "<title>x</title>").unwrap();
    std::fs::write(page.join("app-0123456789abcdef.js"), vec![b' '; 1_000_000]).unwrap();
    std::fs::write(page.join("style-0123456789abcdef.css"), vec![b' '; 100_000]).unwrap();
    std::fs::write(program.directory.join("theme.css"), vec![b' '; 1_000_000]).unwrap();
    page.to_str().unwrap().to_owned()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_no_file_and_is_disconnected() {
    let program = Program::new("unread");
    let page = large_page(&program);
    let settings = [
        ("PAGE_DIR", page.as_str()),
        ("THEME_FILE", "theme.css"),
        ("PATH", "/usr/bin:/bin"),
    ];
    let running = program.start(&settings);
    let is_socket = |file: &PathBuf| file.to_string_lossy().starts_with("socket:");
    let open_sockets = || {
        open_files(&running)
            .iter()
            .filter(|it| is_socket(it))
            .count()
    };
    let mut sockets = Vec::new();
    for (path, count) in [
        ("/app-0123456789abcdef.js", 1),
        ("/app-0123456789abcdef.js", 16),
        ("/theme.css", 1),
        // The system buffers the whole answer.
        ("/style-0123456789abcdef.css", 1),
        ("/api/docs", 16),
    ] {
        let mut socket = narrow(&running.address).await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let requests = request.repeat(count);
        socket.write_all(requests.as_bytes()).await.unwrap();
        // The answer has begun.
        let mut begun = [0; 12];
        socket.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200");
        sockets.push(socket);
    }
    let others = open_sockets() - sockets.len();
    let of_page = |file: &PathBuf| file.starts_with(&page) || file.ends_with("theme.css");
    let files: Vec<_> = open_files(&running).into_iter().filter(of_page).collect();
    assert_eq!(files, Vec::<PathBuf>::new());
    // One reads a byte from time to time, the others nothing.
    let started = Instant::now();
    while open_sockets() > others {
        assert!(started.elapsed() < Duration::from_secs(40));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut drop = [0; 1];
        sockets[0].read_exact(&mut drop).await.ok();
    }
    assert!(started.elapsed() > Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_head_times_out_on_a_reused_connection_too() {
    let program = Program::new("second-head");
    let running = program.start(&[]);
    let mut socket = tokio::net::TcpStream::connect(&running.address)
        .await
        .unwrap();
    let mut answer = [0; 4096];
    for _ in 0..2 {
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        socket.write_all(request).await.unwrap();
        let count = socket.read(&mut answer).await.unwrap();
        assert!(answer[..count].starts_with(b"HTTP/1.1 200"));
    }
    socket
        .write_all(b"GET /healthz HTTP/1.1\r\nho")
        .await
        .unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(9), socket.read(&mut answer));
    let closed = closed.await.expect("it is closed");
    assert!(closed.is_err() || closed.is_ok_and(|count| count == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed_to_make_room_for_new_ones() {
    let hostile = Hostile::start(Fault::None);
    let base_url = hostile.base_url();
    let mut settings = hostile_settings(&base_url);
    settings.extend([("PLIVO_CALLS_AT_ONCE", "64"), ("PATH", "/usr/bin:/bin")]);
    let program = Program::new("crowded");
    let page = large_page(&program);
    settings.push(("PAGE_DIR", &page));
    let mut command = Command::new("/usr/bin/prlimit");
    command.args(["--nofile=600:600", env!("CARGO_BIN_EXE_countersign")]);
    let running = program.start_by(command, &settings);
    let mut sockets = Vec::new();
    // Some are silent, some have received an answer, some do not read theirs: more than
    // there is room for, and opened faster than others are closed.
    for index in 0..700 {
        let connect = narrow(&running.address);
        let connected = tokio::time::timeout(Duration::from_secs(10), connect).await;
        let mut socket = connected.expect("there is room for one more");
        let said: &[u8] = match index % 3 {
            0 => b"",
            1 => b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
            _ => b"GET /app-0123456789abcdef.js HTTP/1.1\r\nhost: x\r\n\r\n",
        };
        socket.write_all(said).await.unwrap();
        sockets.push(socket);
    }
    let url = |path: &str| format!("http://{}{path}", running.address);
    for index in 0..20 {
        // Each over a new connection.
        let body = json!({"recipient": format!("+14155552{index:03}")});
        let answer = http().post(url("/api/otp/send")).json(&body).send();
        let answer = tokio::time::timeout(Duration::from_secs(5), answer);
        assert_eq!(answer.await.expect("in time").unwrap().status(), 200);
    }
    drop(sockets);
    let (code, log) = running.terminate();
    assert_eq!(code, Some(0));
    assert!(log.contains("connections.crowded"), "{log}");
    assert!(!log.contains("store.failed"), "{log}");
}

#[test]
fn too_low_a_file_limit_prevents_the_start() {
    let program = Program::new("files");
    let settings = hostile_settings("http://127.0.0.1:9");
    for argument in [None, Some("--check-config")] {
        let mut command = Command::new("/usr/bin/prlimit");
        command.args(["--nofile=300:300", env!("CARGO_BIN_EXE_countersign")]);
        command.args(argument);
        let output = program.prepared(command, &settings).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("PLIVO_CALLS_AT_ONCE: 256 calls"), "{said}");
    }
}

#[tokio::test]
async fn connections_are_limited_per_address() {
    let program = Program::new("peers");
    let settings = [
        ("LISTEN_ADDR", "0.0.0.0:0"),
        ("LIMIT_CONNECTIONS_PER_ADDRESS", "3"),
    ];
    let Some(own) = own_address() else {
        // Without a network there is only loopback, which has no limit.
        return;
    };
    let running = program.start(&settings);
    let port = running.address.rsplit(':').next().unwrap();
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut socket = tokio::net::TcpStream::connect(format!("{own}:{port}"))
            .await
            .unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        socket.write_all(request).await.unwrap();
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        open.push(socket);
    }
    let mut fourth = tokio::net::TcpStream::connect(format!("{own}:{port}"))
        .await
        .unwrap();
    let mut answer = Vec::new();
    fourth.read_to_end(&mut answer).await.ok();
    assert!(answer.is_empty());
    // Other addresses are served.
    let other = http()
        .get(format!("http://127.0.0.1:{port}/healthz"))
        .send();
    assert_eq!(other.await.unwrap().status(), 200);
}

/// This machine's address on a network, if it has one. Nothing is sent.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}
