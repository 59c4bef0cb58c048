//! Builds the application from its parts and serves it.

pub mod check_config;
mod clock_skew;
pub mod command;
mod decisions;
mod error;
mod fetch_prices;
pub mod healthy;
mod key_files;
mod maintenance;
mod metrics_server;
mod move_store;
pub mod number;
mod operator;
mod run;
#[cfg(feature = "sandbox")]
pub mod sandbox_program;
mod server;
mod sockets;
mod stop_signals;
mod store_metrics;
pub mod try_plivo;
pub(crate) mod wiring;

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{
    App as Service,
    dev::{Server, ServerHandle},
    middleware::{Condition, from_fn},
    web::{self, Data},
};
use tokio::task::JoinHandle;

use self::{clock_skew::ClockSkew, maintenance::Maintenance, run::Run, sockets::Sockets};
pub use self::{
    error::StartError,
    stop_signals::{Stop, StopSignals},
    wiring::open_store,
};
use crate::{
    app::metrics_server::MetricsServer,
    config::{Config, Upstream},
    http::{
        allowed_origins::cors,
        connections,
        drain::Drain,
        middleware::{
            preflight, request_id,
            security_headers::{self, ContentSecurityPolicy},
        },
        page::SinglePageApp,
        problem,
        routes::{self, Bounds},
        state::AppState,
    },
    verification::ApplicationRegistry,
};
use countersign_core::recipient;
use countersign_metrics::Metrics;
use countersign_platform::clock::{Clock, SystemClock};
use countersign_store::Store;

/// Timeout for requests in progress at shutdown, used twice: while the listener is still
/// open, and after it is closed. A step takes little more than ten seconds; only a request
/// whose body is still uploading is aborted.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(11);
/// Timeout after that for the last responses to be sent. Idle connections are not waited
/// for.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The running service.
pub struct App {
    address: SocketAddr,
    server: JoinHandle<std::io::Result<()>>,
    handle: ServerHandle,
    maintenance: Arc<Maintenance>,
    periodic: JoinHandle<()>,
    drain: Drain,
    shutdown_grace: Duration,
    metrics: Option<MetricsServer>,
    #[cfg(feature = "sandbox")]
    simulator: Option<Arc<plivo_simulator::Simulator>>,
}

impl App {
    /// Starts the service, which accepts requests when this returns.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let sockets = Sockets::bind(&config)?;
        let store = open_store(&config, None).await?;
        Self::start_on(sockets, config, store, Arc::new(SystemClock::default())).await
    }

    /// Starts the service with a clock in place of the machine's and the store's.
    pub async fn start_at(config: Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let sockets = Sockets::bind(&config)?;
        let store = open_store(&config, Some(clock.clone())).await?;
        Self::start_on(sockets, config, store, clock).await
    }

    /// Starts the service over an open store.
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
        key_files::check(&config)?;
        let proofs = Arc::new(wiring::proofs(&config, address, clock.now())?);
        let applications = ApplicationRegistry::new(config.applications.clone());
        let page = wiring::page(&config, &applications)?;
        web::block(recipient::warm_up).await.ok();

        #[cfg(feature = "sandbox")]
        let simulator = wiring::simulator(&config)?;
        let account = wiring::account(
            &config,
            #[cfg(feature = "sandbox")]
            simulator.as_deref(),
        );
        let metrics = Arc::new(Metrics::default());
        let skew = ClockSkew::new(clock.clone(), metrics.clone());
        let state = wiring::state(
            &config,
            applications.clone(),
            account,
            store,
            proofs,
            clock,
            metrics.clone(),
        )?;
        let run = Run::begin(&config, state.store.clone()).await?;
        let bounds = Bounds::default();
        let drain = Drain::default();
        let connections = wiring::connections(&config)?;
        tokio::spawn(connections.clone().keep_room());
        let proxies = Data::new(config.trusted_proxies.clone());
        let are_listed = are_origins_listed(&config);
        let fixed = wiring::fixed_answers(&config, &applications);
        let limits = wiring::rate_limits(&config);
        let file = config.applications_file.clone();
        let maintenance = Maintenance::new(state.clone(), file, limits.clone(), skew, run);
        let maintenance = Arc::new(maintenance);
        let registry = Data::new(applications.clone());
        let periodic = tokio::spawn(maintenance.clone().run());
        let inline = page.as_ref().map(SinglePageApp::inline).cloned();
        let policy = Data::new(ContentSecurityPolicy::new(&inline.unwrap_or_default()));

        #[cfg(feature = "sandbox")]
        let messages = simulator.clone().map(Data::new);
        let shared = state.clone();
        let counted = Data::from(metrics.clone());
        let draining = Data::new(drain.clone());
        let application = move || {
            let service = Service::new()
                .app_data(shared.clone())
                .app_data(counted.clone())
                .app_data(draining.clone())
                .app_data(proxies.clone())
                .app_data(registry.clone())
                .app_data(policy.clone());
            #[cfg(feature = "sandbox")]
            let service = match &messages {
                Some(messages) => service.app_data(messages.clone()),
                None => service,
            };
            // The middleware wrapped last runs first.
            service
                .wrap(Condition::new(are_listed, cors(applications.clone())))
                .wrap(Condition::new(are_listed, from_fn(preflight::narrow)))
                .wrap(from_fn(problem::render))
                .wrap(from_fn(security_headers::add))
                .wrap(from_fn(request_id::assign))
                .wrap(from_fn(connections::attend))
                .configure(|config| routes::configure(config, (&limits, &bounds), &fixed))
                .configure(|config| {
                    if let Some(page) = &page {
                        page.configure(config);
                    }
                })
                .default_service(web::to(routes::nothing_here))
        };
        let shutdown_timeout = DRAIN_TIMEOUT + CLOSE_TIMEOUT;
        let server = server::serve(sockets.api, connections, shutdown_timeout, application)
            .map_err(listen_error)?;
        let handle = server.handle();
        let metrics = serve_metrics(sockets.metrics, &metrics)?;
        let issuer = maintenance.state.proofs.issuer();
        announce(address, metrics.as_ref(), issuer, &config.upstream);
        announce_keys(&maintenance.state);
        Ok(Self {
            address,
            server: tokio::spawn(serve(server)),
            handle,
            maintenance,
            periodic,
            drain,
            shutdown_grace: config.shutdown_grace,
            metrics,
            #[cfg(feature = "sandbox")]
            simulator,
        })
    }

    /// Address of the API.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Address of the metrics, if they are served.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(MetricsServer::address)
    }

    /// Runs the periodic maintenance now.
    pub async fn sweep(&self) {
        self.maintenance.often().await;
        self.maintenance.once().await;
    }

    /// Reloads the signing keys now; maintenance does it periodically.
    pub fn reload_keys(&self) {
        self.maintenance.state.proofs.reload();
    }

    /// Reloads the applications now; maintenance does it periodically.
    pub fn reload_applications(&self) {
        self.maintenance.reload_applications();
    }

    /// The simulator, in sandbox.
    #[cfg(feature = "sandbox")]
    pub fn simulator(&self) -> Option<&plivo_simulator::Simulator> {
        self.simulator.as_deref()
    }

    /// Runs until a signal stops it and requests in progress have ended.
    pub async fn run(mut self, mut signals: StopSignals) -> std::io::Result<()> {
        let stop = tokio::select! {
            ended = &mut self.server => {
                self.periodic.abort();
                return ended.unwrap_or(Ok(()));
            }
            stop = signals.next() => stop,
        };
        // Load balancers see `/readyz` fail and send new requests elsewhere.
        self.drain.begin();
        log::info!(event = "server.stopping"; "finishing what is under way");
        if stop == Stop::Terminate {
            let grace = tokio::time::sleep(self.shutdown_grace);
            tokio::select! {
                () = grace => {}
                // A second signal skips the grace period.
                _ = signals.next() => {}
            }
        }
        self.stop().await;
        log::info!(event = "server.stopped"; "stopped");
        Ok(())
    }

    /// Graceful shutdown: stops the service and waits for requests in progress.
    pub async fn stop(self) {
        self.drain.begin();
        // Workers without connections end at once, and with them the steps whose callers
        // are gone, so those steps are awaited first. Requests are still accepted
        // meanwhile.
        tokio::time::timeout(DRAIN_TIMEOUT, self.drain.finished())
            .await
            .ok();
        // The listener is closed: new connections are refused.
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
        self.periodic.abort();
        self.maintenance.state.verification.keep_decisions().await;
        self.maintenance.run.end().await;
        if let Some(metrics) = self.metrics {
            metrics.stop().await;
        }
    }
}

/// Whether pages on other origins may call, now or after a reload of the applications file.
fn are_origins_listed(config: &Config) -> bool {
    let mut applications = config.applications.iter();
    config.applications_file.is_some() || applications.any(|it| !it.origins.is_empty())
}

/// Logs who may introspect proofs while no application has a key.
fn announce_keys(state: &AppState) {
    if state.applications.current().have_keys() {
        return;
    }
    if state.is_sandbox {
        log::info!(
            event = "introspection.open";
            "no application has a key: anybody may ask about proofs, in sandbox only"
        );
    } else {
        log::warn!(
            event = "introspection.closed";
            "no application has a key: nobody can ask about proofs; countersign --new-key makes one"
        );
    }
}

async fn serve(server: Server) -> std::io::Result<()> {
    server.await
}

fn serve_metrics(
    socket: Option<(SocketAddr, TcpListener)>,
    metrics: &Arc<Metrics>,
) -> Result<Option<MetricsServer>, StartError> {
    let Some((address, listener)) = socket else {
        return Ok(None);
    };
    let started = MetricsServer::start(listener, metrics);
    started
        .map(Some)
        .map_err(|source| StartError::Metrics { address, source })
}

fn announce(
    address: SocketAddr,
    metrics: Option<&MetricsServer>,
    issuer: &str,
    upstream: &Upstream,
) {
    let metrics = metrics.map(|it| it.address().to_string());
    log::info!(
        event = "server.started",
        address = address.to_string().as_str(),
        metrics = metrics.as_deref().unwrap_or("off"),
        mode = mode(upstream),
        issuer = issuer;
        "listening on http://{address}"
    );
    match upstream {
        Upstream::Sandbox => {
            log::warn!(event = "server.sandbox"; "SANDBOX: nothing is really sent");
        }
        Upstream::Live(account) => {
            for message in account.accepted_messages.others() {
                log::warn!(
                    event = "upstream.accepted_message", text = message;
                    "PLIVO_ACCEPTED_MESSAGES: this answer of Plivo's accepts a code, too"
                );
            }
        }
    }
}

fn mode(upstream: &Upstream) -> &'static str {
    match upstream {
        Upstream::Sandbox => "sandbox",
        Upstream::Live(_) => "live",
    }
}
