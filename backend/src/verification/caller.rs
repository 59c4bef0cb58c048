//! Who is calling, as far as limits care.

use std::{net::IpAddr, sync::Arc};

use countersign_core::{Application, ApplicationId};
use ipnet::IpNet;

/// The network that limits count by: an IPv4 address, or the /64 that an IPv6
/// subscriber holds whole, so that nobody gets a fresh limit by the next of their
/// addresses.
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
    /// Where it comes from. Nothing is counted by it.
    address: IpAddr,
    /// Who it is.
    pub key: ClientKey,
    /// The IPv6 /48 that a site holds whole.
    pub site: Option<ClientKey>,
}

/// Who asks for a step, and for whom.
#[derive(Clone, Debug)]
pub struct Requester {
    /// Where the call comes from.
    pub caller: Caller,
    /// The application whose key came with it; without one it is a browser, or a
    /// stranger, which nothing tells apart.
    pub application: Option<Arc<Application>>,
    /// With a key: for whom. Where it does not say, it is whom the session is for.
    pub end_user: Option<NamedEndUser>,
}

/// For whom an application's server calls.
#[derive(Clone, Debug)]
pub struct NamedEndUser {
    /// Where they came from, where the application knows.
    pub address: Option<Caller>,
    /// The application's own name for them.
    pub id: Option<String>,
}

impl Requester {
    /// Somebody without a key.
    pub fn stranger(caller: Caller) -> Self {
        Self {
            caller,
            application: None,
            end_user: None,
        }
    }

    /// Where the person is that it is about, as far as that is known: of a server's call
    /// only what it says.
    pub(super) fn person(&self) -> Option<Caller> {
        match &self.application {
            None => Some(self.caller),
            Some(_) => self.end_user.as_ref().and_then(|named| named.address),
        }
    }

    /// The application whose key came with the call.
    pub fn key(&self) -> Option<&ApplicationId> {
        self.application.as_ref().map(|it| &it.id)
    }
}

/// Two addresses that limits do not tell apart are one caller.
impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        (self.key, self.site) == (other.key, other.site)
    }
}

impl Eq for Caller {}

impl Caller {
    /// Where it comes from.
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
