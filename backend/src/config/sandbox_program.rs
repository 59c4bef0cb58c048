//! Settings of the program `countersign-sandbox`: every variable has a default, the store
//! is temporary, and nothing is ever sent.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::Path,
};

use super::{
    Config, ConfigError, environment,
    values::Reader,
    variables::{self, Variable},
};

/// Log level: warnings only, because the program prints three lines of its own. The warning
/// about the sandbox is one of them, and certificates are not needed.
const LOG: &str = "warn,countersign_backend::app=error,rustls_platform_verifier=off";

impl Config {
    /// Reads the environment, with defaults for everything; the store is in `directory`.
    pub fn for_sandbox_program(directory: &Path) -> Result<Self, ConfigError> {
        Self::sandbox_program(directory, environment()?)
    }

    fn sandbox_program(
        directory: &Path,
        given: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let reader = Reader::new(&given);
        refuse_what_is_not_temporary(&reader)?;
        let listen = free_address(&reader, &variables::LISTEN_ADDR);
        let metrics = free_address(&reader, &variables::METRICS_ADDR);
        let public_url = listen.and_then(loopback_url);
        let store = format!("sqlite:{}", directory.join("countersign.db").display());
        Self::read(|name| {
            let address = |address: Option<SocketAddr>| address.map(|it| it.to_string());
            let preset = match name {
                // Callbacks are sent to the port found.
                "LISTEN_ADDR" => return address(listen).or_else(|| given(name)),
                "METRICS_ADDR" => return address(metrics).or_else(|| given(name)),
                "PLIVO_MODE" => Some("sandbox".to_owned()),
                "PUBLIC_URL" => public_url.clone(),
                "STORE_URL" => Some(store.clone()),
                "RUST_LOG" => Some(LOG.to_owned()),
                _ => None,
            };
            given(name)
                .filter(|value| !value.trim().is_empty())
                .or(preset)
        })
    }
}

/// Variables that would persist data or reach a phone.
fn refuse_what_is_not_temporary(reader: &Reader<'_>) -> Result<(), ConfigError> {
    use variables::{PLIVO_MODE, PROOF_SIGNING_KEYS_FILE, SECRET_KEY, STORE_URL};
    if reader
        .text(&PLIVO_MODE)?
        .is_some_and(|mode| mode != "sandbox")
    {
        return Err(PLIVO_MODE
            .error("countersign-sandbox sends nothing; the program countersign goes live"));
    }
    let kept: [&Variable; 3] = [&STORE_URL, &SECRET_KEY, &PROOF_SIGNING_KEYS_FILE];
    match kept.into_iter().find(|variable| reader.is_set(variable)) {
        Some(variable) => Err(variable.error(
            "is set, but countersign-sandbox keeps nothing; unset it, or run the program countersign",
        )),
        None => Ok(()),
    }
}

/// The address with a free port: a default port in use is replaced, a configured one is
/// not. `None` if the variable is invalid, which its own check reports.
fn free_address(reader: &Reader<'_>, variable: &Variable) -> Option<SocketAddr> {
    let address: SocketAddr = reader.text(variable).ok()??.parse().ok()?;
    let any_port = SocketAddr::new(address.ip(), 0);
    let bound = |address| TcpListener::bind(address).and_then(|listener| listener.local_addr());
    if reader.is_set(variable) && address.port() != 0 {
        return Some(address);
    }
    bound(address).or_else(|_| bound(any_port)).ok()
}

/// The URL by which the simulator in this process reaches the service: plain HTTP, on
/// loopback only.
fn loopback_url(address: SocketAddr) -> Option<String> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, address.port());
    ip.is_loopback().then(|| format!("http://{address}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::config::{StoreConfig, Upstream};

    fn read(given: &[(&str, &str)]) -> Result<Config, String> {
        let given: HashMap<_, _> = given.iter().copied().collect();
        let lookup = |name: &str| given.get(name).map(|value| (*value).to_owned());
        let config = Config::sandbox_program(Path::new("/somewhere"), lookup);
        config.map_err(|error| error.to_string())
    }

    #[test]
    fn it_needs_no_settings() {
        let config = read(&[]).expect("defaults for all");
        assert!(matches!(config.upstream, Upstream::Sandbox));
        assert!(
            matches!(config.store, StoreConfig::Sqlite { path, .. } if path.starts_with("/somewhere"))
        );
        let url = format!("http://{}", config.listen);
        assert_eq!(config.public_url, Some(url), "callbacks arrive");
    }

    #[test]
    fn a_default_address_that_is_taken_gives_way_and_one_that_was_asked_for_does_not() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let taken = taken
            .local_addr()
            .map(|it| (taken, it))
            .expect("its address");
        let variable = Variable {
            name: "LISTEN_ADDR",
            default: Some(taken.1.to_string().leak()),
            meaning: "",
            from_file: false,
        };
        let address = |given: Option<String>| {
            free_address(&Reader::new(&|_| given.clone()), &variable).expect("an address")
        };
        assert_eq!(address(Some(taken.1.to_string())), taken.1);
        let other = address(None);
        assert_eq!(other.ip(), taken.1.ip());
        assert_ne!(other.port(), taken.1.port());
        assert_ne!(other.port(), 0, "callbacks need to know it");
    }

    #[test]
    fn callbacks_go_to_loopback_or_nowhere() {
        let url = |address: &str| {
            let config = read(&[("LISTEN_ADDR", address)]).expect("settings");
            (config.listen.port(), config.public_url)
        };
        let (port, of_all) = url("0.0.0.0:0");
        assert_eq!(of_all, Some(format!("http://127.0.0.1:{port}")));
        assert_eq!(url("[::1]:8081").1.as_deref(), Some("http://[::1]:8081"));
        assert_eq!(url("192.0.2.7:8081").1, None);
    }

    #[test]
    fn what_goes_live_or_lasts_is_refused_by_name() {
        let cases = [
            ("PLIVO_MODE", "live"),
            ("PLIVO_MODE", "Live"),
            ("STORE_URL", "redis://127.0.0.1:6379"),
            ("STORE_URL_FILE", "/run/secrets/store"),
            ("SECRET_KEY", "AAAA"),
            ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
            ("PLIVO_AUTH_TOKEN", "none"),
        ];
        for (name, value) in cases {
            let error = read(&[(name, value)]).expect_err(name);
            assert!(error.starts_with(name.trim_end_matches("_FILE")), "{error}");
        }
    }
}
