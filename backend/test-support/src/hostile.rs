//! A stand-in for Plivo that misbehaves: a raw socket that follows the test's
//! instructions and counts the requests that reach it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::plivo;

/// How it handles a request that it has read.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The answer of a healthy Plivo.
    None,
    /// The healthy answer after that delay.
    Late(Duration),
    /// The healthy answer with a varying delay: zero, one, two or three times that long.
    Jitter(Duration),
    /// Reads the request and sends nothing.
    Silent,
    /// Resets the connection (RST) after reading the request.
    Reset,
    /// Closes its side of the connection without an answer.
    HalfClose,
    /// The healthy answer without its length, on a connection that is closed after that
    /// delay.
    SlowClose(Duration),
    /// The healthy answer, byte by byte.
    Sliced,
    /// The first bytes of the healthy answer, then the end of the connection.
    Cut(usize),
    /// These bytes.
    Bytes(Vec<u8>),
}

impl Fault {
    /// An answer with that head and body.
    pub fn answer(status: &str, headers: &str, body: &[u8]) -> Self {
        let head = format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        Self::Bytes([head.as_bytes(), body].concat())
    }
}

/// The server, and the switch for its faults. Its address stays the same, whether down or
/// up.
pub struct Hostile {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    ended: watch::Sender<u32>,
    reached: Arc<Mutex<Vec<String>>>,
    serving: Option<JoinHandle<()>>,
}

impl Hostile {
    /// Starts listening, with that fault.
    pub fn start(fault: Fault) -> Self {
        let mut hostile = Self {
            address: ([127, 0, 0, 1], 0).into(),
            fault: watch::Sender::new(fault),
            ended: watch::Sender::new(0),
            reached: Arc::default(),
            serving: None,
        };
        hostile.up();
        hostile
    }

    /// Its URL, in the form of `PLIVO_BASE_URL`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the fault for all further requests, also on open connections.
    pub fn does(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Closes all open connections, and so ends requests that hang.
    pub fn end_connections(&self) {
        self.ended.send_modify(|times| *times += 1);
    }

    /// Stops listening, and closes all connections.
    pub async fn down(&mut self) {
        let serving = self.serving.take().unwrap();
        serving.abort();
        serving.await.ok();
    }

    /// Listens again at the same address.
    pub fn up(&mut self) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        let listener = socket.listen(1024).unwrap();
        self.address = listener.local_addr().unwrap();
        let (fault, ended) = (self.fault.subscribe(), self.ended.clone());
        self.serving = Some(tokio::spawn(serve(
            listener,
            fault,
            ended,
            self.reached.clone(),
        )));
    }

    /// Number of complete sends that reached it.
    pub fn creates(&self) -> usize {
        self.count(|path| path.ends_with("/Verify/Session/"))
    }

    /// Number of complete checks that reached it.
    pub fn validates(&self) -> usize {
        self.count(|path| !path.ends_with("/Verify/Session/"))
    }

    fn count(&self, is_one: impl Fn(&str) -> bool) -> usize {
        let reached = self.reached.lock().unwrap();
        reached.iter().filter(|path| is_one(path)).count()
    }
}

async fn serve(
    listener: TcpListener,
    fault: watch::Receiver<Fault>,
    ended: watch::Sender<u32>,
    reached: Arc<Mutex<Vec<String>>>,
) {
    let served = Arc::new(AtomicUsize::new(0));
    // Dropped together with this task, which closes the connections.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (fault, reached, served) = (fault.clone(), reached.clone(), served.clone());
        let mut ended = ended.subscribe();
        connections.spawn(async move {
            tokio::select! {
                _ = converse(socket, fault, &reached, &served) => {}
                _ = ended.changed() => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Answers the requests of one connection, one after the other.
async fn converse(
    mut socket: TcpStream,
    fault: watch::Receiver<Fault>,
    reached: &Mutex<Vec<String>>,
    served: &AtomicUsize,
) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    while let Some(request) = read_request(&mut socket).await? {
        let mut words = request.split(' ');
        let (method, path) = (words.next(), words.next().unwrap_or_default().to_owned());
        let is_create = path.ends_with("/Verify/Session/");
        if method == Some("POST") {
            reached.lock().unwrap().push(path);
        }
        let number = served.fetch_add(1, Ordering::Relaxed);
        let healthy = healthy(method, is_create, &request);
        let fault = fault.borrow().clone();
        match fault {
            Fault::None => socket.write_all(&healthy).await?,
            Fault::Late(by) => {
                tokio::time::sleep(by).await;
                socket.write_all(&healthy).await?;
            }
            Fault::Jitter(step) => {
                let times = u32::try_from(number % 4).unwrap();
                tokio::time::sleep(step * times).await;
                socket.write_all(&healthy).await?;
            }
            Fault::Silent => std::future::pending().await,
            Fault::Reset => {
                socket.set_zero_linger()?;
                return Ok(());
            }
            Fault::HalfClose => {
                socket.shutdown().await?;
                std::future::pending::<()>().await;
            }
            Fault::SlowClose(by) => {
                let text = String::from_utf8_lossy(&healthy).into_owned();
                let unmeasured = text.replace("content-length", "x-content-length");
                socket.write_all(unmeasured.as_bytes()).await?;
                tokio::time::sleep(by).await;
                return Ok(());
            }
            Fault::Sliced => {
                for byte in healthy {
                    socket.write_all(&[byte]).await?;
                    tokio::task::yield_now().await;
                }
            }
            Fault::Cut(length) => {
                socket.write_all(&healthy[..length]).await?;
                return Ok(());
            }
            Fault::Bytes(bytes) => {
                socket.write_all(&bytes).await?;
                // Drain the socket: closing it with unread data would reset the
                // connection.
                socket.shutdown().await?;
                tokio::io::copy(&mut socket, &mut tokio::io::sink()).await?;
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The only right code.
pub const OTP: &str = "123456";

/// The end of the session id in the fixtures, which is replaced for each recipient.
const ID_END: &str = "8f4265d8354e";

fn healthy(method: Option<&str>, is_create: bool, request: &str) -> Vec<u8> {
    let (status, body) = match (method, is_create) {
        (Some("GET"), _) => ("200 OK", plivo::RETRIEVE_200),
        (_, true) => ("202 Accepted", plivo::CREATE_202),
        _ if request.contains(OTP) => ("200 OK", plivo::VALIDATE_200),
        _ => ("400 Bad Request", plivo::VALIDATE_400),
    };
    let recipient = request.split_once(r#""recipient":"+"#);
    let recipient = recipient.and_then(|(_, rest)| rest.split('"').next());
    let body = body.replace(ID_END, &format!("{:0>12}", recipient.unwrap_or(ID_END)));
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Reads a complete request; `None` if the connection ends before.
pub async fn read_request(socket: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = socket.read(&mut chunk).await?;
        if count == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let complete = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            body.len() >= length
        });
        if complete {
            return Ok(Some(text));
        }
    }
}
