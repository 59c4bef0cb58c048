//! The subject of a measurement: the pass-through, or the service over one of its stores.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use redis_test_server::RedisServer;

use crate::service::{Service, Usage, usage_of};

/// The store of a service.
enum Home {
    Nowhere,
    File(PathBuf),
    Redis(RedisServer),
}

impl Home {
    fn url(&self) -> String {
        match self {
            Self::Nowhere => String::new(),
            Self::File(path) => format!("sqlite:{}", path.display()),
            Self::Redis(server) => server.url(),
        }
    }
}

/// One or more processes that serve the two calls.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) addresses: Vec<SocketAddr>,
    services: Vec<Service>,
    home: Home,
    /// Files of the processes, removed with them.
    _directory: tempfile::TempDir,
}

impl Subject {
    /// The baseline: the same two calls with nothing in between.
    pub(crate) fn pass_through(upstream: SocketAddr) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["pass-through", &upstream.to_string()]);
        let service = Service::start(&mut command)?;
        Ok(Self {
            name: "pass-through",
            addresses: vec![service.address],
            services: vec![service],
            home: Home::Nowhere,
            _directory: tempfile::tempdir()?,
        })
    }

    /// One instance over a file.
    pub(crate) fn sqlite(binary: &Path, upstream: SocketAddr) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let home = Home::File(directory.path().join("countersign.db"));
        Self::start("SQLite", (binary, upstream), 1, home, directory)
    }

    /// Several instances over one Redis.
    pub(crate) fn redis(binary: &Path, upstream: SocketAddr, instances: usize) -> io::Result<Self> {
        let name = if instances == 1 {
            "Redis"
        } else {
            "Redis, three instances"
        };
        let home = Home::Redis(RedisServer::start());
        let directory = tempfile::tempdir()?;
        Self::start(name, (binary, upstream), instances, home, directory)
    }

    fn start(
        name: &'static str,
        (binary, upstream): (&Path, SocketAddr),
        instances: usize,
        home: Home,
        directory: tempfile::TempDir,
    ) -> io::Result<Self> {
        let keys = directory.path().join("proof-keys.json");
        let command = || {
            let mut command = countersign(binary, upstream, &home.url());
            command.env("PROOF_SIGNING_KEYS_FILE", &keys);
            command.env("PROOF_ISSUER", "https://verify.example.com");
            command
        };
        // With SQLite keys are created beside the file; with Redis they must exist.
        command().arg("--rotate-proof-key").output()?;
        let services = (0..instances).map(|_| Service::start(&mut command()));
        let services = services.collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            name,
            addresses: services.iter().map(|service| service.address).collect(),
            services,
            home,
            _directory: directory,
        })
    }

    /// Total usage of its instances; for memory, that of the largest.
    pub(crate) fn usage(&self) -> Usage {
        let all = self.services.iter().map(Service::usage);
        all.fold(Usage::default(), |sum, one| Usage {
            resident: sum.resident.max(one.resident),
            most_resident: sum.most_resident.max(one.most_resident),
            descriptors: sum.descriptors.max(one.descriptors),
            cpu_seconds: sum.cpu_seconds + one.cpu_seconds,
        })
    }

    /// Usage of its Redis.
    pub(crate) fn store_usage(&self) -> Usage {
        match &self.home {
            Home::Redis(server) => usage_of(server.process()),
            Home::Nowhere | Home::File(_) => Usage::default(),
        }
    }

    /// Size of the store, in megabytes.
    pub(crate) fn store_size(&self) -> f64 {
        match &self.home {
            Home::Nowhere => 0.0,
            Home::File(path) => std::fs::metadata(path).map_or(0, |it| it.len()) as f64 / 1e6,
            Home::Redis(_) => self.store_usage().resident,
        }
    }

    /// Whether it is the pass-through.
    pub(crate) fn is_limit(&self) -> bool {
        matches!(self.home, Home::Nowhere)
    }
}

/// The program, with all limits counted and none of them reached.
pub(crate) fn countersign(binary: &Path, upstream: SocketAddr, store_url: &str) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("LISTEN_ADDR", "127.0.0.1:0")
        .env("METRICS_ADDR", "off")
        .env("LOG_FORMAT", "json")
        .env("PLIVO_MODE", "live")
        .env("PLIVO_AUTH_ID", "MAXX")
        .env("PLIVO_AUTH_TOKEN", "test_auth_token")
        .env("PLIVO_BASE_URL", format!("http://{upstream}"))
        .env("PLIVO_CALLS_AT_ONCE", "512")
        .env("ALLOWED_COUNTRIES", "*")
        .env("SPEND_CAP", "off")
        // No session expires while the store is filled.
        .env("SESSION_LIFETIME", "15m")
        .env("STORE_URL", store_url)
        .env("SECRET_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    for limit in [
        "SENDS_PER_ADDRESS",
        "CHECKS_PER_ADDRESS",
        "SENDS_PER_RANGE",
        "SENDS_PER_COUNTRY",
        "SENDS_TOTAL",
    ] {
        // Counted like any other limit, but never reached.
        command.env(format!("LIMIT_{limit}"), "4000000000/1h");
    }
    command.env("LIMIT_REQUESTS_PER_ADDRESS", "off");
    command.env("LIMIT_READS_PER_ADDRESS", "off");
    // This one remembers each number: too many here.
    command.env("LIMIT_NUMBERS_PER_ADDRESS", "off");
    command
}
