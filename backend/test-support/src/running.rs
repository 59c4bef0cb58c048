//! A running instance of the program.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

use serde_json::Value;

/// A process of the program, killed when dropped, and the lines of its log.
pub struct Running {
    child: Child,
    /// Read continuously: a full pipe would block the program.
    log: JoinHandle<Vec<String>>,
    /// Its listening address.
    pub address: String,
}

impl Running {
    /// Starts the program, and waits until it serves.
    pub fn start(command: Command) -> Self {
        Self::start_logged(command).0
    }

    /// The same; also returns the log lines up to that moment.
    pub fn start_logged(mut command: Command) -> (Self, Vec<Value>) {
        command.env("LOG_FORMAT", "json");
        // It must not hold the test runner's own output open.
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut before = Vec::new();
        let address = lines.find_map(|line| {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let started = line["event"] == "server.started";
            let address = started.then(|| line["address"].as_str().unwrap().to_owned());
            before.push(line);
            address
        });
        let running = Self {
            child,
            log: std::thread::spawn(|| lines.map_while(Result::ok).collect()),
            address: address.expect("it starts"),
        };
        (running, before)
    }

    /// Its process id.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends it SIGTERM, as a service manager does.
    pub fn tell_to_end(&self) {
        self.signal("-TERM");
    }

    /// Sends it a signal, such as `-KILL`.
    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let kill = Command::new("kill").args([signal, &id]).status();
        assert!(kill.unwrap().success());
    }

    /// Whether it has exited.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Terminates it, and returns its exit code and its log since it started serving.
    pub fn terminate(self) -> (Option<i32>, String) {
        self.tell_to_end();
        self.ended()
    }

    /// Waits until it exits; returns the same.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        let log = std::mem::replace(&mut self.log, std::thread::spawn(Vec::new));
        (code, log.join().unwrap().join("\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // If a test has failed; otherwise it has already exited.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
