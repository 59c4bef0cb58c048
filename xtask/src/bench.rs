//! What the service costs, measured on this machine and written down.

use std::{fs, path::Path};

use crate::command::{Outcome, cargo, command, output, run, say, target};

const BUILD: &str = "build --release -p countersign-backend -p countersign-bench";
/// What stands in front of the figures.
const INTRODUCTION: &str = "backend/bench/introduction.md";
const WHOLE: &str = "docs/benchmarks";

/// Measures all of it into the document, or some of it beside it.
pub(crate) fn bench(arguments: &[String]) -> Outcome {
    let is_quick = match arguments {
        [] => false,
        [word] if word == "--quick" => true,
        _ => return Err("bench takes --quick at most".to_owned()),
    };
    run(&mut cargo(BUILD))?;
    // The document, and a directory of the same name for its plots.
    let place = if is_quick {
        target().join("benchmarks")
    } else {
        Path::new(WHOLE).to_owned()
    };
    let mut suite = std::process::Command::new(target().join("release/countersign-bench"));
    suite
        .arg("suite")
        .arg(target().join("release/countersign"))
        .arg(&place)
        .args(is_quick.then_some("--quick"));
    say("measuring: some four minutes in quick, some fifteen in whole");
    let figures = suite
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("countersign-bench: {error}"))?;
    if !figures.status.success() {
        return Err(format!("countersign-bench: {}", figures.status));
    }
    let figures = String::from_utf8_lossy(&figures.stdout);
    let introduction = read(INTRODUCTION)?;
    let document = format!("{introduction}\n{}\n{figures}", machine()?);
    let place = place.with_extension("md");
    fs::write(&place, document).map_err(|error| format!("{}: {error}", place.display()))?;
    say(&format!("written to {}", place.display()));
    Ok(())
}

/// Where and when, in one line.
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
