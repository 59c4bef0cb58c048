//! The program: runs the command of its arguments, or serves until it is stopped.

use std::process::ExitCode;

use countersign_backend::{app::command, logging};

/// musl's allocator has one lock for all threads
/// (`docs/adr/0022-an-allocator-with-musl.md`).
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let status = program();
    logging::flush();
    status
}

#[tokio::main]
async fn program() -> ExitCode {
    command::run(std::env::args().skip(1)).await
}
