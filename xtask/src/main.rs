//! The project's commands: they install what is missing, then run.

mod bench;
mod command;
mod dist;
mod image;
mod lighthouse;
mod packages;
mod page;
mod programs;
mod rehearse;
mod run;
mod serve;
mod system_packages;
mod target;
mod test;
mod tools;

use std::process::ExitCode;

use command::{Outcome, say};

const HELP: &str = "cargo xtask run            build the page and start everything, in sandbox unless .env says otherwise
cargo xtask serve          the page with hot reload (trunk serve), beside cargo xtask run
cargo xtask accounts       the example of an application with accounts, beside the sandbox
cargo xtask test [step…]   every check and test, or the named steps only; --long adds those that take minutes
cargo xtask page           build the page and check its size
cargo xtask lighthouse     Lighthouse on the page, five times, and whether it is what we promise
cargo xtask rehearse       what attacks cost with each protection off and on, into docs/protection.md
cargo xtask bench [--quick]  what the service costs beside a bare pass-through, into docs/benchmarks.md
cargo xtask soak [minutes]   a mixed day over each store for that long; fails where memory or descriptors grow
cargo xtask dist [--sandbox] [target]  build one program that carries the page inside, and check it
cargo xtask image [--built] [target]   put both programs into container images, as OCI archives
cargo xtask help           this";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let outcome = enter_workspace().and_then(|()| match arguments.first().map(String::as_str) {
        Some("run") => run::run(),
        Some("serve") => serve::serve(rest),
        Some("accounts") => run::accounts(),
        Some("test") => test::test(rest),
        Some("page") => tools::install().and_then(|()| page::build()),
        // Trunk's hook (Trunk.toml), not for people.
        Some("finish-page") => page::finish(),
        Some("lighthouse") => tools::install()
            .and_then(|()| page::build())
            .and_then(|()| lighthouse::measure()),
        Some("rehearse") => rehearse::rehearse(rest),
        Some("bench") => bench::bench(rest),
        Some("soak") => bench::soak(rest),
        Some("dist") => dist::dist(rest),
        Some("image") => image::image(rest),
        None | Some("help" | "--help") => {
            say(HELP);
            say(&format!("\nsteps of test: {}", test::names()));
            Ok(())
        }
        Some(other) => Err(format!("no command {other}\n{HELP}")),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            say(&format!("xtask: {problem}"));
            ExitCode::FAILURE
        }
    }
}

/// Changes to the repository's root, to which all paths are relative.
fn enter_workspace() -> Outcome {
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    std::env::set_current_dir(top).map_err(|error| format!("cannot enter {top}: {error}"))
}
