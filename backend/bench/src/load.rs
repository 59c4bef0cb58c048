//! What callers ask for, and what they saw.

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

/// What a load saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// Answers.
    pub(crate) count: u64,
    /// Those that nobody had reason to expect.
    pub(crate) failed: u64,
    /// How long it took.
    pub(crate) took: Duration,
    /// How long each caller waited, in microseconds.
    pub(crate) waits: Waits,
    /// The same of those who got what they asked for.
    pub(crate) admitted: Waits,
    /// The sessions that were begun and not used yet, and when.
    pub(crate) sessions: Vec<(Instant, String)>,
}

/// Waits in microseconds, to three digits.
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

    /// The sessions, in the order they were begun: so people give codes back.
    pub(crate) fn into_sessions(mut self) -> VecDeque<String> {
        self.sessions.sort();
        self.sessions.into_iter().map(|(_, id)| id).collect()
    }
}

/// Which call is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// To a number of its own each time.
    Send,
    /// With the right code, for as long as there are sessions.
    Verify,
    /// Of twenty calls nine sends, eight right codes, two wrong ones, and one look
    /// at a session.
    Mixed,
    /// The same without the look, for who has no such call.
    MixedWithoutLooks,
    /// From an address of its own each time, with nothing in it.
    Stranger,
    /// To a number of its own from an address of its own.
    Newcomer,
}

/// One request of theirs.
enum Request {
    Send,
    Verify(String),
    WrongCode(String),
    Look(String),
    Stranger,
    Newcomer,
}

/// Numbers nobody was sent to in this process.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);
/// Area codes of the USA, whose numbers carry messages.
const AREAS: [u64; 16] = [
    205, 206, 212, 213, 214, 303, 305, 310, 312, 404, 415, 503, 510, 617, 619, 650,
];
/// Connections of an open load: more than are ever waiting.
const CONNECTIONS: usize = 64;
/// How often an open load looks who is due.
const TICK: Duration = Duration::from_micros(500);

fn number() -> String {
    let next = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
    let area = AREAS[usize::try_from(next).unwrap_or_default() % AREAS.len()];
    let rest = next / AREAS.len() as u64;
    // 220 and up: no service code and no fiction.
    let (exchange, line) = (220 + rest / 10_000, rest % 10_000);
    format!("+1{area}{exchange}{line:04}")
}

/// In a /64 of its own.
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

    /// What its answer begins with, where all is well.
    fn expected(&self) -> &'static str {
        match self {
            // The pass-through says so in a success.
            Self::WrongCode(_) => "HTTP/1.1 ",
            Self::Stranger => "HTTP/1.1 4",
            _ => "HTTP/1.1 200",
        }
    }
}

/// Sessions that several callers share.
type Sessions = Arc<Mutex<VecDeque<String>>>;

/// One who waits for an answer before he asks again.
struct Caller {
    connection: Connection,
    call: Call,
    shared: Sessions,
    /// His own, of a mixed load.
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

    /// What he asks for next, if anything.
    fn next(&mut self) -> Option<Request> {
        Some(match self.call {
            Call::Send => Request::Send,
            Call::Verify => Request::Verify(self.shared_session()?),
            Call::Stranger => Request::Stranger,
            Call::Newcomer => Request::Newcomer,
            Call::Mixed | Call::MixedWithoutLooks => {
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

    /// Asks once; how long he waited is counted from `since`. False when there is
    /// nothing left to ask for.
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

/// Where and what.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    /// Callers spread over these.
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

    /// So many callers each ask as soon as they were answered: for a while, or
    /// until every session was asked for.
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

    /// So many requests a second come, whether those before were answered or not;
    /// each waits from the moment it was due.
    pub(crate) async fn open(&self, rate: f64) -> io::Result<Seen> {
        let callers = self.callers(CONNECTIONS, VecDeque::new()).await?;
        let (due, receiver) = unbounded_channel();
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        let started = Instant::now();
        let length = self.length;
        // The runtime's timer is too coarse, and to wake for each request would
        // cost as much as the request.
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
