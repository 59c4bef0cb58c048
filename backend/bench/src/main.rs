//! Measures Countersign against a bare pass-through, on the same machine, in the same run
//! and with the same callers. Ratios can be compared between runs; absolute figures
//! cannot.

#![expect(clippy::cast_precision_loss, reason = "figures are rounded anyway")]

mod compare;
mod http;
mod load;
mod pass_through;
mod plot;
mod report;
mod service;
mod soak;
mod subject;
mod suite;
mod upstream;

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    load::{Call, Load},
    service::Service,
    subject::countersign,
    upstream::Upstream,
};

/// Concurrent callers.
const CALLERS: usize = 32;
/// Latency of an upstream as distant as Plivo.
const FAR: Duration = Duration::from_millis(150);
/// Enough callers to keep both cores busy with it.
const FAR_CALLERS: usize = 256;
/// Duration of each load.
const LENGTH: Duration = Duration::from_secs(6);

#[expect(clippy::print_stdout, reason = "the figures go there")]
fn print(line: &str) {
    println!("{line}");
}

/// Prints progress to standard error.
#[expect(clippy::print_stderr, reason = "the log goes there")]
fn say(line: &str) {
    eprintln!("{line}");
}

fn main() -> io::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    match words.as_slice() {
        ["pass-through", upstream] => {
            let upstream = upstream.parse().map_err(io::Error::other)?;
            runtime.block_on(pass_through::serve(upstream))
        }
        ["keys", binary] => runtime.block_on(keys(PathBuf::from(binary))),
        ["overload", binary] => runtime.block_on(overload(PathBuf::from(binary))),
        ["compare", store @ ("sqlite" | "redis"), binaries @ ..] => {
            let binaries: Vec<PathBuf> = binaries.iter().map(PathBuf::from).collect();
            runtime.block_on(compare::run(store, &binaries))
        }
        ["soak", binary, minutes, plot] => {
            let minutes: u64 = minutes.parse().map_err(io::Error::other)?;
            let length = Duration::from_mins(minutes);
            runtime.block_on(soak::run(binary.as_ref(), length, plot.as_ref()))
        }
        ["suite", binary, plots] => runtime.block_on(suite(binary, plots, suite::WHOLE)),
        ["suite", binary, plots, "--quick"] => runtime.block_on(suite(binary, plots, suite::QUICK)),
        _ => Err(io::Error::other(
            "say keys or overload and a program; soak, a program, minutes and a plot; suite, a program and a directory for plots; or compare, sqlite or redis, and programs",
        )),
    }
}

/// Runs the whole suite: the document goes to standard output, the plots to files.
async fn suite(binary: &str, plots: &str, size: suite::Size) -> io::Result<()> {
    let measured = suite::run(binary.as_ref(), size).await?;
    let plots = Path::new(plots);
    plot::draw(&measured, plots).map_err(|error| io::Error::other(error.to_string()))?;
    let name = plots.file_name().unwrap_or_default();
    print(&measured.document(&name.to_string_lossy()));
    Ok(())
}

/// Measures the latency of admitted requests at a multiple of the load.
async fn overload(binary: PathBuf) -> io::Result<()> {
    let upstream = Upstream::start(Duration::ZERO)?;
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}/countersign.db", directory.path().display());
    let service = Service::start(&mut countersign(&binary, upstream.address, &url))?;
    let addresses = [service.address];
    print("callers  answered a second  admitted a second   p50 ms   p99 ms of those admitted");
    for times in [1, 1, 2, 5, 10] {
        let callers = CALLERS * times;
        let load = Load {
            addresses: &addresses,
            call: Call::Send,
            length: LENGTH,
        };
        let seen = load.closed(callers, VecDeque::new()).await?;
        let seconds = seen.took.as_secs_f64();
        print(&format!(
            "{callers:>7} {:>18.0} {:>18.0} {:>8.2} {:>8.2}",
            seen.per_second(),
            seen.admitted.len() as f64 / seconds,
            seen.admitted.at(0.5),
            seen.admitted.at(0.99),
        ));
    }
    Ok(())
}

/// Measures the memory used by a million addresses and a million numbers.
async fn keys(binary: PathBuf) -> io::Result<()> {
    let upstream = Upstream::start(Duration::ZERO)?;
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}/countersign.db", directory.path().display());
    let mut command = countersign(&binary, upstream.address, &url);
    command
        .env("TRUSTED_PROXIES", "127.0.0.1")
        .env("LIMIT_REQUESTS_PER_ADDRESS", "120/1m");
    let service = Service::start(&mut command)?;
    for (call, name) in [(Call::Stranger, "addresses"), (Call::Newcomer, "numbers")] {
        let mut keys = 0;
        print(&format!(
            "{keys:>9} {name:<10} {:>4.0} MB",
            service.usage().resident
        ));
        let mut next = 0;
        while keys < 1_000_000 {
            let load = Load {
                addresses: &[service.address],
                call,
                length: Duration::from_secs(2),
            };
            keys += load.closed(CALLERS, VecDeque::new()).await?.count;
            if keys >= next {
                print(&format!(
                    "{keys:>9} {name:<10} {:>4.0} MB",
                    service.usage().resident
                ));
                next = keys + 150_000;
            }
        }
    }
    Ok(())
}
