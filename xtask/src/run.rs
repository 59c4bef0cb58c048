//! `cargo xtask run` and `accounts`.

use std::{
    env,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Child,
    thread,
    time::Duration,
};

use crate::{
    command::{Outcome, cargo, command, run as finish, say, target},
    page, programs, tools,
};

pub(crate) const LISTEN_ADDR: &str = "127.0.0.1:8080";

/// Builds and starts everything, and runs until it is stopped.
pub(crate) fn run() -> Outcome {
    build()?;
    let program = programs::path(programs::SERVICE);
    let mut service = command(&program.display().to_string());
    if !Path::new(".env").exists() && env::var_os("PLIVO_MODE").is_none() {
        service.env("PLIVO_MODE", "sandbox");
        // The simulator calls back at this address.
        if env::var_os("PUBLIC_URL").is_none() {
            service.env("PUBLIC_URL", format!("http://{}", listen_addr()));
        }
    }
    let mut child = service
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let address = listen_addr();
    if wait_until_ready(&mut child, &address)? {
        say(&format!("\nOpen http://{address}   (Ctrl-C stops it)\n"));
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the service ended: {status}")),
        Err(error) => Err(format!("the service was lost: {error}")),
    }
}

/// Builds the page and the service. All compiling is done in parallel, since each part has
/// single-threaded phases, and in separate target directories or profiles, so that no part
/// waits for another's lock. Then Trunk finds everything there.
fn build() -> Outcome {
    tools::add_target()?;
    let parts: [fn() -> Outcome; 4] = [
        tools::trunk,
        page::compile,
        page::install_packer,
        programs_of_page_and_service,
    ];
    thread::scope(|scope| {
        for part in parts.map(|part| scope.spawn(part)) {
            part.join().map_err(|_| "a part of the build panicked")??;
        }
        tools::wasm_bindgen()?;
        page::bundle()
    })
}

fn programs_of_page_and_service() -> Outcome {
    say("building the service");
    programs::build(&[
        programs::SERVICE,
        programs::PRERENDER,
        programs::WASM_BINDGEN,
    ])
}

const ACCOUNTS_ADDR: &str = "127.0.0.1:8090";

/// Starts the service in sandbox and the example application that trusts its proofs, and
/// runs until it is stopped.
pub(crate) fn accounts() -> Outcome {
    say("building the service and the application");
    finish(&mut cargo(
        "build --package countersign-backend --bin countersign --example accounts",
    ))?;
    let start = |program: &str, settings: &[(&str, &str)]| {
        let program = target().join("debug").join(program);
        let mut command = command(&program.display().to_string());
        command.envs(settings.iter().copied());
        let child = command.spawn();
        child.map_err(|error| format!("{}: {error}", program.display()))
    };
    let (key, hash) = new_key()?;
    let url = format!("http://{LISTEN_ADDR}");
    let mut service = start(
        "countersign",
        &[
            ("PLIVO_MODE", "sandbox"),
            ("LISTEN_ADDR", LISTEN_ADDR),
            ("METRICS_ADDR", "off"),
            ("PUBLIC_URL", &url),
            ("API_KEY_HASHES", &hash),
        ],
    )?;
    if !wait_until_ready(&mut service, LISTEN_ADDR)? {
        return Err("the service ended".to_owned());
    }
    let application = start(
        "examples/accounts",
        &[
            ("ACCOUNTS_ADDR", ACCOUNTS_ADDR),
            ("COUNTERSIGN_URL", &url),
            ("COUNTERSIGN_KEY", &key),
            ("ACCEPT_SANDBOX", "true"),
        ],
    );
    say(&format!(
        "\nOpen http://{ACCOUNTS_ADDR}; codes are at {url}/sandbox/messages   (Ctrl-C stops it)\n"
    ));
    let ended = application.and_then(|mut child| child.wait().map_err(|error| error.to_string()));
    service.kill().ok();
    service.wait().ok();
    ended.map(drop)
}

/// A key of the application that the variables make, and its hash.
fn new_key() -> Outcome<(String, String)> {
    let program = programs::path(programs::SERVICE);
    let mut command = command(&program.display().to_string());
    let output = command.args(["--new-key", "default"]).output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |prefix: &str| {
        let line = said.lines().find(|line| line.starts_with(prefix));
        line.map(str::to_owned).ok_or("--new-key printed no key")
    };
    Ok((line("csk_")?, line("sha256:")?))
}

/// The address that the service will listen on, by its own rules.
pub(crate) fn listen_addr() -> String {
    let file = std::fs::read_to_string(".env").unwrap_or_default();
    env::var("LISTEN_ADDR")
        .ok()
        .or_else(|| from_file(&file).map(str::to_owned))
        .unwrap_or_else(|| LISTEN_ADDR.to_owned())
}

fn from_file(file: &str) -> Option<&str> {
    file.lines()
        .filter_map(|line| line.trim().strip_prefix("LISTEN_ADDR="))
        .next_back()
        .map(|value| value.trim().trim_matches(['"', '\'']))
        .filter(|value| !value.is_empty())
}

/// True once it answers; false if it ended first, in which case it has printed why.
fn wait_until_ready(child: &mut Child, address: &str) -> Outcome<bool> {
    loop {
        if child
            .try_wait()
            .map_err(|error| error.to_string())?
            .is_some()
        {
            return Ok(false);
        }
        if is_healthy(address) {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn is_healthy(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .is_ok()
        && stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_env_file() {
        assert_eq!(from_file("# LISTEN_ADDR=x\nA=b\n"), None);
        assert_eq!(
            from_file("LISTEN_ADDR=\"127.0.0.1:9\"\n"),
            Some("127.0.0.1:9")
        );
        assert_eq!(from_file("LISTEN_ADDR=\n"), None);
    }
}
