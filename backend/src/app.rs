//! Puts the parts together and serves them.

mod error;
mod parts;
mod sockets;

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{
    App as Service, HttpServer,
    dev::{Server, ServerHandle},
    middleware::{Condition, from_fn},
    web::{self, Data},
};
use tokio::task::JoinHandle;

pub(crate) use self::parts::page;
use self::sockets::Sockets;
pub use self::{error::StartError, parts::open_store};
use crate::{
    clock::{Clock, SystemClock},
    config::{Config, Upstream},
    connections::{self, Connections},
    draining::{Drain, Stop, StopSignals},
    metrics::{Metrics, MetricsServer},
    problem,
    rate_limit::Shields,
    request_id,
    routes::{self, FixedAnswers, Streams},
    security_headers::{self, ContentSecurityPolicy},
    single_page_app::{Inline, SinglePageApp},
    store::Store,
    verification::{self, Verification},
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
        let proofs = parts::proofs(&config, address, clock.now())?;
        let page = page(&config)?;
        web::block(verification::warm_up).await.ok();

        #[cfg(feature = "sandbox")]
        let simulator = parts::simulator(&config)?;
        let account = match &config.upstream {
            Upstream::Live(account) => account.clone(),
            #[cfg(feature = "sandbox")]
            Upstream::Sandbox => parts::account_at(simulator.as_deref()),
            #[cfg(not(feature = "sandbox"))]
            Upstream::Sandbox => unreachable!("the configuration refuses it in this build"),
        };
        let metrics = Arc::new(Metrics::default());
        let made = (store, proofs, clock, metrics.clone());
        let verification = Data::new(parts::assembled(&config, account, made)?);
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
        let fixed = FixedAnswers::new(&parts::facts(&config));
        let shields = parts::shields(&config);
        let sweeper = tokio::spawn(sweep(verification.clone(), shields.clone()));
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
                .configure(|config| routes::configure(config, &shields, &fixed))
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

async fn sweep(verification: Data<Verification>, shields: Shields) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        verification.sweep().await;
        shields.sweep();
    }
}

fn mode(upstream: &Upstream) -> &'static str {
    match upstream {
        Upstream::Sandbox => "sandbox",
        Upstream::Live(_) => "live",
    }
}
