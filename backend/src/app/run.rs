//! The run of this process as recorded in the store: whether the last one ended properly,
//! and which process's simulator has the codes of a sandbox.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use countersign_core::{
    Key,
    transitions::{BeginRun, EndRun, HoldSimulator, ReleaseSimulator},
};
use countersign_store::StoreHandle;

use super::{StartError, wiring};
use crate::config::{Config, Upstream};

/// Timeout of the store at the start; the service starts without it, too.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Timeout of the store at shutdown: service managers do not wait long.
const END_TIMEOUT: Duration = Duration::from_millis(500);

/// The run of this process.
pub(super) struct Run {
    store: StoreHandle,
    instance: Key,
    /// This process, if its simulator has the codes.
    simulator: Option<Process>,
}

/// A process that uses the store.
struct Process {
    host: String,
    id: u32,
}

impl Run {
    /// Records the start, and logs if the last run did not end properly. A second sandbox
    /// over the same store does not start.
    pub(super) async fn begin(config: &Config, store: StoreHandle) -> Result<Self, StartError> {
        let keys = wiring::row_keys(config)?;
        let host = host();
        let run = Self {
            store,
            instance: keys.instance(&format!("{host} {}", config.listen)),
            simulator: matches!(config.upstream, Upstream::Sandbox).then(|| Process {
                host,
                id: std::process::id(),
            }),
        };
        run.hold_simulator().await?;
        let begin = BeginRun {
            instance: run.instance.clone(),
        };
        if let Ok(Some(began_at)) = run.store.run(begin, deadline()).await {
            let began_at = humantime::format_rfc3339_seconds(began_at.into()).to_string();
            log::warn!(
                event = "server.crashed", began_at = began_at.as_str();
                "the last run did not end as it was told to: it was killed, or it crashed"
            );
        }
        Ok(run)
    }

    /// Renews the lease of the simulator.
    pub(super) async fn renew(&self) {
        self.hold_simulator().await.ok();
    }

    /// Records a proper end.
    pub(super) async fn end(&self) {
        let deadline = Instant::now() + END_TIMEOUT;
        let release = async {
            if let Some(process) = &self.simulator {
                let owner = process.name();
                let release = ReleaseSimulator { owner };
                self.store.run(release, deadline).await.ok();
            }
        };
        let instance = self.instance.clone();
        let end = self.store.run(EndRun { instance }, deadline);
        // If the store is unreachable, the next start reports a crash.
        tokio::join!(release, end).1.ok();
    }

    async fn hold_simulator(&self) -> Result<(), StartError> {
        let Some(process) = &self.simulator else {
            return Ok(());
        };
        let owner = process.name();
        let hold = |gone| HoldSimulator {
            owner: owner.clone(),
            gone,
        };
        // Without the store nothing is shared.
        let Ok(Err(other)) = self.store.run(hold(None), deadline()).await else {
            return Ok(());
        };
        let is_gone = Process::named(&other).is_some_and(|other| other.is_gone(&process.host));
        if !is_gone {
            return Err(StartError::OtherSandbox);
        }
        match self.store.run(hold(Some(other)), deadline()).await {
            Ok(Err(_)) => Err(StartError::OtherSandbox),
            _ => Ok(()),
        }
    }
}

impl Process {
    fn name(&self) -> String {
        format!("{} {}", self.id, self.host)
    }

    fn named(name: &str) -> Option<Self> {
        let (id, host) = name.split_once(' ')?;
        Some(Self {
            host: host.to_owned(),
            id: id.parse().ok()?,
        })
    }

    /// Whether the process ran on this host and is gone. On another host that cannot be
    /// known.
    fn is_gone(&self, this_host: &str) -> bool {
        let processes = Path::new("/proc");
        self.host == this_host
            && processes.join("self").exists()
            && !processes.join(self.id.to_string()).exists()
    }
}

/// Host name of the machine or container.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn deadline() -> Instant {
    Instant::now() + TIMEOUT
}
