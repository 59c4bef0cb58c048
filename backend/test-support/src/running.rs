//! A running instance of the program.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;

/// A process of the program, killed when dropped, and the lines of its log.
pub struct Running {
    child: Child,
    /// Read all the while: a full pipe would hold the program up.
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    /// Where it listens.
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
        let log = Arc::new(Mutex::new(Vec::new()));
        let logged = log.clone();
        let read = move || {
            for line in lines.map_while(Result::ok) {
                logged.lock().unwrap().push(line);
            }
        };
        let running = Self {
            child,
            log,
            reader: Some(std::thread::spawn(read)),
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
        self.reader.take().unwrap().join().unwrap();
        let log = self.log.lock().unwrap().join("\n");
        (code, log)
    }

    /// Waits until it has logged that event since it started, and answers the lines of it.
    pub async fn logs(&self, event: &str) -> Vec<Value> {
        let started = Instant::now();
        loop {
            let lines = crate::lines(&self.log.lock().unwrap().join("\n"));
            let lines: Vec<Value> = crate::of(&lines, event).into_iter().cloned().collect();
            if !lines.is_empty() {
                return lines;
            }
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "never: {event}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // If a test has failed; otherwise it has already exited.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
