//! Connection limits: by address, and in total, so that files for Plivo and the store never
//! run out. If there are many, idle ones are closed to make room.

mod activity;
mod connection;

use std::{
    collections::HashMap,
    net::IpAddr,
    num::{NonZeroU16, NonZeroU32},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{dev::Extensions, rt::net::TcpStream};
use tokio::time::Instant;

use self::{activity::Activity, connection::WRITE_TIMEOUT};
pub use self::{
    activity::{Serving, attend, vouch_for},
    connection::{Connection, HEAD_TIMEOUT, KEEP_ALIVE},
};
use crate::{
    http::extract::caller::TrustedProxies,
    verification::{Caller, ClientKey},
};

/// File descriptors reserved for the store, the log, the metrics and the runtime, beside
/// Plivo's sockets.
const KEPT_FILES: usize = 128;
/// Minimum number of connections.
const MIN_CONNECTIONS: usize = 64;
/// Maximum number of connections, more than one machine serves.
const MAX_CONNECTIONS: usize = 50_000;
/// Send buffer of a socket in bytes.
const SEND_BUFFER: usize = 128 * 1024;
/// Minimum idle time of a connection that may be closed to make room.
const QUIET: Duration = Duration::from_secs(1);
/// Interval between checks of their number.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Interval between log lines while there are many.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The open connections. Clones share them.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    most: usize,
    most_per_address: Option<NonZeroU32>,
    proxies: TrustedProxies,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    by_address: HashMap<ClientKey, u32>,
    all: HashMap<u64, Arc<Activity>>,
    opened: u64,
}

impl Connections {
    /// With at most `most` in all. Trusted proxies have no bound by address, because
    /// everybody comes through them; nor has loopback, where proxies and developers are.
    pub fn new(most: usize, most_per_address: Option<NonZeroU32>, proxies: TrustedProxies) -> Self {
        Self(Arc::new(Shared {
            most,
            most_per_address,
            proxies,
            open: Mutex::default(),
        }))
    }

    /// The maximum number.
    pub fn most(&self) -> usize {
        self.0.most
    }

    /// Admits a connection, or refuses it if its address has too many: it is then closed
    /// before anything is read.
    pub fn admit(&self, socket: TcpStream) -> Option<Connection<TcpStream>> {
        let peer = socket.peer_addr().ok()?.ip();
        prepare(&socket);
        self.enter(peer, socket)
    }

    /// Closes idle connections when there are many, for as long as the others are in use.
    pub async fn keep_room(self) {
        let shared = Arc::downgrade(&self.0);
        drop(self);
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        let mut logged: Option<Instant> = None;
        loop {
            ticks.tick().await;
            let Some(shared) = shared.upgrade() else {
                return;
            };
            let closed = Self(shared).make_room();
            let is_news = logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL);
            if closed > 0 && is_news {
                logged = Some(Instant::now());
                log::warn!(
                    event = "connections.crowded",
                    closed = closed;
                    "connections on which nothing happens make room for new ones"
                );
            }
        }
    }

    /// If there are many, closes the longest idle ones, and returns how many. Many is seven
    /// eighths of the maximum; closing stops at three quarters.
    fn make_room(&self) -> usize {
        let (many, most) = (self.0.most - self.0.most / 8, self.0.most / 4 * 3);
        let open = self.open();
        if open.all.len() < many {
            return 0;
        }
        let staying = open.all.values().filter(|it| !it.is_closing());
        let too_many = staying.clone().count().saturating_sub(most);
        let now = Instant::now();
        let mut quiet: Vec<(Instant, &Arc<Activity>)> = staying
            .filter(|it| !it.is_serving())
            .map(|it| (it.moved_at(), it))
            .filter(|(moved_at, _)| now.saturating_duration_since(*moved_at) >= QUIET)
            .collect();
        quiet.sort_unstable_by_key(|(moved_at, _)| *moved_at);
        quiet.truncate(too_many);
        for (_, activity) in &quiet {
            activity.close();
        }
        quiet.len()
    }

    fn enter<S>(&self, peer: IpAddr, stream: S) -> Option<Connection<S>> {
        let peer = peer.to_canonical();
        let is_bounded = !peer.is_loopback() && !self.0.proxies.include(peer);
        let most = self.0.most_per_address.filter(|_| is_bounded);
        let address = most.map(|most| (Caller::at(peer).key, most));
        let activity = Arc::new(Activity::new());
        let mut open = self.open();
        if let Some((address, most)) = address {
            let count = open.by_address.entry(address).or_default();
            if *count >= most.get() {
                return None;
            }
            *count += 1;
        }
        let number = open.opened;
        open.opened += 1;
        open.all.insert(number, activity.clone());
        drop(open);
        if let Some((address, _)) = address {
            activity.count(Count {
                connections: self.clone(),
                address,
            });
        }
        let place = Place {
            connections: self.clone(),
            number,
            activity: activity.clone(),
        };
        Some(Connection::new(stream, activity, place))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bounds what the system buffers for a client that does not read, in bytes and time.
fn prepare(socket: &TcpStream) {
    use rustix::net::sockopt;
    sockopt::set_socket_send_buffer_size(socket, SEND_BUFFER).ok();
    #[cfg(target_os = "linux")]
    {
        let milliseconds = u32::try_from(WRITE_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
        sockopt::set_tcp_user_timeout(socket, milliseconds).ok();
    }
}

/// Connection data available to its requests.
pub fn introduce(connection: &Connection<TcpStream>, kept: &mut Extensions) {
    kept.insert(connection.activity());
}

/// Slot of a connection, released when it closes.
struct Place {
    connections: Connections,
    number: u64,
    activity: Arc<Activity>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.activity.uncount();
        self.connections.open().all.remove(&self.number);
    }
}

/// A connection's count for its address; released when it closes, or presents an
/// application's key.
struct Count {
    connections: Connections,
    address: ClientKey,
}

impl Drop for Count {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        if let Some(count) = open.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

/// Too few file descriptors for clients beside so many calls of Plivo.
#[derive(Debug, thiserror::Error)]
#[error(
    "PLIVO_CALLS_AT_ONCE: {calls} calls leave callers no room among the {files} files that the system lets this process open; raise that limit (ulimit -n, LimitNOFILE) or set fewer"
)]
pub struct TooFewFiles {
    calls: usize,
    files: usize,
}

/// Raises the limit of open files to its maximum, and returns how many connections fit
/// beside so many calls of Plivo. In `sandbox` both ends of a call are in this process.
pub fn budget(calls_at_once: NonZeroU16, sandbox: bool) -> Result<usize, TooFewFiles> {
    let calls = usize::from(calls_at_once.get());
    connections(open_files(), calls, sandbox)
}

fn connections(files: Option<usize>, calls: usize, sandbox: bool) -> Result<usize, TooFewFiles> {
    // None means unlimited.
    let Some(files) = files else {
        return Ok(MAX_CONNECTIONS);
    };
    let sockets = if sandbox { 2 * calls } else { calls };
    let room = files.saturating_sub(KEPT_FILES + sockets);
    match room.min(MAX_CONNECTIONS) {
        room if room >= MIN_CONNECTIONS => Ok(room),
        // Only a developer connects there.
        _ if sandbox => Ok(MIN_CONNECTIONS),
        _ => Err(TooFewFiles { calls, files }),
    }
}

fn open_files() -> Option<usize> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).ok();
        let files = getrlimit(Resource::Nofile).current;
        files.map(|files| usize::try_from(files).unwrap_or(usize::MAX))
    }
    #[cfg(not(unix))]
    None
}

#[cfg(test)]
mod tests;
