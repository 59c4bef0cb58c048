//! Benchmarks of the service on this machine, written to a document.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    command::{Outcome, cargo, command, output, run, say, target},
    system_packages,
};

const BUILD: &str = "build --release -p countersign-backend -p countersign-bench";
/// The text before the figures.
const INTRODUCTION: &str = "backend/bench/introduction.md";
const WHOLE: &str = "docs/benchmarks";

/// Runs the whole suite into the document, or with `--quick` a part of it beside it.
pub(crate) fn bench(arguments: &[String]) -> Outcome {
    let is_quick = match arguments {
        [] => false,
        [word] if word == "--quick" => true,
        _ => return Err("bench takes --quick at most".to_owned()),
    };
    let (mut suite, service) = built()?;
    // The document, and a directory of the same name for its plots.
    let place = if is_quick {
        target().join("benchmarks")
    } else {
        Path::new(WHOLE).to_owned()
    };
    suite.arg("suite").arg(service).arg(&place);
    suite.args(is_quick.then_some("--quick"));
    // Before the plots are written: they would mark the tree as dirty.
    let machine = machine()?;
    say("measuring: some four minutes in quick, some fifteen in whole");
    let figures = suite
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("countersign-bench: {error}"))?;
    if !figures.status.success() {
        return Err(format!("countersign-bench: {}", figures.status));
    }
    let figures = String::from_utf8_lossy(&figures.stdout);
    let introduction = read(INTRODUCTION)?;
    let document = format!("{introduction}\n{machine}\n{figures}");
    let place = place.with_extension("md");
    fs::write(&place, document).map_err(|error| format!("{}: {error}", place.display()))?;
    say(&format!("written to {}", place.display()));
    Ok(())
}

/// Runs the soak test for that many minutes over each store.
pub(crate) fn soak(arguments: &[String]) -> Outcome {
    let minutes = match arguments {
        [] => "10",
        [minutes] if minutes.parse().is_ok_and(|it: u32| it > 0) => minutes,
        _ => return Err("soak takes a number of minutes".to_owned()),
    };
    let (mut soak, service) = built()?;
    let plot = target().join("soak.svg");
    soak.arg("soak").arg(service).arg(minutes).arg(&plot);
    say(&format!(
        "{minutes} minutes for each store, into {}",
        plot.display()
    ));
    run(&mut soak)
}

/// Builds the load generator, as a command without arguments, and the service.
fn built() -> Outcome<(Command, PathBuf)> {
    // Redis is needed.
    system_packages::install()?;
    run(&mut cargo(BUILD))?;
    let programs = target().join("release");
    let load = Command::new(programs.join("countersign-bench"));
    Ok((load, programs.join("countersign")))
}

/// Machine, date and commit, in one line.
fn machine() -> Outcome<String> {
    let cpus = read("/proc/cpuinfo")?;
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let cores = cpus.matches("processor\t").count();
    let said = |program: &str, words: &[&str]| -> Outcome<String> {
        let text = output(command(program).args(words))?;
        Ok(text.trim().to_owned())
    };
    Ok(format!(
        "Measured on {} at {}: {cores} cores of {model}, Linux {}, {}.\n",
        said("date", &["+%Y-%m-%d"])?,
        said("git", &["describe", "--always", "--dirty"])?,
        said("uname", &["-r"])?,
        said("rustc", &["--version"])?,
    ))
}

fn read(path: &str) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}
