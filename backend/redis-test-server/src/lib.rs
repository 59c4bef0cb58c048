//! Real Redis servers on free ports, stopped with the test that started them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use redis::{Connection, FromRedisValue};

pub use cluster::RedisCluster;

/// Certificate file of a TLS server.
const CERTIFICATE: &str = "certificate.pem";

/// A server without persistence, for one test.
pub struct RedisServer {
    child: Child,
    port: u16,
    settings: Vec<String>,
    directory: tempfile::TempDir,
}

impl RedisServer {
    /// Starts a server that answers when this returns.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with command-line options, such as `--maxmemory 1mb`.
    pub fn start_with(settings: &[&str]) -> Self {
        let settings: Vec<String> = settings.iter().map(|&text| text.to_owned()).collect();
        Self::start_by(|_| settings.clone())
    }

    /// Starts a server with TLS only, as `localhost`, with a self-signed certificate.
    pub fn start_with_tls() -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [
            (CERTIFICATE, certified.cert.pem()),
            ("key.pem", certified.signing_key.serialize_pem()),
        ] {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        Self::start_in(directory, |port| {
            let port = port.to_string();
            let tls = [
                "--port",
                "0",
                "--tls-port",
                &port,
                "--tls-auth-clients",
                "no",
            ];
            let files = ["--tls-cert-file", CERTIFICATE, "--tls-key-file", "key.pem"];
            let trusted = ["--tls-ca-cert-file", CERTIFICATE];
            let words = tls.iter().chain(&files).chain(&trusted);
            words.map(|&word| word.to_owned()).collect()
        })
    }

    /// The certificate of a TLS server, for clients to trust.
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join(CERTIFICATE)
    }

    /// The address of a TLS server, in the form of `STORE_URL`.
    pub fn tls_url(&self) -> String {
        format!("rediss://localhost:{}", self.port)
    }

    fn start_by(settings: impl Fn(u16) -> Vec<String>) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), settings)
    }

    fn start_in(directory: tempfile::TempDir, settings: impl Fn(u16) -> Vec<String>) -> Self {
        // The port is free when it is chosen, and usually still when the server binds it.
        let (child, port, settings) = (0..20)
            .find_map(|_| {
                let port = free_port();
                let settings = settings(port);
                let child = listening(directory.path(), port, &settings)?;
                Some((child, port, settings))
            })
            .expect("a Redis server starts");
        Self {
            child,
            port,
            settings,
            directory,
        }
    }

    /// Its process id.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Its address, in the form of `STORE_URL`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Kills it, like a crash.
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Restarts it at the same address, empty.
    pub fn start_again(&mut self) {
        self.kill();
        self.child = listening(self.directory.path(), self.port, &self.settings)
            .expect("the port is still free");
    }

    /// Stops the process without ending it: connections stay and nothing answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Resumes a frozen server.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Runs a command, such as `["CONFIG", "SET", "maxmemory", "1"]`.
    pub fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.connection()).unwrap()
    }

    fn connection(&self) -> Connection {
        let client = redis::Client::open(self.url()).unwrap();
        client.get_connection().unwrap()
    }

    /// The whole content, in the form in which it is written to disk.
    pub fn dump(&self) -> Vec<u8> {
        let () = self.command(&["CONFIG", "SET", "rdbcompression", "no"]);
        let () = self.command(&["SAVE"]);
        std::fs::read(self.directory.path().join("dump.rdb")).unwrap()
    }

    /// All keys.
    pub fn keys(&self) -> Vec<String> {
        self.command(&["KEYS", "*"])
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

/// Starts the server and waits until it accepts connections; `None` if the port was taken.
fn listening(directory: &Path, port: u16, settings: &[String]) -> Option<Child> {
    let mut command = Command::new("redis-server");
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir", "."])
        .args(settings)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command
        .spawn()
        .expect("redis-server is installed: cargo xtask test does that");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.contains("Ready to accept connections"));
    if ready {
        // Drain its output, so that it never blocks on it.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        return Some(child);
    }
    child.wait().ok();
    None
}
