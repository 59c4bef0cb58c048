//! How many streams are open, in all and for each who watches.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use countersign_shared::SessionId;

use crate::verification::{Caller, ClientKey};

/// Streams that one address may have open. A household has several phones.
const MAX_STREAMS_PER_ADDRESS: usize = 20;
/// Streams that one IPv6 /48 may have open: a site has many subscribers, and one
/// subscriber may hold all of a site.
const MAX_STREAMS_PER_SITE: usize = 4 * MAX_STREAMS_PER_ADDRESS;
/// Streams of one session, wherever they are watched from.
const MAX_STREAMS_PER_SESSION: usize = 20;
/// Streams that an instance has open.
const MAX_STREAMS: usize = 4096;

/// What streams are counted by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Group {
    All,
    Session(SessionId),
    /// An address, or a site of them.
    Network(ClientKey),
}

/// The streams that are open.
#[derive(Clone, Default)]
pub(in crate::http::routes) struct Streams(Arc<Mutex<HashMap<Group, usize>>>);

impl Streams {
    /// A place among them, if there is one. Addresses are told apart where
    /// `limits_addresses` says so.
    pub(super) fn enter(
        &self,
        caller: &Caller,
        id: SessionId,
        limits_addresses: bool,
    ) -> Option<Place> {
        let mut groups = vec![
            (Group::All, MAX_STREAMS),
            (Group::Session(id), MAX_STREAMS_PER_SESSION),
        ];
        if limits_addresses {
            groups.push((Group::Network(caller.key), MAX_STREAMS_PER_ADDRESS));
            let site = caller.site.map(Group::Network);
            groups.extend(site.map(|site| (site, MAX_STREAMS_PER_SITE)));
        }
        let mut open = self.open();
        let has_room =
            |(group, most): &(Group, usize)| open.get(group).copied().unwrap_or_default() < *most;
        if !groups.iter().all(has_room) {
            return None;
        }
        let groups: Vec<Group> = groups.into_iter().map(|(group, _)| group).collect();
        for group in &groups {
            *open.entry(*group).or_default() += 1;
        }
        Some(Place {
            streams: self.clone(),
            groups,
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Group, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Given back when the stream ends, however it does.
pub(super) struct Place {
    streams: Streams,
    groups: Vec<Group>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        for group in &self.groups {
            if let Some(count) = open.get_mut(group) {
                *count -= 1;
                if *count == 0 {
                    open.remove(group);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u128) -> SessionId {
        SessionId::from_random_bytes(number.to_be_bytes())
    }

    fn caller(address: &str) -> Caller {
        Caller::at(address.parse().unwrap())
    }

    #[test]
    fn neither_a_site_nor_a_session_nor_an_address_has_all_of_them() {
        let streams = Streams::default();
        let open = |addresses: &mut dyn Iterator<Item = String>, limits_addresses| {
            let sessions = (0..).map(session);
            let places = addresses
                .zip(sessions)
                .map_while(|(address, id)| streams.enter(&caller(&address), id, limits_addresses));
            places.collect::<Vec<_>>()
        };
        // Each /64 of a /48 has one stream, each of another session.
        let of_site = open(
            &mut (0..200).map(|it| format!("2001:db8:1:{it:x}::1")),
            true,
        );
        assert_eq!(of_site.len(), MAX_STREAMS_PER_SITE);
        let other_site = streams.enter(&caller("2001:db8:2::1"), session(9), true);
        assert!(other_site.is_some());
        let of_address = open(&mut (0..200).map(|_| "198.51.100.7".to_owned()), true);
        assert_eq!(of_address.len(), MAX_STREAMS_PER_ADDRESS);
        drop((of_site, other_site, of_address));
        assert!(streams.open().is_empty());

        // Where addresses are not told apart, sessions still are.
        let id = session(u128::MAX);
        let of_session: Vec<_> = (0..200)
            .map_while(|it| streams.enter(&caller(&format!("198.51.100.{it}")), id, false))
            .collect();
        assert_eq!(of_session.len(), MAX_STREAMS_PER_SESSION);
        let all = open(&mut (0..).map(|_| "198.51.100.7".to_owned()), false);
        assert_eq!(all.len() + of_session.len(), MAX_STREAMS);
    }
}
