//! The page as Lighthouse measures it.

use std::path::Path;

use crate::{
    command::{Outcome, cargo, command, run, target},
    packages::node_modules,
    system_packages,
};

/// Measures the built page with Lighthouse. Not a test: its figures depend on the machine's
/// load.
pub(crate) fn measure() -> Outcome {
    system_packages::install()?;
    run(&mut cargo(
        "build --release --package countersign-backend --bin countersign",
    ))?;
    let home = Path::new("frontend/lighthouse");
    node_modules(home)?;
    run(command("node")
        .arg("run.mjs")
        .current_dir(home)
        .env("COUNTERSIGN_BIN", target().join("release/countersign")))
}
