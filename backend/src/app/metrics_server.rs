//! `GET /metrics`, on an address of its own: what it says is for the operator,
//! not for the world.

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

/// The text format's name (Prometheus: exposition formats).
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers whoever reads the metrics. It is up for as long as the application.
pub(crate) struct MetricsServer {
    address: SocketAddr,
    handle: ServerHandle,
}

impl MetricsServer {
    /// Serves on a socket that is bound already.
    pub(crate) fn start(listener: TcpListener, metrics: &Arc<Metrics>) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let metrics = Data::from(metrics.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(metrics.clone())
                .route("/metrics", web::get().to(read))
        })
        // One reads it, every now and then.
        .workers(1)
        .max_connections(64)
        // It ends with the application, which a signal ends.
        .disable_signals()
        .listen(listener)?
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { address, handle })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it at once.
    pub(crate) async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn read(metrics: Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok().content_type(TEXT).body(metrics.text())
}
