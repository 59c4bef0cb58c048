//! `--healthy`: a health check for containers, whose image has no shell and no `curl`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use reqwest::{Client, redirect::Policy};

use countersign_platform::tls;

use crate::config;

/// Request timeout, shorter than that of any health check.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Requests `/readyz` of the service with the same settings: prints one line, and exits
/// with 0 or 1.
#[expect(clippy::print_stdout, reason = "the answer to an argument")]
pub async fn main() -> ExitCode {
    let outcome = match config::listen_address() {
        Ok(address) => ask(reachable(address)).await,
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(()) => {
            println!("ready");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            println!("not ready: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn ask(address: SocketAddr) -> Result<(), String> {
    if address.port() == 0 {
        return Err("LISTEN_ADDR: with port 0 nobody knows which port was taken".to_owned());
    }
    tls::set_up();
    let client = Client::builder()
        .no_proxy()
        // No certificates are loaded: the image may have none, and this is plain HTTP.
        .tls_certs_only([])
        .redirect(Policy::none())
        .timeout(TIMEOUT)
        .build();
    let answer = client
        .map_err(|error| error.to_string())?
        .get(format!("http://{address}/readyz"))
        .send()
        .await;
    match answer {
        Ok(answer) if answer.status() == 200 => Ok(()),
        Ok(answer) => Err(format!("{address} answers {}", answer.status().as_u16())),
        Err(error) if error.is_timeout() => Err(format!(
            "{address} does not answer within {} seconds",
            TIMEOUT.as_secs()
        )),
        Err(_) => Err(format!("nothing answers at {address}")),
    }
}

/// Maps an unspecified listen address to loopback.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
