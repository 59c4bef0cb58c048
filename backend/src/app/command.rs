//! The command line.

use std::{error::Error, process::ExitCode, time::SystemTime};

use countersign_core::{ApiKey, ApplicationId};
use secrecy::ExposeSecret;

use super::{
    App, StopSignals, check_config, decisions, fetch_prices, healthy, move_store, number, operator,
    try_plivo,
};
use crate::{
    config::{self, Config, ConfigError},
    logging,
    proof::{self, Rotated},
};

type Outcome = Result<(), Box<dyn Error>>;

/// Runs the command of the arguments; a failure is one line in the log.
pub async fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    let arguments: Vec<String> = arguments.collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        [] => serve().await,
        ["--rotate-proof-key"] => rotate_proof_key(),
        ["--new-key", id] => new_key(id),
        ["--check-config"] => check().await,
        ["--fetch-prices", countries] => fetch_prices(countries).await,
        ["--decisions", words @ ..] => say_decisions(words).await,
        ["--stop"] => say_stops().await,
        ["--stop", words @ ..] => stop(words, true).await,
        ["--start", words @ ..] => stop(words, false).await,
        ["--free", number] => free(number, false).await,
        ["--free", number, "--forget"] => free(number, true).await,
        ["--number", number] => tell_of_number(number).await,
        ["--healthy"] => return healthy::main().await,
        ["--try-plivo", words @ ..] => try_plivo(words).await,
        ["--move-store", from, to] => carry(from, to).await,
        ["--version"] => print(&format!("countersign {}", env!("CARGO_PKG_VERSION"))),
        ["--help"] => print(&config::help()),
        _ => {
            print("countersign does not know these arguments; see --help").ok();
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

async fn serve() -> Outcome {
    let settings = settings()?;
    let signals = StopSignals::listen()?;
    App::start(settings).await?.run(signals).await?;
    Ok(())
}

async fn check() -> Outcome {
    check_config::check(&settings()?).await?;
    print("configuration is fine")
}

async fn tell_of_number(number: &str) -> Outcome {
    print(&number::report(&settings()?, number).await?)
}

async fn say_decisions(words: &[&str]) -> Outcome {
    print(&decisions::report(&settings()?, words).await?)
}

async fn say_stops() -> Outcome {
    print(&operator::stops(&settings()?).await?)
}

async fn stop(words: &[&str], is_stopped: bool) -> Outcome {
    print(&operator::stop(&settings()?, words, is_stopped).await?)
}

async fn free(number: &str, forget: bool) -> Outcome {
    print(&operator::free(&settings()?, number, forget).await?)
}

async fn fetch_prices(countries: &str) -> Outcome {
    start_log();
    let settings = config::prices_from_environment()?;
    print(&fetch_prices::run(settings, countries).await?)
}

fn rotate_proof_key() -> Outcome {
    let settings = settings()?.proofs;
    let (path, algorithm) = (settings.keys_file, settings.algorithm);
    let Rotated { id, signs_in } = proof::rotate(&path, algorithm, SystemTime::now())?;
    let when = match signs_in.as_secs().div_ceil(60) {
        0 => "at once".to_owned(),
        minutes => format!("in {minutes} minutes"),
    };
    print(&format!("{id} is in {} and signs {when}", path.display()))
}

fn new_key(id: &str) -> Outcome {
    let id = ApplicationId::parse(id).ok_or(
        "--new-key: name the application's id: small letters, digits and hyphens, a letter first",
    )?;
    let mut random = [0; ApiKey::RANDOM_BYTES];
    getrandom::fill(&mut random)?;
    let key = ApiKey::from_random_bytes(&id, random);
    print(&format!(
        "{}\n\nThat is the key, for {id}'s server. It is shown this once. The service knows its hash:\n\n{}\n\n\
         In APPLICATIONS_FILE it stands in key_hashes, or without that file in API_KEY_HASHES.",
        key.secret().expose_secret(),
        key.hash()
    ))
}

async fn try_plivo(words: &[&str]) -> Outcome {
    // During the dialogue only errors are logged.
    logging::start(Some(&logging::Settings {
        json: false,
        filter: "error".to_owned(),
    }));
    let options = try_plivo::Options::parse(words)?;
    try_plivo::run(Config::from_environment()?, options).await?;
    Ok(())
}

async fn carry(from: &str, to: &str) -> Outcome {
    start_log();
    let rows = move_store::run(from, to).await?;
    print(&format!(
        "{rows} rows moved; name the new store in STORE_URL and keep the same SECRET_KEY"
    ))
}

/// Starts the log first: an error in the settings is one of its lines.
fn settings() -> Result<Config, ConfigError> {
    start_log();
    Config::from_environment()
}

fn start_log() {
    logging::start(config::log_from_environment().as_ref().ok());
}

#[expect(clippy::print_stdout, reason = "answers to arguments go there")]
#[expect(clippy::unnecessary_wraps, reason = "it is one of the outcomes")]
fn print(text: &str) -> Outcome {
    println!("{text}");
    Ok(())
}
