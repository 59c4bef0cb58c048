//! Puts the parts together and serves them.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_web::{
    App as Service, HttpServer,
    dev::{Server, ServerHandle},
    middleware::{Condition, from_fn},
    web::{self, Data},
};
use countersign_shared::config::ConfigResponse;
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;

use crate::{
    clock::{Clock, SystemClock},
    config::{Account, Config, StoreHome, Upstream},
    connections::{self, Connections},
    draining::{Drain, Stop, StopSignals},
    metrics::{Metrics, MetricsServer},
    plivo::{GuardedPlivo, PlivoClient},
    problem,
    proof::{KeysError, Proofs, Terms},
    rate_limit::Shield,
    request_id,
    routes::{self, FixedAnswers, Streams},
    security_headers::{self, ContentSecurityPolicy},
    single_page_app::{Inline, PageSettings, PageSource, SinglePageApp},
    store::{
        Store, Vault,
        key_file::{self, KeyFileError},
        measured::Measured,
        redis::{self, RedisStore},
        sqlite::{self, SqliteStore},
    },
    tls,
    verification::{self, Callbacks, Verification},
};

/// How often what is over is forgotten.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);
/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection waits for its next request: longer than the 60 seconds
/// of usual proxies, so that it is they who close, with no request on its way.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long what is under way may take in the end: once while others are still
/// served, and once more when nobody listens. A step takes hardly more than ten
/// seconds; only a caller who dawdles over his request is cut off.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(11);
/// How long after that the last answers may take to leave. Idle connections are
/// not waited for any longer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("LISTEN_ADDR: cannot listen on {address}: {source}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The metrics' address is taken or not ours.
    #[error("METRICS_ADDR: cannot listen on {address}: {source}; name another one, or off")]
    Metrics {
        /// What was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The page that was asked for is not there.
    #[error("PAGE_DIR: {directory} has no index.html: {source}")]
    Page {
        /// What was asked for.
        directory: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The store's file could not be opened.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// The store's server could not be used.
    #[error(transparent)]
    Redis(#[from] redis::OpenError),
    /// The store's key could not be read or made.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The keys that sign proofs could not be read.
    #[error(transparent)]
    ProofKeys(#[from] KeysError),
    /// The client of Plivo could not be set up.
    #[error("the HTTPS client cannot start: {0}")]
    Client(#[from] reqwest::Error),
    /// The simulator could not be started.
    #[error("the simulator cannot start: {0}")]
    Simulator(std::io::Error),
}

/// The running service.
pub struct App {
    address: SocketAddr,
    server: JoinHandle<std::io::Result<()>>,
    handle: ServerHandle,
    sweeper: JoinHandle<()>,
    drain: Drain,
    shutdown_grace: Duration,
    metrics: Option<MetricsServer>,
    verification: Data<Verification>,
    #[cfg(feature = "sandbox")]
    simulator: Option<Arc<plivo_simulator::Simulator>>,
}

impl App {
    /// Starts the service: it answers when this returns.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let sockets = Sockets::bind(&config)?;
        let store = open_store(&config, None).await?;
        Self::start_on(sockets, config, store, Arc::new(SystemClock::default())).await
    }

    /// The same, by another clock than the machine's and the store's.
    pub async fn start_at(config: Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let sockets = Sockets::bind(&config)?;
        let store = open_store(&config, Some(clock.clone())).await?;
        Self::start_on(sockets, config, store, clock).await
    }

    /// The same, over a store that is open already.
    pub async fn start_over(config: Config, store: Arc<dyn Store>) -> Result<Self, StartError> {
        let sockets = Sockets::bind(&config)?;
        Self::start_on(sockets, config, store, Arc::new(SystemClock::default())).await
    }

    async fn start_on(
        sockets: Sockets,
        config: Config,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let listen_error = |source| StartError::Listen {
            address: config.listen,
            source,
        };
        let address = sockets.api.local_addr().map_err(listen_error)?;
        let proofs = proofs(&config, address, clock.now())?;
        let page = page(&config)?;
        web::block(verification::warm_up).await.ok();

        #[cfg(feature = "sandbox")]
        let simulator = simulator(&config)?;
        let account = match &config.upstream {
            Upstream::Live(account) => account.clone(),
            #[cfg(feature = "sandbox")]
            Upstream::Sandbox => account_at(simulator.as_deref()),
            #[cfg(not(feature = "sandbox"))]
            Upstream::Sandbox => unreachable!("the configuration refuses it in this build"),
        };
        let metrics = Arc::new(Metrics::default());
        let parts = (store, proofs, clock, metrics.clone());
        let verification = Data::new(assembled(&config, account, parts)?);
        let streams = Data::new(Streams::default());
        let drain = Drain::default();
        let connections = Connections::new(
            config.connections_per_address,
            config.trusted_proxies.clone(),
        );
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let most_connections = connections::make_room(config.calls_at_once).div_ceil(workers);
        let proxies = Data::new(config.trusted_proxies.clone());
        let origins = Data::new(config.allowed_origins.clone());
        let fixed = FixedAnswers::new(&facts(&config));
        let shield = Shield::new(config.requests_per_address);
        let sweeper = tokio::spawn(sweep(verification.clone(), shield.clone()));
        let inline = page.as_ref().map(SinglePageApp::inline);
        let policy = Data::new(ContentSecurityPolicy::new(
            inline.unwrap_or(&Inline::default()),
        ));

        #[cfg(feature = "sandbox")]
        let messages = simulator.clone().map(Data::new);
        let shared = verification.clone();
        let counted = Data::from(metrics.clone());
        let draining = Data::new(drain.clone());
        let server = HttpServer::new(move || {
            let service = Service::new()
                .app_data(shared.clone())
                .app_data(counted.clone())
                .app_data(draining.clone())
                .app_data(proxies.clone())
                .app_data(streams.clone())
                .app_data(origins.clone())
                .app_data(policy.clone());
            #[cfg(feature = "sandbox")]
            let service = match &messages {
                Some(messages) => service.app_data(messages.clone()),
                None => service,
            };
            // The last one wrapped is the first one met.
            service
                .wrap(Condition::new(!origins.is_empty(), origins.cors()))
                .wrap(from_fn(problem::render))
                .wrap(from_fn(security_headers::add))
                .wrap(from_fn(request_id::assign))
                .configure(|config| routes::configure(config, &shield, &fixed))
                .configure(|config| {
                    if let Some(page) = &page {
                        page.configure(config);
                    }
                })
                .default_service(web::to(routes::nothing_here))
        })
        .on_connect(move |connection, kept| connections.opened(connection, kept))
        .workers(workers)
        .max_connections(most_connections)
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout((DRAIN_TIMEOUT + CLOSE_TIMEOUT).as_secs())
        // See `run`.
        .disable_signals()
        .listen(sockets.api)
        .map_err(listen_error)?
        .run();
        let handle = server.handle();
        let metrics = sockets
            .metrics
            .map(|socket| serve_metrics(socket, &metrics));
        let metrics = metrics.transpose()?;
        announce(address, metrics.as_ref(), &config.upstream);
        Ok(Self {
            address,
            server: tokio::spawn(serve(server)),
            handle,
            sweeper,
            drain,
            shutdown_grace: config.shutdown_grace,
            metrics,
            verification,
            #[cfg(feature = "sandbox")]
            simulator,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the metrics are served, if they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(MetricsServer::address)
    }

    /// Does at once what is done now and then.
    pub async fn sweep(&self) {
        self.verification.sweep().await;
    }

    /// Reads the keys that sign proofs at once, which is done now and then.
    pub fn reload_keys(&self) {
        self.verification.reload_keys();
    }

    /// The simulator, in sandbox.
    #[cfg(feature = "sandbox")]
    pub fn simulator(&self) -> Option<&plivo_simulator::Simulator> {
        self.simulator.as_deref()
    }

    /// Runs until a signal stops it, and what is under way has ended.
    pub async fn run(mut self, mut signals: StopSignals) -> std::io::Result<()> {
        let stop = tokio::select! {
            ended = &mut self.server => {
                self.sweeper.abort();
                return ended.unwrap_or(Ok(()));
            }
            stop = signals.next() => stop,
        };
        // Load balancers learn of it, and send elsewhere what comes from now on.
        self.drain.begin();
        log::info!(event = "server.stopping"; "finishing what is under way");
        if stop == Stop::Terminate {
            let grace = tokio::time::sleep(self.shutdown_grace);
            tokio::select! {
                () = grace => {}
                // Somebody is in a hurry.
                _ = signals.next() => {}
            }
        }
        self.stop().await;
        log::info!(event = "server.stopped"; "stopped");
        Ok(())
    }

    /// Stops it, and waits for what is under way.
    pub async fn stop(self) {
        self.drain.begin();
        // A worker without connections ends at once, and with it the steps whose
        // callers have gone: so they come first. Meanwhile whoever comes is served.
        tokio::time::timeout(DRAIN_TIMEOUT, self.drain.finished())
            .await
            .ok();
        // From here on nobody listens, and who comes goes elsewhere.
        let closed = self.handle.stop(true);
        let finished = async {
            let finished = tokio::time::timeout(DRAIN_TIMEOUT, self.drain.finished());
            if finished.await.is_err() {
                log::warn!(event = "server.cut_off"; "something took too long and is cut off");
            }
            tokio::time::sleep(CLOSE_TIMEOUT).await;
        };
        tokio::select! {
            () = closed => {}
            () = finished => {}
        }
        self.sweeper.abort();
        if let Some(metrics) = self.metrics {
            metrics.stop().await;
        }
    }
}

/// The rules, with all that they need.
fn assembled(
    config: &Config,
    account: Account,
    (store, proofs, clock, metrics): (Arc<dyn Store>, Proofs, Arc<dyn Clock>, Arc<Metrics>),
) -> Result<Verification, StartError> {
    let callbacks = callbacks(config, &account)?;
    let plivo = GuardedPlivo::new(
        PlivoClient::new(account)?,
        config.calls_at_once,
        clock.clone(),
        metrics.clone(),
    );
    Ok(Verification::new(
        Measured::new(store, metrics.clone()),
        plivo,
        config.rules.clone(),
        config.policy.clone(),
        config.limits.clone(),
        config.spending.clone(),
        config.brand_name.clone(),
        proofs,
        callbacks,
        clock,
        metrics,
    ))
}

async fn serve(server: Server) -> std::io::Result<()> {
    server.await
}

fn serve_metrics(
    (address, listener): (SocketAddr, TcpListener),
    metrics: &Arc<Metrics>,
) -> Result<MetricsServer, StartError> {
    MetricsServer::start(listener, metrics)
        .map_err(|source| StartError::Metrics { address, source })
}

fn announce(address: SocketAddr, metrics: Option<&MetricsServer>, upstream: &Upstream) {
    let metrics = metrics.map(|it| it.address().to_string());
    log::info!(
        event = "server.started",
        address = address.to_string().as_str(),
        metrics = metrics.as_deref().unwrap_or("off"),
        mode = mode(upstream);
        "listening on http://{address}"
    );
    if matches!(upstream, Upstream::Sandbox) {
        log::warn!(event = "server.sandbox"; "SANDBOX: nothing is really sent");
    }
}

async fn sweep(verification: Data<Verification>, shield: Shield) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        verification.sweep().await;
        shield.sweep();
    }
}

/// The page, or none with a word in the log: an API alone is of use too.
pub(crate) fn page(config: &Config) -> Result<Option<SinglePageApp>, StartError> {
    let directory = || PageSource::Directory(config.page_dir.clone());
    let settings = PageSettings {
        source: match PageSource::carried() {
            Some(carried) if !config.page_required => carried,
            _ => directory(),
        },
        brand_name: config.brand_name.clone(),
        is_sandbox: matches!(config.upstream, Upstream::Sandbox),
        theme: config.theme_file.clone(),
        logo: config.logo_file.clone(),
        hosts: config.hosts.clone(),
        default_locale: config.rules.default_locale.as_str().to_owned(),
    };
    match SinglePageApp::read(settings) {
        Ok(page) => Ok(Some(page)),
        Err(source) if config.page_required => Err(StartError::Page {
            directory: config.page_dir.display().to_string(),
            source,
        }),
        Err(_) => {
            log::warn!(
                event = "page.missing";
                "no page in {}: serving the API alone", config.page_dir.display()
            );
            Ok(None)
        }
    }
}

/// What is listened on.
struct Sockets {
    api: TcpListener,
    /// With the address that was asked for.
    metrics: Option<(SocketAddr, TcpListener)>,
}

impl Sockets {
    /// First of all: a refusal of the store's is then the only line there is.
    fn bind(config: &Config) -> Result<Self, StartError> {
        let api = TcpListener::bind(config.listen).map_err(|source| StartError::Listen {
            address: config.listen,
            source,
        })?;
        let metrics = config.metrics.map(|address| {
            let listener = TcpListener::bind(address).map(|listener| (address, listener));
            listener.map_err(|source| StartError::Metrics { address, source })
        });
        Ok(Self {
            api,
            metrics: metrics.transpose()?,
        })
    }
}

/// The store that the settings name. `clock` replaces its own.
pub async fn open_store(
    config: &Config,
    clock: Option<Arc<dyn Clock>>,
) -> Result<Arc<dyn Store>, StartError> {
    tls::set_up();
    let (vault, rules) = (vault(config)?, config.rules.clone());
    Ok(match &config.store {
        StoreHome::Sqlite { path, .. } => Arc::new(SqliteStore::open(path, vault, rules, clock)?),
        StoreHome::Redis { address, .. } => {
            Arc::new(RedisStore::open(address, vault, rules, clock).await?)
        }
    })
}

/// Where Plivo calls back, once the world can reach us.
fn callbacks(config: &Config, account: &Account) -> Result<Option<Callbacks>, StartError> {
    let Some(public_url) = &config.public_url else {
        return Ok(None);
    };
    let secret = vault(config)?.callback_secret();
    let url = format!(
        "{public_url}{}/{}",
        routes::callback::PATH,
        secret.expose_secret()
    );
    Ok(Some(Callbacks {
        url: url.into(),
        secret,
        auth_token: account.auth_token.clone(),
    }))
}

/// What keeps the store unreadable.
fn vault(config: &Config) -> Result<Vault, KeyFileError> {
    let key = match &config.store {
        StoreHome::Sqlite {
            path,
            secret_key: None,
        } => &key_file::read_or_make(path)?,
        StoreHome::Sqlite {
            secret_key: Some(key),
            ..
        }
        | StoreHome::Redis {
            secret_key: key, ..
        } => key,
    };
    Vault::new(key).map_err(|_| KeyFileError::Malformed)
}

fn proofs(config: &Config, address: SocketAddr, now: SystemTime) -> Result<Proofs, KeysError> {
    let settings = &config.proofs;
    let issuer = settings.issuer.clone();
    let terms = Terms {
        issuer: issuer.unwrap_or_else(|| format!("http://{address}")),
        audience: settings.audience.clone(),
        lifetime: settings.lifetime,
        sandbox: matches!(config.upstream, Upstream::Sandbox),
    };
    Proofs::open(settings.keys_file.clone(), settings.is_given, terms, now)
}

fn facts(config: &Config) -> ConfigResponse {
    ConfigResponse {
        brand_name: config.brand_name.clone(),
        sandbox: matches!(config.upstream, Upstream::Sandbox),
        otp_length: config.rules.otp_length,
        channels: config.policy.channels.clone(),
        countries: verification::countries(&config.policy),
    }
}

fn mode(upstream: &Upstream) -> &'static str {
    match upstream {
        Upstream::Sandbox => "sandbox",
        Upstream::Live(_) => "live",
    }
}

#[cfg(feature = "sandbox")]
fn simulator(config: &Config) -> Result<Option<Arc<plivo_simulator::Simulator>>, StartError> {
    use plivo_simulator::{Settings, Simulator};
    if !matches!(config.upstream, Upstream::Sandbox) {
        return Ok(None);
    }
    let settings = Settings {
        session_lifetime: config.rules.session_lifetime,
        otp_length: config.rules.otp_length,
        // Here the waits decide how often a code is sent.
        max_attempts: u32::MAX,
        ..Settings::default()
    };
    let simulator = Simulator::start(settings).map_err(StartError::Simulator)?;
    Ok(Some(Arc::new(simulator)))
}

#[cfg(feature = "sandbox")]
fn account_at(simulator: Option<&plivo_simulator::Simulator>) -> Account {
    let settings = plivo_simulator::Settings::default();
    Account {
        base_url: simulator
            .map(plivo_simulator::Simulator::base_url)
            .unwrap_or_default(),
        auth_id: settings.auth_id,
        auth_token: settings.auth_token.into(),
        app_uuid: None,
        app_hash: None,
    }
}
