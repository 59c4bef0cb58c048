//! The caller's address, for limits.
//!
//! The socket's peer; if that is a trusted proxy, the right-most hop that is not one, over
//! all lines of `X-Forwarded-For` and `Forwarded` (RFC 7239). Hops further left can be
//! forged by the caller. If a header is malformed or the two disagree, the last trusted
//! proxy counts as the caller, so that garbage never earns a fresh limit.

use std::{
    future::{Ready, ready},
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{FORWARDED, HeaderName, X_FORWARDED_FOR},
    web::Data,
};
use countersign_metrics::Metrics;
use ipnet::IpNet;

use crate::verification::Caller;

/// Maximum hops: nobody has more proxies.
const MAX_HOPS: usize = 32;

/// Trusted proxies.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

impl TrustedProxies {
    pub(crate) fn include(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The caller behind a request.
pub fn caller_of(request: &HttpRequest) -> Caller {
    // Only a Unix socket has no peer; all its clients count as one caller.
    let peer = request
        .peer_addr()
        .map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip())
        .to_canonical();
    let nobody = TrustedProxies::default();
    let trusted = request
        .app_data::<Data<TrustedProxies>>()
        .map_or(&nobody, |proxies| proxies.get_ref());
    if !trusted.include(peer) {
        return Caller::at(peer);
    }
    let forwarded_for = hops(request, &X_FORWARDED_FOR, |hop| Some(hop));
    let forwarded = hops(request, &FORWARDED, for_of);
    Caller::at(match (forwarded_for.is_empty(), forwarded.is_empty()) {
        (false, true) => walk(peer, &forwarded_for, trusted),
        (true, false) => walk(peer, &forwarded, trusted),
        (true, true) => peer,
        (false, false) => {
            let caller = walk(peer, &forwarded_for, trusted);
            if walk(peer, &forwarded, trusted) == caller {
                caller
            } else {
                peer
            }
        }
    })
}

impl FromRequest for Caller {
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(noted_caller(request, true)))
    }
}

/// The caller. If limits apply and it is a trusted proxy, that is recorded.
pub(crate) fn noted_caller(request: &HttpRequest, is_counted: bool) -> Caller {
    let caller = caller_of(request);
    if is_counted {
        note_proxy(request, &caller);
    }
    caller
}

/// Counts and logs once that a trusted proxy was taken for the caller: it names nobody, or
/// only another proxy, so all its users share one limit.
fn note_proxy(request: &HttpRequest, caller: &Caller) {
    static SAID: AtomicBool = AtomicBool::new(false);
    let proxies = request.app_data::<Data<TrustedProxies>>();
    if !proxies.is_some_and(|proxies| proxies.include(caller.address())) {
        return;
    }
    if let Some(metrics) = request.app_data::<Data<Metrics>>() {
        metrics.caller_was_proxy();
    }
    if !SAID.swap(true, Ordering::Relaxed) {
        log::warn!(
            event = "caller.trusted_proxy", proxy = caller.address().to_string().as_str();
            "TRUSTED_PROXIES: a proxy was found to be the caller, so all who come through it share its limits"
        );
    }
}

/// The hops in a header, nearest first; `None` if it is malformed.
fn hops(
    request: &HttpRequest,
    name: &HeaderName,
    hop: impl Fn(&str) -> Option<&str>,
) -> Vec<Option<IpAddr>> {
    let lines: Vec<_> = request.headers().get_all(name).collect();
    let elements = lines.iter().rev().flat_map(|line| {
        // A line that is not UTF-8 or has an unclosed quote is malformed as a whole.
        let elements = line.to_str().ok().and_then(|line| unquoted(line, ','));
        elements.unwrap_or_else(|| vec!["?"]).into_iter().rev()
    });
    elements
        .take(MAX_HOPS)
        .map(|element| address(hop(element.trim())?))
        .collect()
}

/// The parts between separators outside quoted strings (RFC 9110, 5.6.4); none if a quote
/// is not closed.
fn unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(|character| {
        let escaping = quoted && !escaped && character == '\\';
        quoted ^= character == '"' && !escaped;
        escaped = escaping;
        character == separator && !quoted
    });
    let parts = parts.collect();
    (!quoted).then_some(parts)
}

/// The nearest hop that is not a trusted proxy. If a hop is malformed, the proxy that wrote
/// it.
fn walk(peer: IpAddr, hops: &[Option<IpAddr>], trusted: &TrustedProxies) -> IpAddr {
    let mut vouched = peer;
    for hop in hops {
        match hop {
            None => return vouched,
            Some(address) if trusted.include(*address) => vouched = *address,
            Some(address) => return *address,
        }
    }
    vouched
}

/// The value of `for` in an element of `Forwarded`, without its quotes.
fn for_of(element: &str) -> Option<&str> {
    let pair = unquoted(element, ';')?
        .into_iter()
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    let value = pair.1;
    match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"'),
        None => Some(value),
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = match (text.parse(), bare) {
        (Ok(address), _) => address,
        (Err(_), Some(bare)) => IpAddr::V6(bare.parse().ok()?),
        (Err(_), None) => text.parse::<SocketAddr>().ok()?.ip(),
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn at(address: &str) -> Caller {
        Caller::at(address.parse().unwrap())
    }

    /// The caller that a request from a peer has, with 10.0.0.0/8 trusted.
    fn of(peer: &str, headers: &[(&str, &[u8])]) -> Caller {
        let proxies = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
        let mut request = TestRequest::default()
            .peer_addr(SocketAddr::new(peer.parse().unwrap(), 9))
            .app_data(Data::new(proxies));
        for (name, value) in headers {
            let value = actix_web::http::header::HeaderValue::from_bytes(value).unwrap();
            request = request.append_header((*name, value));
        }
        caller_of(&request.to_http_request())
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }

    #[test]
    fn an_ipv6_subscriber_is_one_caller_and_a_site_is_known() {
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1").key, at("2001:db8:1:3::1").key);
        assert_eq!(at("2001:db8:1:2::1").site, at("2001:db8:1:3::1").site);
        assert_ne!(at("2001:db8:1:2::1").site, at("2001:db8:2:2::1").site);
    }

    #[test]
    fn strangers_are_not_believed() {
        let spoofed: &[(&str, &[u8])] = &[
            ("x-forwarded-for", b"198.51.100.1"),
            ("forwarded", b"for=198.51.100.1"),
        ];
        assert_eq!(of("192.0.2.7", spoofed), at("192.0.2.7"));
    }

    #[test]
    fn the_right_most_hop_that_is_not_ours_is_the_caller() {
        let forwarded_for = "x-forwarded-for";
        for (headers, caller) in [
            (&[(forwarded_for, &b"198.51.100.1"[..])][..], "198.51.100.1"),
            (
                &[(forwarded_for, b"203.0.113.9, 198.51.100.1")],
                "198.51.100.1",
            ),
            (
                &[(forwarded_for, b"198.51.100.1, 10.1.1.1")],
                "198.51.100.1",
            ),
            (
                &[
                    (forwarded_for, b"203.0.113.9"),
                    (forwarded_for, b"198.51.100.1"),
                ],
                "198.51.100.1",
            ),
            (&[(forwarded_for, b"198.51.100.1:4711")], "198.51.100.1"),
            (&[(forwarded_for, b"[2001:db8::1]:4711")], "2001:db8::1"),
            (&[(forwarded_for, b"2001:db8::1")], "2001:db8::1"),
            (
                &[("forwarded", b"For=\"[2001:db8::1]:80\";proto=https")],
                "2001:db8::1",
            ),
            (
                &[("forwarded", b"for=203.0.113.9, for=198.51.100.1")],
                "198.51.100.1",
            ),
            (
                &[
                    (forwarded_for, b"198.51.100.1"),
                    ("forwarded", b"for=198.51.100.1"),
                ],
                "198.51.100.1",
            ),
            (&[(forwarded_for, b"10.2.2.2, 10.1.1.1")], "10.2.2.2"),
            // A `host` parameter is not a hop.
            (
                &[(
                    "forwarded",
                    b"for=198.51.100.1;host=\"x,for=203.0.113.9;y\"",
                )],
                "198.51.100.1",
            ),
            (
                &[(
                    "forwarded",
                    b"host=\"x;for=203.0.113.9;\\\",for=1.1.1.1\";for=198.51.100.1",
                )],
                "198.51.100.1",
            ),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(of("10.0.0.1", headers), at(caller), "{headers:?}");
        }
    }

    #[test]
    fn garbage_counts_as_the_proxy_that_wrote_it() {
        for garbage in [
            &b""[..],
            b"unknown",
            b"<b>evil",
            b"fe80::1%eth0",
            b"198.51.100.1.2",
            b"198.51.100.1:99999",
            b"\xff\xfe",
            b",,,,",
            b"203.0.113.9, unknown",
            b"for=\"203.0.113.9, for=198.51.100.1",
        ] {
            let headers = [("x-forwarded-for", garbage)];
            assert_eq!(of("10.0.0.1", &headers), at("10.0.0.1"), "{garbage:?}");
            let headers = [("forwarded", garbage)];
            assert_eq!(of("10.0.0.1", &headers), at("10.0.0.1"), "{garbage:?}");
        }
        let disagreeing: &[(&str, &[u8])] = &[
            ("x-forwarded-for", b"198.51.100.1"),
            ("forwarded", b"for=203.0.113.9"),
        ];
        assert_eq!(of("10.0.0.1", disagreeing), at("10.0.0.1"));
        let behind = [("x-forwarded-for", &b"evil, 10.1.1.1"[..])];
        assert_eq!(of("10.0.0.1", &behind), at("10.1.1.1"));
    }
}
