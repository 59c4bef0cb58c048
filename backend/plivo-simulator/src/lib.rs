//! A local stand-in for Plivo Verify: the four operations on sessions, over real
//! HTTP, with pretend phones.
//!
//! It writes its own JSON and shares no type with the client, so that a mistake there is
//! not mirrored here.

mod bill;
mod callback;
mod clock;
mod list;
mod outcome;
mod pricing;
mod random;
mod replay;
mod request;
mod server;
mod session;
mod settings;
pub mod signature;
mod world;

use std::{net::SocketAddr, time::Duration};

use actix_web::{
    App, HttpServer,
    dev::ServerHandle,
    web::{Data, PayloadConfig},
};

pub use self::{
    bill::Charged,
    outcome::{Outcome, TABLE},
    settings::{AnswerText, Settings, SignatureVersion},
    world::{Calls, Message, ReceivedRequest},
};

/// A running simulator.
pub struct Simulator {
    world: Data<world::World>,
    address: SocketAddr,
    handle: ServerHandle,
}

/// Keep-alive timeout, as of a load balancer: a client with a shorter one never sends over
/// a connection that is just being closed.
pub const KEEP_ALIVE: Duration = Duration::from_mins(1);

impl Simulator {
    /// Starts a simulator on the current tokio runtime; it answers when this returns.
    pub fn start(settings: Settings) -> std::io::Result<Self> {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        // Callbacks bypass proxies; on a machine without certificates they use plain HTTP
        // only.
        let http = || {
            reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
        };
        let http = http()
            .build()
            .or_else(|_| http().tls_certs_only([]).build())
            .map_err(std::io::Error::other)?;
        let listener = std::net::TcpListener::bind(settings.listen)?;
        let address = listener.local_addr()?;
        let world = Data::new(world::World::new(settings));
        let (shared, http) = (world.clone(), Data::new(http));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .app_data(http.clone())
                .app_data(PayloadConfig::new(64 * 1024))
                .configure(server::configure)
        })
        .workers(1)
        .keep_alive(KEEP_ALIVE)
        .disable_signals()
        .shutdown_timeout(0)
        .listen(listener)?
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self {
            world,
            address,
            handle,
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL, in place of `https://api.plivo.com`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Messages on the pretend phones, newest first.
    pub fn messages(&self) -> Vec<Message> {
        self.world.messages()
    }

    /// How often each operation was called.
    pub fn calls(&self) -> Calls {
        self.world.lock().calls
    }

    /// The requests still remembered, oldest first.
    pub fn received(&self) -> Vec<ReceivedRequest> {
        self.world.lock().received.iter().cloned().collect()
    }

    /// The ids of all sessions, newest first.
    pub fn session_ids(&self) -> Vec<String> {
        let world = self.world.lock();
        let ids = world.sessions.iter().rev();
        ids.map(|session| session.id.clone()).collect()
    }

    /// The bill: all charges, oldest session first.
    pub fn bill(&self) -> Vec<Charged> {
        let world = self.world.lock();
        let for_validation = self.world.settings.validation_charge;
        let sessions = world.sessions.iter();
        sessions
            .flat_map(|session| session.charged(for_validation))
            .collect()
    }

    /// Advances the simulator's clock.
    pub fn advance(&self, by: Duration) {
        self.world.clock.advance(by);
    }

    /// Stops it at once.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}
