//! A stand-in for Plivo that answers at once, or after a fixed delay, and accepts one code.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::net::{TcpListener, TcpStream};

use crate::http::Connection;

/// Sessions created so far, over all connections, so that ids are unique.
static SESSIONS: AtomicU64 = AtomicU64::new(0);

/// The code that every phone receives.
pub(crate) const OTP: &str = "123456";

/// The stand-in, on its own thread.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicU64>,
}

impl Upstream {
    pub(crate) fn start(delay: Duration) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let connections = Arc::new(AtomicU64::new(0));
        let counted = connections.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener)?;
                loop {
                    let (socket, _) = listener.accept().await?;
                    counted.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(serve(socket, delay));
                }
                #[expect(unreachable_code, reason = "names the type of ?")]
                io::Result::Ok(())
            })
        });
        Ok(Self {
            address,
            connections,
        })
    }

    /// Number of connections made.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn serve(socket: TcpStream, delay: Duration) -> io::Result<()> {
    let mut connection = Connection::new(socket)?;
    while let Some(request) = connection.next().await? {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let path = request.head.split(' ').nth(1).unwrap_or_default();
        let validates = !path.trim_end_matches('/').ends_with("/Session");
        let (status, body) = if validates {
            let body = String::from_utf8_lossy(&request.body);
            if body.contains(OTP) {
                (
                    "200 OK",
                    r#"{"api_id":"x","message":"session validated successfully."}"#.to_owned(),
                )
            } else {
                (
                    "400 Bad Request",
                    r#"{"api_id":"x","error":"invalid otp"}"#.to_owned(),
                )
            }
        } else {
            let session = SESSIONS.fetch_add(1, Ordering::Relaxed);
            let id = format!("{session:08x}-0000-4000-8000-000000000000");
            let body =
                format!(r#"{{"api_id":"x","message":"Session initiated","session_uuid":"{id}"}}"#);
            ("202 Accepted", body)
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write(answer.as_bytes()).await?;
    }
    Ok(())
}
