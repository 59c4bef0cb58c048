//! The HTTP server: built like actix-web's `HttpServer`, but with connections of our own,
//! which enforce more deadlines.

use std::{
    fmt::Debug,
    future::ready,
    io::{Error, ErrorKind},
    net::TcpListener,
    time::Duration,
};

use actix_http::{HttpService, Protocol, Request, error::DispatchError};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::{
    body::MessageBody,
    dev::{AppConfig, Response, Server, Service, ServiceFactory},
    rt::net::TcpStream,
};

use crate::http::connections::{Connections, HEAD_TIMEOUT, KEEP_ALIVE, introduce};

/// Response bytes buffered per connection for a slow reader.
const WRITE_BUFFER: usize = 16 * 1024;
/// Timeout for closing a connection.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves an application on a bound socket. At shutdown, requests in progress have
/// `shutdown_timeout`.
pub(super) fn serve<F, I, S, B>(
    listener: TcpListener,
    connections: Connections,
    shutdown_timeout: Duration,
    application: F,
) -> std::io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let address = listener.local_addr()?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(connections.most().div_ceil(workers))
        .shutdown_timeout(shutdown_timeout.as_secs())
        // See `App::run`.
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let server = builder.listen("api", listener, move || {
        let (connections, stopping) = (connections.clone(), stopping.clone());
        let stopping = move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        };
        let application = application()
            .into_factory()
            .map_err(|error| error.into().error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(stopping)
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .h1_write_buffer_size(WRITE_BUFFER)
            .local_addr(address)
            .on_connect_ext(introduce)
            // Host and address in it are not used.
            .finish(map_config(application, |()| AppConfig::default()));
        let admit = move |socket: TcpStream| {
            let peer = socket.peer_addr().ok();
            let connection = connections.admit(socket);
            let refused = || DispatchError::Io(Error::from(ErrorKind::ConnectionRefused));
            ready(match connection {
                Some(connection) => Ok((connection, Protocol::Http1, peer)),
                None => Err(refused()),
            })
        };
        fn_service(admit).and_then(http)
    })?;
    Ok(server.run())
}
