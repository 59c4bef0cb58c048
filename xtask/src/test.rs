//! Every check and every test.

mod totals;

use std::{fs, path::Path, time::Instant};

use self::totals::{Totals, check_line, count, playwright_line, rust_line};
use crate::{
    command::{Outcome, cargo, command, exists, run, say, target},
    dist, image,
    packages::{node_modules, npm_ci, once, python_packages},
    page, programs, system_packages, tools,
};

struct Step {
    name: &'static str,
    run: fn(&mut Totals) -> Outcome,
}

const STEPS: [Step; 14] = [
    Step {
        name: "fmt",
        run: |_| run(&mut cargo("fmt --all --check")),
    },
    Step {
        name: "clippy",
        run: |_| clippy(),
    },
    Step {
        name: "doc",
        run: |_| doc(),
    },
    Step {
        name: "supply",
        run: |_| supply_chain(),
    },
    Step {
        name: "deploy",
        run: |_| deploy(),
    },
    Step {
        name: "rust",
        run: rust,
    },
    Step {
        name: "redis",
        run: redis,
    },
    Step {
        name: "sdk",
        run: sdk,
    },
    Step {
        name: "integrate",
        run: integrate,
    },
    Step {
        name: "docs",
        run: docs,
    },
    Step {
        name: "contract",
        run: |totals| contract(totals, "50", "180"),
    },
    Step {
        name: "browser",
        run: browser,
    },
    Step {
        name: "page",
        run: |_| page::build(),
    },
    Step {
        name: "e2e",
        run: e2e,
    },
];

/// The step that takes minutes: only with `--long`.
const LONG: Step = Step {
    name: "long",
    run: long,
};

pub(crate) fn names() -> String {
    STEPS.map(|step| step.name).join(" ")
}

/// Runs all steps, or the named ones; with `--long` also the one that takes minutes. Later
/// steps run even if one fails.
pub(crate) fn test(arguments: &[String]) -> Outcome {
    let (long, names): (Vec<_>, Vec<_>) = arguments.iter().partition(|name| *name == "--long");
    let long = (!long.is_empty()).then_some(LONG);
    if let Some(unknown) = names
        .iter()
        .find(|name| STEPS.iter().all(|step| step.name != name.as_str()))
    {
        return Err(format!("no step {unknown}; there are: {}", self::names()));
    }
    system_packages::install()?;
    tools::install()?;
    let mut totals = Totals::default();
    let mut report = Vec::new();
    let mut failed = 0;
    for step in STEPS.into_iter().chain(long) {
        let is_named = names.iter().any(|name| *name == step.name);
        // `--long` alone adds to all steps; with names it is one more.
        if !names.is_empty() && !is_named && step.name != LONG.name {
            continue;
        }
        say(&format!("\n== {}", step.name));
        let started = Instant::now();
        let outcome = (step.run)(&mut totals);
        let seconds = started.elapsed().as_secs();
        let word = match &outcome {
            Ok(()) => "ok".to_owned(),
            Err(problem) => {
                failed += 1;
                say(&format!("xtask: {problem}"));
                format!("FAILED: {problem}")
            }
        };
        report.push(format!("{:<8} {seconds:>4} s  {word}", step.name));
    }
    say(&format!(
        "\n{}\n{} passed, {} failed",
        report.join("\n"),
        totals.passed,
        totals.failed
    ));
    if failed == 0 && totals.failed == 0 {
        Ok(())
    } else {
        Err(format!("{failed} of the steps failed"))
    }
}

fn clippy() -> Outcome {
    let deny = "-- --deny warnings";
    // The page's features exclude each other.
    run(&mut cargo(&format!(
        "clippy --workspace --exclude countersign-frontend --all-targets --all-features {deny}"
    )))?;
    let page = "clippy --package countersign-frontend";
    run(&mut cargo(&format!("{page} --all-targets {deny}")))?;
    run(&mut cargo(&format!(
        "{page} --no-default-features --features ssr {deny}"
    )))?;
    run(&mut cargo(&format!(
        "clippy --package countersign-backend --no-default-features {deny}"
    )))?;
    let wasm = "--package countersign-frontend --target wasm32-unknown-unknown --all-targets";
    run(&mut cargo(&format!("clippy {wasm} {deny}")))
}

fn doc() -> Outcome {
    run(cargo("doc --workspace --no-deps").env("RUSTDOCFLAGS", "--deny warnings"))
}

/// Dependencies: licences, sources, advisories, and whether they are used.
fn supply_chain() -> Outcome {
    tools::install_supply_checks()?;
    run(command("cargo-machete").args(["--with-metadata", "--skip-target-dir", "."]))?;
    run(&mut cargo("deny check licenses bans sources"))?;
    if run(&mut cargo("deny fetch db")).is_ok() {
        run(&mut cargo("deny check advisories"))
    } else {
        say("ADVISORIES WERE NOT CHECKED: their database cannot be fetched from here");
        Ok(())
    }
}

/// Checks deployment files by the programs that read them. A test of the backend runs
/// nginx's.
fn deploy() -> Outcome {
    let prometheus = Path::new("deploy/prometheus");
    for arguments in [
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "countersign.test.yml"],
    ] {
        run(command("promtool").args(arguments).current_dir(prometheus))?;
    }
    if !exists("systemd-analyze") {
        say("the unit was not looked at: there is no systemd-analyze");
        return Ok(());
    }
    // In tenths: the rest could only be lowered for a service without a network.
    let unit = ["--threshold=15", "deploy/countersign.service"];
    run(command("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .args(unit)
        .stdout(std::process::Stdio::null()))
}

fn rust(totals: &mut Totals) -> Outcome {
    let mut tests = cargo("test --workspace --no-fail-fast");
    count(tests.env("RUST_TEST_THREADS", threads()), totals, rust_line)
}

/// Test threads: more than cores, since most tests wait for a service that they started.
fn threads() -> String {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    (2 * cores).to_string()
}

/// The released programs; the ignored tests, which wait in real time, each with a timeout
/// of its own and this one for all; ten minutes of simulation; and a long contract test.
fn long(totals: &mut Totals) -> Outcome {
    dist::dist(&[])?;
    image::image(&[])?;
    image::check()?;
    let tests = "test --package countersign-backend --tests";
    run(&mut cargo(&format!("{tests} --no-run")))?;
    let mut bounded = command("timeout");
    bounded.args(["20m", "cargo"]);
    bounded.args(format!("{tests} -- --ignored --nocapture").split(' '));
    let waited = count(&mut bounded, totals, rust_line);
    let schedules = count(&mut simulation(10), totals, rust_line);
    contract(totals, "1000", "1500").and(waited).and(schedules)
}

/// Simulation, for that many minutes.
fn simulation(minutes: u32) -> std::process::Command {
    let mut tests = cargo("test --package countersign-simulation --test schedules -- --nocapture");
    tests.env("SIMULATION_MINUTES", minutes.to_string());
    tests
}

/// The API tests again, with Redis.
fn redis(totals: &mut Totals) -> Outcome {
    let mut tests = cargo("test --package countersign-backend --test api");
    tests.env("RUST_TEST_THREADS", threads());
    count(tests.env("TEST_STORE", "redis"), totals, rust_line)
}

/// Plivo's official SDKs, unmodified, against the simulator.
fn sdk(totals: &mut Totals) -> Outcome {
    let source = Path::new("backend/plivo-simulator/tests/sdk");
    let home = Path::new("target/sdk");
    let python = other_languages(source, home)?;
    run(&mut cargo("build --package plivo-simulator"))?;
    let home = std::path::absolute(home).map_err(|error| error.to_string())?;
    let simulator = target().join("debug/plivo-simulator");
    let scripts: [(&Path, &str); 2] = [(&python, "check.py"), (Path::new("node"), "check.cjs")];
    for (program, script) in scripts {
        let mut check = command(&program.display().to_string());
        check
            .arg(source.join(script))
            .env("PLIVO_SIMULATOR", &simulator)
            .env("NODE_PATH", home.join("node_modules"));
        count(&mut check, totals, check_line)?;
    }
    Ok(())
}

/// The samples of `docs/integrate.md` and its pages, and their libraries, against the
/// service.
fn integrate(totals: &mut Totals) -> Outcome {
    let source = Path::new("backend/tests/integrate");
    let home = Path::new("target/integrate");
    let python = other_languages(source, home)?;
    let mut check = command(&python.display().to_string());
    check
        .arg(source.join("check.py"))
        .env("COUNTERSIGN_BIN", service()?)
        .env("NODE_HOME", home);
    count(&mut check, totals, check_line)
}

/// The commands in the documents, against the service.
fn docs(totals: &mut Totals) -> Outcome {
    run(&mut cargo("build --package plivo-simulator"))?;
    let service = service()?;
    for script in ["check.py", "fifteen_minutes.py"] {
        let mut check = command("python3");
        check
            .arg(Path::new("backend/tests/docs").join(script))
            .env("COUNTERSIGN_BIN", &service);
        count(&mut check, totals, check_line)?;
    }
    Ok(())
}

/// Contract test: a generated client verifies a number, and schemathesis generates `cases`
/// requests for each operation, in at most `seconds`.
fn contract(totals: &mut Totals, cases: &str, seconds: &str) -> Outcome {
    let source = Path::new("backend/tests/contract");
    let home = Path::new("target/contract");
    let requirements = source.join("requirements.txt");
    once(home, std::slice::from_ref(&requirements), || {
        python_packages(home, &requirements)
    })?;
    let python = std::path::absolute(home.join("venv/bin/python"));
    let python = python.map_err(|error| error.to_string())?;
    let service = service()?;
    for script in ["client.py", "check.py"] {
        let mut check = command(&python.to_string_lossy());
        check
            .arg(source.join(script))
            .env("COUNTERSIGN_BIN", &service)
            .env("CASES", cases)
            .env("SECONDS_AT_MOST", seconds);
        count(&mut check, totals, check_line)?;
    }
    Ok(())
}

/// Builds the service, and returns its path.
fn service() -> Outcome<std::path::PathBuf> {
    programs::build(&[programs::SERVICE])?;
    Ok(programs::path(programs::SERVICE))
}

/// Installs the Python and Node.js packages of a directory of checks; returns the path of
/// their Python.
fn other_languages(source: &Path, home: &Path) -> Outcome<std::path::PathBuf> {
    let venv = home.join("venv");
    let requirements = source.join("requirements.txt");
    once(
        home,
        &[requirements.clone(), source.join("package-lock.json")],
        || {
            python_packages(home, &requirements)?;
            for file in ["package.json", "package-lock.json"] {
                let copied = fs::copy(source.join(file), home.join(file));
                copied.map_err(|error| format!("{file}: {error}"))?;
            }
            npm_ci(home)
        },
    )?;
    std::path::absolute(venv.join("bin/python")).map_err(|error| error.to_string())
}

fn browser(totals: &mut Totals) -> Outcome {
    tools::install_test_runner()?;
    let mut tests = cargo("test --package countersign-frontend --target wasm32-unknown-unknown");
    tests
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
            "wasm-bindgen-test-runner",
        )
        .env("CHROMEDRIVER", "/usr/bin/chromedriver");
    count(&mut tests, totals, rust_line)
}

fn e2e(totals: &mut Totals) -> Outcome {
    if !Path::new(page::DIST).join("index.html").exists() {
        page::build()?;
    }
    run(&mut cargo(
        "build --package countersign-backend --bin countersign --example accounts",
    ))?;
    let home = Path::new("frontend/e2e");
    node_modules(home)?;
    let mut tests = command("npx");
    tests
        .args(["playwright", "test"])
        .current_dir(home)
        .env("COUNTERSIGN_BIN", target().join("debug/countersign"))
        .env("ACCOUNTS_BIN", target().join("debug/examples/accounts"));
    count(&mut tests, totals, playwright_line)
}
