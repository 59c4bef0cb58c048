//! The address of a Redis server or cluster.

use std::fmt;

use redis::{ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

/// A server, or the seed nodes of a cluster. `Display` and `Debug` show hosts and ports only, never
/// credentials.
#[derive(Clone)]
pub struct Address {
    pub(super) is_cluster: bool,
    /// Never empty.
    pub(super) nodes: Vec<ConnectionInfo>,
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<String> = self
            .nodes
            .iter()
            .map(|node| node.addr().to_string())
            .collect();
        formatter.write_str(&nodes.join(","))
    }
}

/// Why an address cannot be used.
pub type InvalidAddress = &'static str;

impl Address {
    /// Reads `redis://`, `rediss://` (TLS), and for a cluster `redis+cluster://` or
    /// `rediss+cluster://` with one node or several between commas. User, password and,
    /// except for a cluster, the database number are where URLs have them. `None` for any
    /// other scheme.
    pub fn parse(text: &str) -> Option<Result<Self, InvalidAddress>> {
        let (scheme, rest) = text.split_once("://")?;
        let (scheme, cluster) = match scheme {
            "redis" | "rediss" => (scheme, false),
            "redis+cluster" => ("redis", true),
            "rediss+cluster" => ("rediss", true),
            _ => return None,
        };
        Some(read(scheme, rest, cluster))
    }
}

fn read(scheme: &str, rest: &str, cluster: bool) -> Result<Address, InvalidAddress> {
    // Parameters could switch off the verification of certificates.
    if rest.contains(['?', '#']) {
        return Err("must be scheme, user, password, host, port and database only");
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if cluster && !path.is_empty() {
        return Err("must not name a database: a cluster has one only");
    }
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    if !cluster && hosts.contains(',') {
        return Err("must name one host; for a cluster begin with redis+cluster://");
    }
    let nodes = hosts
        .split(',')
        .map(|host| {
            let url = format!("{scheme}://{user}{}/{path}", host.trim());
            // The library's message may quote the URL, which may contain a password.
            let node = url.into_connection_info().map_err(|_| MALFORMED)?;
            let settings = node
                .redis_settings()
                .clone()
                .set_protocol(ProtocolVersion::RESP3);
            Ok(node.set_redis_settings(settings))
        })
        .collect::<Result<_, InvalidAddress>>()?;
    Ok(Address {
        is_cluster: cluster,
        nodes,
    })
}

const MALFORMED: InvalidAddress =
    "must be an address such as redis://:password@redis.example.com:6379/0";

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<Result<String, InvalidAddress>> {
        Some(Address::parse(text)?.map(|address| format!("{address} {}", address.is_cluster)))
    }

    #[test]
    fn addresses_are_read_and_shown_without_their_credentials() {
        for (text, expected) in [
            ("redis://127.0.0.1:6379/0", "127.0.0.1:6379 false"),
            ("redis://redis", "redis:6379 false"),
            ("rediss://:p%40ss@redis:6380/2", "redis:6380 false"),
            ("redis+cluster://me:pass@a:1,b:2", "a:1,b:2 true"),
            ("rediss+cluster://a", "a:6379 true"),
        ] {
            assert_eq!(shown(text), Some(Ok(expected.to_owned())), "{text}");
        }
        for malformed in [
            "redis://",
            "redis://a:x",
            "redis://a/x",
            "redis://a,b",
            "redis+cluster://a/1",
            "redis+cluster://a,,b",
            "rediss://a#insecure",
            "redis://a?protocol=resp2",
        ] {
            assert!(matches!(shown(malformed), Some(Err(_))), "{malformed}");
        }
        assert_eq!(shown("mysql://a"), None);
        assert_eq!(shown("sqlite:a"), None);
    }
}
