//! Who is calling, as far as limits care: the socket's peer.

use std::net::IpAddr;

use actix_web::dev::ServiceRequest;

/// The key of a caller: an IPv4 address, or the /64 that an IPv6 subscriber
/// holds whole, so that nobody gets a fresh limit by the next of his addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey(IpAddr);

impl ClientKey {
    /// The key of an address. `::ffff:192.0.2.1` is 192.0.2.1.
    pub fn new(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                Self(IpAddr::V6(network.into()))
            }
        }
    }

    /// The key of the caller behind a request.
    pub fn of(request: &ServiceRequest) -> Self {
        // There is no peer on a Unix socket only; all of it is one caller then.
        let unknown = IpAddr::from([0, 0, 0, 0]);
        Self::new(request.peer_addr().map_or(unknown, |peer| peer.ip()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str) -> ClientKey {
        ClientKey::new(address.parse().unwrap())
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }

    #[test]
    fn an_ipv6_subscriber_is_one_caller() {
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    }
}
