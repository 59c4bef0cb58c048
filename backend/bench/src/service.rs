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
    /// Starts it; its log is read and discarded, as a log collector would read it.
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

    /// Its current usage.
    pub(crate) fn usage(&self) -> Usage {
        usage_of(self.child.id())
    }
}

/// Resource usage of a process.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Resident memory, in megabytes.
    pub(crate) resident: f64,
    /// Peak resident memory, in megabytes.
    pub(crate) most_resident: f64,
    /// Open descriptors.
    pub(crate) descriptors: f64,
    /// CPU seconds on all cores, since the start.
    pub(crate) cpu_seconds: f64,
}

/// Clock ticks per second (proc(5): `USER_HZ`).
const TICKS: f64 = 100.0;

/// Usage of a process; zeros if there is no such process, or no /proc.
pub(crate) fn usage_of(process: u32) -> Usage {
    let file = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}"));
    let status = file("status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
            .unwrap_or_default()
    };
    let stat = file("stat").unwrap_or_default();
    // The name may contain spaces; the fields after the bracket do not.
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = after_name.split(' ').skip(11).take(2);
    let ticks: f64 = ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    let descriptors = std::fs::read_dir(format!("/proc/{process}/fd"));
    Usage {
        descriptors: descriptors.map_or(0, Iterator::count) as f64,
        resident: field("VmRSS:") / 1024.0,
        most_resident: field("VmHWM:") / 1024.0,
        cpu_seconds: ticks / TICKS,
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
