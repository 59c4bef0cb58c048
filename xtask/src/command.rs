//! Running other programs.

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

/// How long output may be silent before we check whether the program has ended.
const PATIENCE: Duration = Duration::from_secs(1);

/// The error is one sentence.
pub(crate) type Outcome<T = ()> = Result<T, String>;

#[expect(
    clippy::print_stdout,
    reason = "the one place that talks to the developer"
)]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Directory of the tools that this project installs.
pub(crate) const TOOLS: &str = "target/tools";

/// A command that searches the project's own tools first.
pub(crate) fn command(program: &str) -> Command {
    let tools = Path::new(TOOLS).join("bin");
    let tools = std::path::absolute(&tools).unwrap_or(tools);
    let path = env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(tools).chain(env::split_paths(&path));
    let path = env::join_paths(all).unwrap_or(path);
    // The search for the program itself uses this process's PATH.
    let mut command = Command::new(find(program, &path).unwrap_or_else(|| program.into()));
    command.env("PATH", path);
    command
}

/// A cargo command in a clean environment: variables that cargo set for xtask would cause
/// full rebuilds.
pub(crate) fn cargo(arguments: &str) -> Command {
    let mut command = calling_cargo("cargo");
    command.args(arguments.split_whitespace());
    command
}

/// A command that calls cargo, in such an environment.
pub(crate) fn calling_cargo(program: &str) -> Command {
    let mut command = command(program);
    for name in ["CARGO", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            command.env_remove(name);
        }
    }
    command
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    let given = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    std::path::absolute(&given).unwrap_or(given)
}

fn find(program: &str, path: &OsString) -> Option<PathBuf> {
    env::split_paths(path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// Whether a program is installed.
pub(crate) fn exists(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| find(program, &path).is_some())
}

/// Runs it to completion.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let name = name(command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name}: {status}")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

/// Runs it to completion and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let name = name(command);
    let output = command
        .stderr(Stdio::null())
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{name}: {}", output.status))
    }
}

/// Runs it to completion, prints each line of its standard output and passes it to `look`.
pub(crate) fn watch(command: &mut Command, mut look: impl FnMut(&str)) -> Outcome {
    let name = name(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    let (sender, lines) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
    }
    let mut ended = None;
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                say(&line);
                look(&line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            // It ended, but a child process keeps its output open.
            Err(RecvTimeoutError::Timeout) if ended.is_some() => break,
            Err(RecvTimeoutError::Timeout) => {
                ended = child
                    .try_wait()
                    .map_err(|error| format!("{name}: {error}"))?;
            }
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name}: {status}")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

fn name(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(std::ffi::OsStr::to_string_lossy).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_left_behind_holds_nothing_up() {
        let mut shell = command("sh");
        shell.args(["-c", "sleep 60 & echo done"]);
        let started = std::time::Instant::now();
        let mut seen = Vec::new();
        assert_eq!(watch(&mut shell, |line| seen.push(line.to_owned())), Ok(()));
        assert_eq!(seen, ["done"]);
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
