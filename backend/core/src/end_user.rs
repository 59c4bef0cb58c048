//! The end user that a step is counted for, and which addresses a server may name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::{
    Key, Limit, keys,
    rate_limit::{CallerKeys, SITE_FACTOR},
};

/// The end user that a step is counted for, as keyed hashes. They are made outside this
/// crate, and stored with a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndUserKeys {
    /// The hash of the IPv4 address, or of the IPv6 /64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The hash of the IPv6 /48.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The hash of the application, if it does not know its user's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_address: Option<String>,
    /// The hash of the application and its own name for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl EndUserKeys {
    /// The rows that the address is counted in, by itself and by its site.
    pub fn callers(&self) -> Vec<CallerKeys> {
        let keys = |hash: &String, factor| CallerKeys {
            sends: keys::limit(Limit::SendsPerAddress, hash),
            checks: keys::limit(Limit::ChecksPerAddress, hash),
            numbers: keys::limit(Limit::NumbersPerAddress, hash),
            factor,
        };
        let address = self.address.iter().map(|hash| keys(hash, 1));
        let site = self.site.iter().map(|hash| keys(hash, SITE_FACTOR));
        address.chain(site).collect()
    }

    /// The row of a limit on calls without an address.
    pub(crate) fn without_address(&self, limit: Limit) -> Option<Key> {
        let hash = self.without_address.as_ref();
        hash.map(|hash| keys::limit(limit, hash))
    }

    /// The row of the user's own limit.
    pub(crate) fn user(&self) -> Option<Key> {
        let hash = self.user.as_ref();
        hash.map(|hash| keys::limit(Limit::SendsPerUser, hash))
    }
}

/// Whether the address is public, i.e. a user can come from it over the Internet: a
/// server that names a private one has named a proxy of its own.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    // RFC 6598: shared address space between a carrier's customers and its NAT.
    let is_shared = first == 100 && (64..128).contains(&second);
    !(first == 0
        || is_shared
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || address.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_private_networks_are_not_public() {
        for address in [
            "203.0.113.7",
            "8.8.8.8",
            "100.128.0.1",
            "2001:db8::1",
            "172.32.0.1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
