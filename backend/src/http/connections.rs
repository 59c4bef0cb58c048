//! How many connections there are: so many from one address, and never so many
//! that files for Plivo and the store run out.
//!
//! A connection that says nothing costs little, but is one. The framework gives
//! the head of a request five seconds; what holds here is how many may use them.

use std::{
    any::Any,
    collections::HashMap,
    net::IpAddr,
    num::{NonZeroU16, NonZeroU32},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix_web::{dev::Extensions, rt::net::TcpStream};

use crate::{
    http::extract::caller::TrustedProxies,
    verification::{Caller, ClientKey},
};

/// Files that are not for callers: Plivo's sockets come on top.
const KEPT_FILES: usize = 256;
/// More than one machine of this kind serves.
const MOST: usize = 50_000;

/// Counts open connections by their peer's address.
#[derive(Clone)]
pub struct Connections {
    open: Arc<Mutex<HashMap<ClientKey, u32>>>,
    most_per_address: Option<NonZeroU32>,
    proxies: TrustedProxies,
}

impl Connections {
    /// Through a proxy comes everybody, so trusted ones have no bound; nor has
    /// loopback, where proxies and developers are.
    pub fn new(most_per_address: Option<NonZeroU32>, proxies: TrustedProxies) -> Self {
        Self {
            open: Arc::default(),
            most_per_address,
            proxies,
        }
    }

    /// A new connection. One too many is shut at once; the others carry their
    /// place with them until they close.
    pub fn opened(&self, connection: &dyn Any, kept: &mut Extensions) {
        let Some(socket) = connection.downcast_ref::<TcpStream>() else {
            return;
        };
        let Ok(peer) = socket.peer_addr() else {
            return;
        };
        match self.enter(peer.ip()) {
            Entry::Free => {}
            Entry::Counted(place) => {
                kept.insert(place);
            }
            Entry::TooMany => {
                rustix::net::shutdown(socket, rustix::net::Shutdown::Both).ok();
            }
        }
    }

    fn enter(&self, peer: IpAddr) -> Entry {
        let peer = peer.to_canonical();
        let Some(most) = self.most_per_address else {
            return Entry::Free;
        };
        if peer.is_loopback() || self.proxies.include(peer) {
            return Entry::Free;
        }
        let key = Caller::at(peer).key;
        let mut open = self.open();
        let count = open.entry(key).or_default();
        if *count >= most.get() {
            return Entry::TooMany;
        }
        *count += 1;
        Entry::Counted(Place {
            connections: self.clone(),
            key,
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<ClientKey, u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Entry {
    Free,
    Counted(Place),
    TooMany,
}

/// Given back when the connection closes.
struct Place {
    connections: Connections,
    key: ClientKey,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

/// Lets the process open as many files as the system allows it at all, and
/// answers how many connections that is room for, beside so many to Plivo.
pub fn make_room(calls_at_once: NonZeroU16) -> usize {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).ok();
        // None is no limit at all.
        let files = getrlimit(Resource::Nofile).current;
        let files = files.map_or(MOST, |files| usize::try_from(files).unwrap_or(MOST));
        files
            .saturating_sub(KEPT_FILES + usize::from(calls_at_once.get()))
            .clamp(KEPT_FILES, MOST)
    }
    #[cfg(not(unix))]
    MOST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_from_one_address_and_any_number_through_a_proxy() {
        let proxies = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
        let connections = Connections::new(NonZeroU32::new(2), proxies);
        let enter = |peer: &str| connections.enter(peer.parse().unwrap());
        let is_free = |peer: &str| (0..9).all(|_| matches!(enter(peer), Entry::Free));
        assert!(is_free("10.1.2.3") && is_free("127.0.0.1") && is_free("::ffff:127.0.0.1"));
        let first = enter("198.51.100.7");
        let second = enter("::ffff:198.51.100.7");
        assert!(matches!(enter("198.51.100.7"), Entry::TooMany));
        assert!(matches!(enter("198.51.100.8"), Entry::Counted(_)));
        drop(first);
        assert!(matches!(enter("198.51.100.7"), Entry::Counted(_)));
        drop(second);
        assert!(connections.open().is_empty());
    }
}
