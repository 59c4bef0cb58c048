//! Countersign: reads its settings, starts, and runs until it is told to stop.

use std::process::ExitCode;

use countersign_backend::{app::App, config::Config, logging};

#[tokio::main]
async fn main() -> ExitCode {
    if std::env::args().len() > 1 {
        return usage();
    }
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!(event = "server.failed"; "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    // A log line is the only way to say what is wrong with the settings.
    let settings = Config::from_environment();
    logging::start(settings.as_ref().map(|config| &config.log).ok());
    App::start(settings?).await?.run().await?;
    Ok(())
}

/// `--version` and `--help`; anything else is a mistake.
#[expect(clippy::print_stdout, reason = "the answer to --help goes there")]
fn usage() -> ExitCode {
    let argument = std::env::args().nth(1);
    match argument.as_deref() {
        Some("--version") => println!("countersign {}", env!("CARGO_PKG_VERSION")),
        Some("--help") => println!("{}", countersign_backend::config::help()),
        _ => {
            println!("countersign takes no arguments; see --help");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
