//! Load: the callers' requests, and their results.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

use crate::{
    http::{Connection, get, post},
    upstream::OTP,
};

/// Results of a load.
#[derive(Default)]
pub(crate) struct Seen {
    /// Number of answers.
    pub(crate) count: u64,
    /// Number of unexpected answers.
    pub(crate) failed: u64,
    /// Total duration.
    pub(crate) took: Duration,
    /// Latencies, in microseconds.
    pub(crate) waits: Waits,
    /// Latencies of successful requests.
    pub(crate) admitted: Waits,
    /// Sessions started and not verified yet, with their start.
    pub(crate) sessions: Vec<(Instant, String)>,
}

/// Latencies in microseconds, to three significant digits.
pub(crate) struct Waits(Histogram<u64>);

impl Default for Waits {
    fn default() -> Self {
        Self(Histogram::new_with_max(60_000_000, 3).expect("three digits are allowed"))
    }
}

impl Waits {
    fn add(&mut self, wait: Duration) {
        let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(wait);
    }

    fn merge(&mut self, other: &Self) -> io::Result<()> {
        self.0.add(&other.0).map_err(io::Error::other)
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// In milliseconds.
    pub(crate) fn at(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1000.0
    }
}

impl Seen {
    pub(crate) fn per_second(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }

    fn merge(&mut self, other: Self) -> io::Result<()> {
        self.count += other.count;
        self.failed += other.failed;
        self.sessions.extend(other.sessions);
        self.waits.merge(&other.waits)?;
        self.admitted.merge(&other.admitted)
    }

    /// The sessions in the order in which they were started, as users enter their codes.
    pub(crate) fn into_sessions(mut self) -> VecDeque<String> {
        self.sessions.sort();
        self.sessions.into_iter().map(|(_, id)| id).collect()
    }
}

/// The kind of call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Send, to a new number each time.
    Send,
    /// Verify with the right code, while there are sessions.
    Verify,
    /// Out of twenty calls nine sends, eight right codes, two wrong ones, and one read of a
    /// session.
    Mixed,
    /// The same without the read, for servers that lack that call.
    MixedWithoutReads,
    /// An empty request, from a new address each time.
    Stranger,
    /// Send, to a new number from a new address each time.
    Newcomer,
}

/// One request.
enum Request {
    Send,
    Verify(String),
    WrongCode(String),
    Look(String),
    Stranger,
    Newcomer,
}

/// The next unused number of this process.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);
/// Area codes of the USA with numbers that can receive messages.
const AREAS: [u64; 16] = [
    205, 206, 212, 213, 214, 303, 305, 310, 312, 404, 415, 503, 510, 617, 619, 650,
];
/// Connections of an open load: more than ever wait at the same time.
const CONNECTIONS: usize = 64;
/// Interval at which an open load checks for due requests.
const TICK: Duration = Duration::from_micros(500);

fn number() -> String {
    let next = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
    let area = AREAS[usize::try_from(next).unwrap_or_default() % AREAS.len()];
    let rest = next / AREAS.len() as u64;
    // 220 and up: neither service codes nor fictitious numbers.
    let (exchange, line) = (220 + rest / 10_000, rest % 10_000);
    format!("+1{area}{exchange}{line:04}")
}

/// An address in a new /64.
fn address_of_own() -> String {
    let next = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
    let (high, low) = ((next >> 16) & 0xffff, next & 0xffff);
    format!("2001:db8:{high:x}:{low:x}::1")
}

impl Request {
    fn bytes(&self) -> Vec<u8> {
        let check = |id: &str, otp: &str| {
            let body = json!({"session_uuid": id, "otp": otp});
            post("/api/otp/verify", &[], &body.to_string())
        };
        let send = |headers: &[(&str, &str)]| {
            let body = json!({"recipient": number()});
            post("/api/otp/send", headers, &body.to_string())
        };
        match self {
            Self::Send => send(&[]),
            Self::Verify(id) => check(id, OTP),
            Self::WrongCode(id) => check(id, "999999"),
            Self::Look(id) => get(&format!("/api/otp/sessions/{id}")),
            Self::Stranger => {
                let headers = [("x-forwarded-for", address_of_own())];
                let headers = headers
                    .each_ref()
                    .map(|(name, value)| (*name, value.as_str()));
                post("/api/otp/send", &headers, "{}")
            }
            Self::Newcomer => send(&[("x-forwarded-for", &address_of_own())]),
        }
    }

    /// The beginning of the expected answer.
    fn expected(&self) -> &'static str {
        match self {
            // The pass-through answers it with a success.
            Self::WrongCode(_) => "HTTP/1.1 ",
            Self::Stranger => "HTTP/1.1 4",
            _ => "HTTP/1.1 200",
        }
    }
}

/// Sessions that several callers share.
type Sessions = Arc<Mutex<VecDeque<String>>>;

/// A caller that waits for each answer before the next request.
struct Caller {
    connection: Connection,
    call: Call,
    shared: Sessions,
    /// Its own sessions, in a mixed load.
    own: VecDeque<String>,
    turn: usize,
    seen: Seen,
}

impl Caller {
    async fn connect(address: SocketAddr, call: Call, shared: Sessions) -> io::Result<Self> {
        Ok(Self {
            connection: Connection::new(TcpStream::connect(address).await?)?,
            call,
            shared,
            own: VecDeque::new(),
            turn: 0,
            seen: Seen::default(),
        })
    }

    fn shared_session(&self) -> Option<String> {
        let mut sessions = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.pop_front()
    }

    /// The next request, if there is one.
    fn next(&mut self) -> Option<Request> {
        Some(match self.call {
            Call::Send => Request::Send,
            Call::Verify => Request::Verify(self.shared_session()?),
            Call::Stranger => Request::Stranger,
            Call::Newcomer => Request::Newcomer,
            Call::Mixed | Call::MixedWithoutReads => {
                self.turn += 1;
                let oldest = self.own.front().cloned();
                match (self.turn % 20, oldest) {
                    (turn, Some(id)) if turn % 2 == 1 && turn <= 15 => {
                        self.own.pop_front();
                        Request::Verify(id)
                    }
                    (17 | 19, Some(id)) => Request::WrongCode(id),
                    (18, Some(id)) if self.call == Call::Mixed => Request::Look(id),
                    _ => Request::Send,
                }
            }
        })
    }

    /// Makes one request; its latency is counted from `since`. False if there is nothing
    /// left to request.
    async fn ask(&mut self, since: Option<Instant>) -> io::Result<bool> {
        let Some(request) = self.next() else {
            return Ok(false);
        };
        let bytes = request.bytes();
        let since = since.unwrap_or_else(Instant::now);
        self.connection.write(&bytes).await?;
        let answer = self.connection.next().await?;
        let answer = answer.ok_or(io::ErrorKind::UnexpectedEof)?;
        let waited = since.elapsed();
        self.seen.waits.add(waited);
        self.seen.count += 1;
        if answer.head.starts_with(request.expected()) {
            self.seen.admitted.add(waited);
        } else {
            self.seen.failed += 1;
        }
        if matches!(request, Request::Send) && answer.head.starts_with("HTTP/1.1 200") {
            let body: Value = serde_json::from_slice(&answer.body)?;
            let id = body["session_uuid"].as_str().unwrap_or_default().to_owned();
            match self.call {
                Call::Send => self.seen.sessions.push((since, id)),
                _ => self.own.push_back(id),
            }
        }
        Ok(true)
    }
}

/// The target and the kind of call.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    /// Addresses over which callers are spread.
    pub(crate) addresses: &'a [SocketAddr],
    pub(crate) call: Call,
    pub(crate) length: Duration,
}

impl Load<'_> {
    async fn callers(&self, count: usize, sessions: VecDeque<String>) -> io::Result<Vec<Caller>> {
        let sessions = Arc::new(Mutex::new(sessions));
        let mut callers = Vec::with_capacity(count);
        for address in self.addresses.iter().cycle().take(count) {
            callers.push(Caller::connect(*address, self.call, sessions.clone()).await?);
        }
        Ok(callers)
    }

    /// Closed load: each caller makes its next request once it is answered, for a fixed
    /// time or until all sessions are used.
    pub(crate) async fn closed(
        &self,
        callers: usize,
        sessions: VecDeque<String>,
    ) -> io::Result<Seen> {
        let callers = self.callers(callers, sessions).await?;
        let started = Instant::now();
        let until = started + self.length;
        let tasks = callers.into_iter().map(|mut caller| {
            tokio::spawn(async move {
                while Instant::now() < until && caller.ask(None).await? {}
                io::Result::Ok(caller.seen)
            })
        });
        gather(tasks.collect(), started).await
    }

    /// Open load: a fixed rate, whether earlier requests were answered or not; latencies
    /// count from when a request was due.
    pub(crate) async fn open(&self, rate: f64) -> io::Result<Seen> {
        let callers = self.callers(CONNECTIONS, VecDeque::new()).await?;
        let (due, receiver) = unbounded_channel();
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        let started = Instant::now();
        let length = self.length;
        // The runtime's timer is too coarse, and waking up for each request would cost as
        // much as the request.
        std::thread::spawn(move || {
            let mut at = started;
            while at < started + length {
                while at <= Instant::now() {
                    if due.send(at).is_err() {
                        return;
                    }
                    at += Duration::from_secs_f64(1.0 / rate);
                }
                std::thread::sleep(TICK);
            }
        });
        let tasks = callers.into_iter().map(|mut caller| {
            let receiver = receiver.clone();
            tokio::spawn(async move {
                while let Some(at) = next(&receiver).await {
                    caller.ask(Some(at)).await?;
                }
                io::Result::Ok(caller.seen)
            })
        });
        gather(tasks.collect(), started).await
    }
}

async fn next(due: &tokio::sync::Mutex<UnboundedReceiver<Instant>>) -> Option<Instant> {
    due.lock().await.recv().await
}

async fn gather(
    tasks: Vec<tokio::task::JoinHandle<io::Result<Seen>>>,
    started: Instant,
) -> io::Result<Seen> {
    let mut all = Seen::default();
    for task in tasks {
        all.merge(task.await.map_err(io::Error::other)??)?;
    }
    all.took = started.elapsed();
    Ok(all)
}
