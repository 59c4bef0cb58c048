//! The run of this process as the store knows it: how the last one ended, and whose
//! simulator holds the codes of a sandbox.

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

/// How long the store may take for it; without it the service does all the same.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The same at the end, for which service managers do not wait long.
const END_TIMEOUT: Duration = Duration::from_millis(500);

/// The run of this process.
pub(super) struct Run {
    store: StoreHandle,
    instance: Key,
    /// This process, where its simulator holds the codes.
    simulator: Option<Process>,
}

/// A process among all that share the store.
struct Process {
    host: String,
    id: u32,
}

impl Run {
    /// Marks that it has begun, and says so where the last one did not end. A sandbox does
    /// not start beside another one.
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

    /// Keeps what this process holds.
    pub(super) async fn renew(&self) {
        self.hold_simulator().await.ok();
    }

    /// Marks that it has ended as it was told to.
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
        // Where the store is away the next start says that this run did not end well.
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
        // Where the store is not there, there is nothing to share either.
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

    /// Whether it ran on this host and does not any more. Elsewhere nobody can tell.
    fn is_gone(&self, this_host: &str) -> bool {
        let processes = Path::new("/proc");
        self.host == this_host
            && processes.join("self").exists()
            && !processes.join(self.id.to_string()).exists()
    }
}

/// The machine's name, or the container's.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn deadline() -> Instant {
    Instant::now() + TIMEOUT
}
