//! `GET /metrics`, on an address of its own, because metrics are for the operator only.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::ServerHandle,
    web::{self, Data},
};

use super::Metrics;

/// Content type of the text format (Prometheus: exposition formats).
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics server, which lives as long as the application.
pub(crate) struct MetricsServer {
    address: SocketAddr,
    handle: ServerHandle,
}

impl MetricsServer {
    /// Serves on a bound socket.
    pub(crate) fn start(listener: TcpListener, metrics: &Arc<Metrics>) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let metrics = Data::from(metrics.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(metrics.clone())
                .route("/metrics", web::get().to(read))
        })
        // One worker is enough for a scraper.
        .workers(1)
        .max_connections(64)
        // The application handles signals and stops it.
        .disable_signals()
        .listen(listener)?
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { address, handle })
    }

    /// Its address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it at once.
    pub(crate) async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn read(metrics: Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok().content_type(TEXT).body(metrics.text())
}
