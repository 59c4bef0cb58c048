//! The program `countersign-sandbox`: a trial without settings and without an account.

use std::process::ExitCode;

use countersign_backend::{
    app::{healthy, sandbox_program},
    logging,
};

const HELP: &str = "countersign-sandbox: Countersign to try; nothing is sent, and nothing is kept

countersign-sandbox                      serves page, API, pretend phone and metrics
countersign-sandbox --healthy            asks the running one whether it is ready
countersign-sandbox --version, --help

It needs no settings. Those of the program countersign hold, but for the store and the Plivo account.";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => {}
        ["--healthy"] => return healthy::main().await,
        ["--version"] => return print(concat!("countersign-sandbox ", env!("CARGO_PKG_VERSION"))),
        ["--help"] => return print(HELP),
        _ => {
            print("countersign-sandbox takes one argument at most; see --help");
            return ExitCode::from(2);
        }
    }
    let outcome = sandbox_program::run().await;
    if let Err(error) = &outcome {
        log::error!(event = "server.failed"; "{error}");
    }
    logging::flush();
    if outcome.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// See `main.rs`.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(clippy::print_stdout, reason = "answers to arguments go there")]
fn print(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}
