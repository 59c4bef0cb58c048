//! `trunk serve` with the project's own tools, beside a running service.

use std::{fs, net::SocketAddr};

use crate::{
    command::{Outcome, command, run as finish, say},
    run, tools,
};

const CONFIG: &str = "Trunk.toml";
/// A copy of `Trunk.toml` for a service at another address; beside it, because its paths
/// are relative to the file. Git ignores it.
const ELSEWHERE: &str = "Trunk.elsewhere.toml";

/// Serves the page with hot reload, and proxies API calls to the service.
pub(crate) fn serve(arguments: &[String]) -> Outcome {
    tools::install()?;
    let address = reachable(&run::listen_addr());
    let config = fs::read_to_string(CONFIG).map_err(|error| format!("{CONFIG}: {error}"))?;
    let file = if address == run::LISTEN_ADDR {
        CONFIG
    } else {
        fs::write(ELSEWHERE, passing_to(&config, &address))
            .map_err(|error| format!("{ELSEWHERE}: {error}"))?;
        ELSEWHERE
    };
    say(&format!(
        "calls go to http://{address}; start it with cargo xtask run"
    ));
    let mut trunk = command("trunk");
    trunk
        .args(["--config", file, "serve", "--offline"])
        .args(arguments);
    finish(trunk.env_remove("NO_COLOR"))
}

/// Trunk's settings for a service at another address.
fn passing_to(config: &str, address: &str) -> String {
    config.replace(
        &format!("backend = \"http://{}/", run::LISTEN_ADDR),
        &format!("backend = \"http://{address}/"),
    )
}

/// Maps an unspecified listen address to loopback.
fn reachable(address: &str) -> String {
    match address.parse::<SocketAddr>() {
        Ok(parsed) if parsed.ip().is_unspecified() && parsed.is_ipv4() => {
            format!("127.0.0.1:{}", parsed.port())
        }
        Ok(parsed) if parsed.ip().is_unspecified() => format!("[::1]:{}", parsed.port()),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_goes_where_the_service_listens() {
        let top = concat!(env!("CARGO_MANIFEST_DIR"), "/../Trunk.toml");
        let config = fs::read_to_string(top).expect("Trunk's settings");
        let backends =
            |config: &str, of: &str| config.matches(&format!("backend = \"{of}")).count();
        assert!(backends(&config, "") > 0);
        let elsewhere = passing_to(&config, "127.0.0.1:9999");
        assert_eq!(
            backends(&elsewhere, "http://127.0.0.1:9999/"),
            backends(&config, "")
        );
    }

    #[test]
    fn a_service_on_all_interfaces_is_reached_on_loopback() {
        assert_eq!(reachable("0.0.0.0:81"), "127.0.0.1:81");
        assert_eq!(reachable("[::]:81"), "[::1]:81");
        assert_eq!(reachable("127.0.0.1:81"), "127.0.0.1:81");
    }
}
