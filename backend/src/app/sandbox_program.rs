//! The program `countersign-sandbox`: the service in sandbox over a temporary store.

use std::net::SocketAddr;

use crate::{
    app::{App, StopSignals, healthy},
    config::Config,
    logging,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Starts it, prints three lines, runs until it is stopped, and removes its store.
#[expect(clippy::print_stdout, reason = "the three lines")]
pub async fn run() -> Outcome {
    let directory = tempfile::Builder::new()
        .prefix("countersign-sandbox-")
        .tempdir();
    let config = directory
        .map_err(|error| {
            format!("no temporary directory: {error}; TMPDIR names another place").into()
        })
        .and_then(|directory| {
            let config = Config::for_sandbox_program(directory.path())?;
            Ok::<_, Box<dyn std::error::Error>>((directory, config))
        });
    logging::start(config.as_ref().map(|(_, config)| &config.log).ok());
    let (directory, config) = config?;
    let signals = StopSignals::listen()?;
    let app = App::start(config).await?;
    for line in welcome(app.address(), app.metrics_address()) {
        println!("{line}");
    }
    app.run(signals).await?;
    directory.close()?;
    Ok(())
}

/// The three lines: its address, a first call, and how to go live.
fn welcome(address: SocketAddr, metrics: Option<SocketAddr>) -> [String; 3] {
    let address = healthy::reachable(address);
    let metrics = metrics.map(healthy::reachable);
    let metrics = metrics.map(|address| format!("; metrics at http://{address}/metrics"));
    [
        format!(
            "Open http://{address} (a sandbox: the pretend phone on the page shows the code, nothing \
             is sent{})",
            metrics.unwrap_or_default()
        ),
        format!(
            "Call curl -s http://{address}/api/otp/send -H 'content-type: application/json' \
             -d '{{\"recipient\": \"+14155550123\"}}'"
        ),
        "Go live with the program countersign: PLIVO_MODE=live, PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN, \
         ALLOWED_COUNTRIES and SPEND_CAP"
            .to_owned(),
    ]
}
