//! Callers that each wait for an answer before they ask again.

use std::{
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
use tokio::net::TcpStream;

use crate::{
    http::{Connection, post},
    upstream::OTP,
};

/// What a load saw.
pub(crate) struct Seen {
    /// Answers.
    pub(crate) count: u64,
    /// Those that were no success.
    pub(crate) failed: u64,
    /// How long it took.
    pub(crate) took: Duration,
    /// How long each caller waited, in microseconds.
    pub(crate) waits: Histogram<u64>,
    /// The same of those who got what they asked for.
    pub(crate) admitted: Histogram<u64>,
    /// The sessions that were begun.
    pub(crate) sessions: Vec<String>,
}

impl Seen {
    pub(crate) fn per_second(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }
}

/// Which call is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// To a number of its own each time.
    Send,
    /// With the right code.
    Verify,
    /// From an address of its own each time, with nothing in it.
    Stranger,
    /// To a number of its own from an address of its own.
    Newcomer,
}

/// Numbers nobody was sent to in this process.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);
/// Area codes of the USA, whose numbers carry messages.
const AREAS: [u64; 16] = [
    205, 206, 212, 213, 214, 303, 305, 310, 312, 404, 415, 503, 510, 617, 619, 650,
];

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

/// Asks over so many connections: for a while, or until every session was asked
/// for.
pub(crate) async fn run(
    address: SocketAddr,
    connections: usize,
    call: Call,
    length: Duration,
    sessions: Vec<String>,
) -> io::Result<Seen> {
    let sessions = Arc::new(Mutex::new(sessions));
    let started = Instant::now();
    let callers: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(caller(address, call, started + length, sessions.clone())))
        .collect();
    let mut all = seen();
    for caller in callers {
        let one = caller.await.map_err(io::Error::other)??;
        all.count += one.count;
        all.failed += one.failed;
        all.sessions.extend(one.sessions);
        all.waits.add(one.waits).map_err(io::Error::other)?;
        all.admitted.add(one.admitted).map_err(io::Error::other)?;
    }
    all.took = started.elapsed();
    Ok(all)
}

fn seen() -> Seen {
    let waits = Histogram::new_with_max(60_000_000, 3).expect("three digits are allowed");
    Seen {
        count: 0,
        failed: 0,
        took: Duration::ZERO,
        admitted: waits.clone(),
        waits,
        sessions: Vec::new(),
    }
}

async fn caller(
    address: SocketAddr,
    call: Call,
    until: Instant,
    sessions: Arc<Mutex<Vec<String>>>,
) -> io::Result<Seen> {
    let mut connection = Connection::new(TcpStream::connect(address).await?)?;
    let mut seen = seen();
    while Instant::now() < until {
        let request = match call {
            Call::Send => post(
                "/api/otp/send",
                &[],
                &json!({"recipient": number()}).to_string(),
            ),
            Call::Stranger => post(
                "/api/otp/send",
                &[("x-forwarded-for", &address_of_own())],
                "{}",
            ),
            Call::Newcomer => post(
                "/api/otp/send",
                &[("x-forwarded-for", &address_of_own())],
                &json!({"recipient": number()}).to_string(),
            ),
            Call::Verify => {
                let next = sessions
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .pop();
                let Some(id) = next else { break };
                let body = json!({"session_uuid": id, "otp": OTP});
                post("/api/otp/verify", &[], &body.to_string())
            }
        };
        let asked = Instant::now();
        connection.write(&request).await?;
        let answer = connection.next().await?;
        let answer = answer.ok_or(io::ErrorKind::UnexpectedEof)?;
        let waited = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        seen.waits.saturating_record(waited);
        seen.count += 1;
        if !answer.head.starts_with("HTTP/1.1 200") {
            seen.failed += 1;
            continue;
        }
        seen.admitted.saturating_record(waited);
        if call == Call::Send {
            let body: Value = serde_json::from_slice(&answer.body)?;
            seen.sessions
                .extend(body["session_uuid"].as_str().map(str::to_owned));
        }
    }
    Ok(seen)
}
