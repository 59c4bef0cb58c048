//! The signals that stop the service.
//!
//! SIGHUP and SIGQUIT stop it as gracefully as SIGTERM; by default they kill a process at
//! once, without a line in the log.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that stop the service.
pub struct StopSignals {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    quit: Signal,
    /// None under `nohup`, where the process is to outlive the terminal.
    #[cfg(unix)]
    hang_up: Option<Signal>,
}

/// Where a signal came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A service manager, which may still send requests for a moment.
    Terminate,
    /// A person at the terminal.
    Interrupt,
}

impl StopSignals {
    /// Installs the handlers: from now on the signals do not end the process by themselves.
    pub fn listen() -> std::io::Result<Self> {
        #[cfg(unix)]
        {
            // A write beyond a file-size limit (`ulimit -f`) is to fail as on a full disk. The
            // handler stays when its `Signal` is dropped.
            let file_size = rustix::process::Signal::XFSZ.as_raw();
            drop(signal(SignalKind::from_raw(file_size))?);
            let hang_up = SignalKind::hangup();
            let is_heeded = !is_ignored(hang_up);
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
                hang_up: is_heeded.then(|| signal(hang_up)).transpose()?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Stop {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => Stop::Terminate,
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.quit.recv() => Stop::Terminate,
            () = received(self.hang_up.as_mut()) => Stop::Terminate,
        }
        #[cfg(not(unix))]
        {
            tokio::signal::ctrl_c().await.ok();
            Stop::Interrupt
        }
    }
}

#[cfg(unix)]
async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether the signal was ignored when the process started. If the system does not say
/// (only Linux has this file), it was not.
#[cfg(unix)]
fn is_ignored(signal: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default();
    ignored >> (signal.as_raw_value() - 1) & 1 == 1
}
