//! Callers, for limits.

use std::{net::IpAddr, sync::Arc};

use countersign_core::{Application, ApplicationId};
use ipnet::IpNet;

/// The network that limits count by: an IPv4 address, or an IPv6 /64, which a subscriber
/// has as a whole, so that another of its addresses gets no fresh limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey(IpNet);

impl std::fmt::Display for ClientKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The caller behind a request.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Its address, which is not counted by itself.
    address: IpAddr,
    /// Its network.
    pub key: ClientKey,
    /// Its IPv6 /48, which a site has as a whole.
    pub site: Option<ClientKey>,
}

/// The requester of a step.
#[derive(Clone, Debug)]
pub struct Requester {
    /// The caller's network.
    pub caller: Caller,
    /// The authenticated application; none for a browser or an anonymous client.
    pub application: Option<Arc<Application>>,
    /// The end user named with a key. If none is named, the session's user.
    pub end_user: Option<NamedEndUser>,
}

/// The end user that an application's server calls for.
#[derive(Clone, Debug)]
pub struct NamedEndUser {
    /// Their address, if the application knows it.
    pub address: Option<Caller>,
    /// The application's id for them.
    pub id: Option<String>,
}

impl Requester {
    /// An anonymous requester.
    pub fn stranger(caller: Caller) -> Self {
        Self {
            caller,
            application: None,
            end_user: None,
        }
    }

    /// The user's network, if known: for a server's call only what it names.
    pub(super) fn person(&self) -> Option<Caller> {
        match &self.application {
            None => Some(self.caller),
            Some(_) => self.end_user.as_ref().and_then(|named| named.address),
        }
    }

    /// The authenticated application.
    pub fn key(&self) -> Option<&ApplicationId> {
        self.application.as_ref().map(|it| &it.id)
    }
}

/// Two addresses in the same network are equal.
impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        (self.key, self.site) == (other.key, other.site)
    }
}

impl Eq for Caller {}

impl Caller {
    /// Its address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The caller at an address. `::ffff:192.0.2.1` is 192.0.2.1.
    pub fn at(address: IpAddr) -> Self {
        let key = |length| {
            let network = IpNet::new(address.to_canonical(), length);
            ClientKey(network.expect("no longer than an address").trunc())
        };
        let address = address.to_canonical();
        match address {
            IpAddr::V4(_) => Self {
                address,
                key: key(32),
                site: None,
            },
            IpAddr::V6(_) => Self {
                address,
                key: key(64),
                site: Some(key(48)),
            },
        }
    }
}
