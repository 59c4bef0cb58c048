//! The processes that are measured.

use std::{
    io::{self, BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// A running process that serves the API.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Service {
    /// Starts it; its log is read and dropped, as a collector would read it.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut log = BufReader::new(stderr);
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            if log.read_line(&mut line)? == 0 {
                return Err(io::Error::other(format!("it did not start: {said}")));
            }
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if event["event"] == "server.started" {
                let address = event["address"].as_str().unwrap_or_default();
                break address.parse().map_err(io::Error::other)?;
            }
            said += &line;
        };
        std::thread::spawn(move || {
            let mut rest = vec![0; 64 * 1024];
            while log.read(&mut rest).is_ok_and(|count| count > 0) {}
        });
        Ok(Self { child, address })
    }

    /// Resident memory, in megabytes.
    pub(crate) fn resident(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kilobytes.unwrap_or_default() / 1024.0
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
