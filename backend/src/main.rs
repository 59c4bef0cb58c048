//! Countersign: does what its arguments say, or serves until it is told to stop.

use std::process::ExitCode;

use countersign_backend::{app::command, logging};

/// musl's own has one lock for all threads (`docs/adr/0022-an-allocator-with-musl.md`).
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
