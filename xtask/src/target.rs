//! Cross-compiling static programs: what is needed besides the compiler.

use std::{path::Path, process::Command};

use crate::{
    command::{Outcome, TOOLS, cargo, command, exists, run, say},
    packages::{once, python_packages},
};

/// The default static target.
pub(crate) const X86_64: &str = "x86_64-unknown-linux-musl";

/// A `cargo build` for this target, which is installed if rustup is available.
pub(crate) fn build(triple: &str, words: &str) -> Outcome<Command> {
    if exists("rustup") {
        run(command("rustup").args(["target", "add", triple]))?;
    }
    let words = format!("{words} --target {triple}");
    if !triple.contains("musl") {
        return Ok(cargo(&format!("build {words}")));
    }
    // SQLite, ring and mimalloc contain C.
    if triple.starts_with(std::env::consts::ARCH) && exists("musl-gcc") {
        return Ok(cargo(&format!("build {words}")));
    }
    zig(&words)
}

/// Uses zig as C compiler and linker, which includes musl's headers for every architecture;
/// it is installed as a Python package.
fn zig(words: &str) -> Outcome<Command> {
    let home = Path::new(TOOLS).join("zig");
    let requirements = Path::new("xtask/zig.txt").to_owned();
    once(&home, std::slice::from_ref(&requirements), || {
        say("installing zig: 440 MB in target/tools");
        python_packages(&home, &requirements)
    })?;
    let programs = std::path::absolute(home.join("venv/bin")).map_err(|error| error.to_string())?;
    let mut build = cargo(&format!("zigbuild {words}"));
    let path = build
        .get_envs()
        .find(|(name, _)| *name == "PATH")
        .and_then(|(_, path)| path)
        .unwrap_or_default()
        .to_owned();
    let all = std::iter::once(programs).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(all).map_err(|error| error.to_string())?;
    build.env("PATH", path);
    Ok(build)
}
