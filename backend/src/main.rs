//! Countersign: reads its settings, starts, and runs until it is told to stop.

use std::process::ExitCode;

use countersign_backend::{
    app::StopSignals,
    app::{App, check_config, number},
    config::Config,
    logging,
    proof::{self, Rotated},
};

fn main() -> ExitCode {
    let status = program();
    logging::flush();
    status
}

#[tokio::main]
async fn program() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        [] => run().await,
        ["--rotate-proof-key"] => rotate_proof_key(),
        ["--check-config"] => check_config().await,
        ["--number", number] => tell_of_number(number).await,
        ["--version"] => print(&format!("countersign {}", env!("CARGO_PKG_VERSION"))),
        ["--help"] => print(&countersign_backend::config::help()),
        _ => {
            print("countersign does not know that argument; see --help").ok();
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!(event = "server.failed"; "{error}");
            ExitCode::FAILURE
        }
    }
}

/// musl's own has one lock for all threads (`docs/adr/0022-an-allocator-with-musl.md`).
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn run() -> Outcome {
    let settings = settings()?;
    let signals = StopSignals::listen()?;
    App::start(settings).await?.run(signals).await?;
    Ok(())
}

async fn check_config() -> Outcome {
    check_config::check(&settings()?).await?;
    print("configuration is fine")
}

async fn tell_of_number(number: &str) -> Outcome {
    print(&number::report(&settings()?, number).await?)
}

fn rotate_proof_key() -> Outcome {
    let path = settings()?.proofs.keys_file;
    let Rotated { id, signs_in } = proof::rotate(&path, std::time::SystemTime::now())?;
    let when = match signs_in.as_secs().div_ceil(60) {
        0 => "at once".to_owned(),
        minutes => format!("in {minutes} minutes"),
    };
    print(&format!("{id} is in {} and signs {when}", path.display()))
}

/// A log line is the only way to say what is wrong with the settings.
fn settings() -> Result<Config, countersign_backend::config::ConfigError> {
    let settings = Config::from_environment();
    logging::start(settings.as_ref().map(|config| &config.log).ok());
    settings
}

#[expect(clippy::print_stdout, reason = "answers to arguments go there")]
#[expect(clippy::unnecessary_wraps, reason = "it is one of the outcomes")]
fn print(text: &str) -> Outcome {
    println!("{text}");
    Ok(())
}
