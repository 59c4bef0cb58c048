//! Measures Countersign against a bare pass-through: the same machine, the same
//! run, the same callers. Figures of two runs are not comparable; ratios are.

#![expect(clippy::cast_precision_loss, reason = "figures are rounded anyway")]

mod http;
mod load;
mod pass_through;
mod service;
mod upstream;

use std::{io, net::SocketAddr, path::PathBuf, process::Command, time::Duration};

use redis_test_server::RedisServer;

use crate::{
    load::{Call, Seen},
    service::Service,
    upstream::Upstream,
};

/// Callers at the same time.
const CONNECTIONS: usize = 32;
/// How long each call is made.
const LENGTH: Duration = Duration::from_secs(6);

#[expect(clippy::print_stdout, reason = "the figures go there")]
fn print(line: &str) {
    println!("{line}");
}

/// Where a service says that it has started.
#[expect(clippy::print_stderr, reason = "the log goes there")]
fn say(line: &str) {
    eprintln!("{line}");
}

fn main() -> io::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let mut arguments = std::env::args().skip(1);
    let runtime = || tokio::runtime::Runtime::new();
    match arguments.next().as_deref() {
        Some("pass-through") => {
            let upstream = arguments.next().and_then(|text| text.parse().ok());
            let upstream = upstream.ok_or(io::ErrorKind::InvalidInput)?;
            runtime()?.block_on(pass_through::serve(upstream))
        }
        Some("keys") => {
            let binary = arguments.next().ok_or(io::ErrorKind::InvalidInput)?;
            runtime()?.block_on(keys(PathBuf::from(binary)))
        }
        Some("overload") => {
            let binary = arguments.next().ok_or(io::ErrorKind::InvalidInput)?;
            runtime()?.block_on(overload(PathBuf::from(binary)))
        }
        Some(binary) => {
            let others = arguments.map(PathBuf::from).collect();
            runtime()?.block_on(measure(PathBuf::from(binary), others))
        }
        None => Err(io::Error::other(
            "name the program to measure, and others to compare it with; or: keys or overload, and the program",
        )),
    }
}

async fn measure(binary: PathBuf, others: Vec<PathBuf>) -> io::Result<()> {
    let upstream = Upstream::start(Duration::ZERO)?;
    print(&format!(
        "{CONNECTIONS} callers, {} s a call, an upstream that answers at once\n",
        LENGTH.as_secs()
    ));
    print("what           call     a second   ratio   p50 ms   p99 ms p99.9 ms   MB");
    let mut pass_through = Command::new(std::env::current_exe()?);
    pass_through.args(["pass-through", &upstream.address.to_string()]);
    let limit = each_call("pass-through", &mut pass_through, None).await?;
    let directory = tempfile::tempdir()?;
    let file = format!("sqlite:{}/countersign.db", directory.path().display());
    let server = RedisServer::start();
    let homes = [("sqlite", file), ("redis", server.url())];
    // Beside a file the keys are made; with Redis they must be there.
    let keys = directory.path().join("proof-keys.json");
    countersign(&binary, upstream.address, &homes[0].1)
        .env("PROOF_SIGNING_KEYS_FILE", &keys)
        .arg("--rotate-proof-key")
        .output()?;
    for (name, url) in &homes {
        let mut command = countersign(&binary, upstream.address, url);
        command.env("PROOF_SIGNING_KEYS_FILE", &keys);
        each_call(name, &mut command, Some(limit)).await?;
    }
    for (index, other) in others.iter().enumerate() {
        let path = directory.path().join(format!("other-{index}.db"));
        let url = format!("sqlite:{}", path.display());
        let mut command = countersign(other, upstream.address, &url);
        each_call(&format!("other {index}"), &mut command, Some(limit)).await?;
    }
    print(&format!(
        "\n{} connections to the upstream in all",
        upstream.connections()
    ));
    Ok(())
}

/// What those who are admitted wait for when five times as many ask.
async fn overload(binary: PathBuf) -> io::Result<()> {
    let upstream = Upstream::start(Duration::ZERO)?;
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}/countersign.db", directory.path().display());
    let service = Service::start(&mut countersign(&binary, upstream.address, &url))?;
    print("callers  answered a second  admitted a second   p50 ms   p99 ms of those admitted");
    for times in [1, 1, 2, 5, 10] {
        let callers = CONNECTIONS * times;
        let seen = load::run(service.address, callers, Call::Send, LENGTH, Vec::new()).await?;
        let seconds = seen.took.as_secs_f64();
        let at = |quantile| seen.admitted.value_at_quantile(quantile) as f64 / 1000.0;
        print(&format!(
            "{callers:>7} {:>18.0} {:>18.0} {:>8.2} {:>8.2}",
            seen.per_second(),
            seen.admitted.len() as f64 / seconds,
            at(0.5),
            at(0.99),
        ));
    }
    Ok(())
}

/// How much memory a million addresses and a million numbers take.
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
            service.resident()
        ));
        let mut next = 0;
        while keys < 1_000_000 {
            let slice = Duration::from_secs(2);
            keys += load::run(service.address, CONNECTIONS, call, slice, Vec::new())
                .await?
                .count;
            if keys >= next {
                print(&format!(
                    "{keys:>9} {name:<10} {:>4.0} MB",
                    service.resident()
                ));
                next = keys + 150_000;
            }
        }
    }
    Ok(())
}

/// The program with every limit off that would end a load.
fn countersign(binary: &PathBuf, upstream: SocketAddr, store_url: &str) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("LISTEN_ADDR", "127.0.0.1:0")
        .env("METRICS_ADDR", "off")
        .env("LOG_FORMAT", "json")
        .env("PLIVO_MODE", "live")
        .env("PLIVO_AUTH_ID", "MAXX")
        .env("PLIVO_AUTH_TOKEN", "test_auth_token")
        .env("PLIVO_BASE_URL", format!("http://{upstream}"))
        .env("ALLOWED_COUNTRIES", "*")
        .env("STORE_URL", store_url)
        .env("SECRET_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    for limit in [
        "REQUESTS_PER_ADDRESS",
        "SENDS_PER_ADDRESS",
        "CHECKS_PER_ADDRESS",
        "SENDS_PER_PREFIX",
        "SENDS_PER_COUNTRY",
        "SENDS_TOTAL",
    ] {
        // Counted like any other, and never full.
        command.env(format!("LIMIT_{limit}"), "4000000000/1h");
    }
    command.env("LIMIT_REQUESTS_PER_ADDRESS", "off");
    // It remembers which: never so many.
    command.env("LIMIT_NUMBERS_PER_ADDRESS", "off");
    command
}

/// Requests a second, of sends and of checks.
type Rates = [f64; 2];

async fn each_call(name: &str, command: &mut Command, limit: Option<Rates>) -> io::Result<Rates> {
    let service = Service::start(command)?;
    let address = service.address;
    // What is cold the first time is not measured.
    load::run(address, CONNECTIONS, Call::Send, LENGTH / 6, Vec::new()).await?;
    let sent = load::run(address, CONNECTIONS, Call::Send, LENGTH, Vec::new()).await?;
    let mut rates = [sent.per_second(), 0.0];
    row(name, "send", &sent, limit.map(|rates| rates[0]), &service);
    let sessions = sent.sessions;
    let checked = load::run(address, CONNECTIONS, Call::Verify, LENGTH, sessions).await?;
    rates[1] = checked.per_second();
    row(
        name,
        "verify",
        &checked,
        limit.map(|rates| rates[1]),
        &service,
    );
    Ok(rates)
}

fn row(name: &str, call: &str, seen: &Seen, limit: Option<f64>, service: &Service) {
    let at = |quantile| seen.waits.value_at_quantile(quantile) as f64 / 1000.0;
    let rate = seen.per_second();
    let ratio = limit.map_or_else(|| "1".to_owned(), |limit| format!("{:.2}", rate / limit));
    print(&format!(
        "{name:<14} {call:<8} {rate:>8.0} {ratio:>7} {:>8.2} {:>8.2} {:>8.2} {:>4.0}",
        at(0.5),
        at(0.99),
        at(0.999),
        service.resident()
    ));
    if seen.failed > 0 {
        print(&format!(
            "               {} of {} failed",
            seen.failed, seen.count
        ));
    }
}
