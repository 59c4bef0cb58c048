//! Programs for this machine, in the development profile.

use std::path::PathBuf;

use crate::command::{Outcome, cargo, run, target};

/// Cargo resolves features for all named packages, also where it builds one program: so what
/// the service, the prerenderer and wasm-bindgen have in common is compiled once. Prerendering
/// excludes the page's default feature.
const PACKAGES: &str = "--package countersign-backend --package countersign-frontend \
    --package countersign-wasm-bindgen --no-default-features \
    --features countersign-backend/default,countersign-frontend/ssr";

pub(crate) const SERVICE: &str = "countersign";
/// Renders the page's documents.
pub(crate) const PRERENDER: &str = "prerender";
pub(crate) const WASM_BINDGEN: &str = "countersign-wasm-bindgen";

/// Builds them.
pub(crate) fn build(programs: &[&str]) -> Outcome {
    let mut build = cargo(&format!("build {PACKAGES}"));
    for program in programs {
        build.args(["--bin", program]);
    }
    run(&mut build)
}

/// Path of a built program.
pub(crate) fn path(program: &str) -> PathBuf {
    target().join("debug").join(program)
}
