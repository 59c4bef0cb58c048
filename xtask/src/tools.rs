//! Tools that build the page (the WASM target, trunk and wasm-bindgen), and tools that
//! check dependencies.

use std::{fs, path::Path};

use crate::{
    command::{Outcome, TOOLS, cargo, command, exists, output, run, say},
    programs,
};

/// The last trunk that this project's Rust can build.
const TRUNK: &str = "0.21.14";
const DENY: &str = "0.20.2";
const MACHETE: &str = "0.9.2";
/// Settings of a build that is made once: no debug information, and few units of code, which
/// together are less work than many.
const ONCE: [(&str, &str); 3] = [
    ("CARGO_PROFILE_DEV_DEBUG", "0"),
    ("CARGO_PROFILE_DEV_CODEGEN_UNITS", "4"),
    ("CARGO_PROFILE_DEV_BUILD_OVERRIDE_CODEGEN_UNITS", "4"),
];
const WASM: &str = "wasm32-unknown-unknown";

/// Installs the tools that check dependencies.
pub(crate) fn install_supply_checks() -> Outcome {
    tool("cargo-deny", "cargo-deny", DENY, "five minutes")?;
    tool("cargo-machete", "cargo-machete", MACHETE, "a minute")
}

/// Installs the tools that build the page.
pub(crate) fn install() -> Outcome {
    add_target()?;
    trunk()?;
    wasm_bindgen()
}

/// Installs Trunk, without what it needs to download other tools.
pub(crate) fn trunk() -> Outcome {
    let without = "trunk --no-default-features";
    tool("trunk", without, TRUNK, "two minutes")
}

/// Builds the program that Trunk calls, from wasm-bindgen's library alone.
pub(crate) fn wasm_bindgen() -> Outcome {
    let version = wasm_bindgen_version()?;
    if is_there("wasm-bindgen", &version) {
        return Ok(());
    }
    say("building wasm-bindgen");
    programs::build(&[programs::WASM_BINDGEN])?;
    let tools = Path::new(TOOLS).join("bin");
    // Under its own name the compiler would take it for an old version of the crate.
    let built = programs::path(programs::WASM_BINDGEN);
    let file = tools.join("wasm-bindgen");
    fs::create_dir_all(&tools)
        .and_then(|()| fs::copy(built, &file))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(())
}

/// Installs the tools that test the page's code in a browser.
pub(crate) fn install_test_runner() -> Outcome {
    let version = wasm_bindgen_version()?;
    let only = "wasm-bindgen-cli --bin wasm-bindgen-test-runner";
    tool("wasm-bindgen-test-runner", only, &version, "a minute")
}

fn wasm_bindgen_version() -> Outcome<String> {
    let lock = fs::read_to_string("Cargo.lock").map_err(|error| format!("Cargo.lock: {error}"))?;
    let version = locked_version(&lock, "wasm-bindgen").ok_or("Cargo.lock has no wasm-bindgen")?;
    Ok(version.to_owned())
}

/// Installs the compiler's library for the page.
pub(crate) fn add_target() -> Outcome {
    if !exists("rustup") {
        // Without rustup the toolchain must include the target.
        return Ok(());
    }
    let installed = output(command("rustup").args(["target", "list", "--installed"]))?;
    if installed.lines().any(|line| line == WASM) {
        return Ok(());
    }
    say("installing the WASM target");
    run(command("rustup").args(["target", "add", WASM]))
}

/// Installs a tool of an exact version, unless it is installed.
fn tool(program: &str, package: &str, version: &str, time: &str) -> Outcome {
    if is_there(program, version) {
        return Ok(());
    }
    say(&format!(
        "installing {package} {version} into {TOOLS}: about {time} on two cores"
    ));
    let root =
        std::path::absolute(Path::new(TOOLS)).map_err(|error| format!("{TOOLS}: {error}"))?;
    let at = format!("--root {}", root.display());
    if exists("cargo-binstall") {
        let name = package.split(' ').next().unwrap_or(package);
        let arguments = format!("binstall --no-confirm --force {at} {name}@{version}");
        if run(&mut cargo(&arguments)).is_ok() && is_there(program, version) {
            return Ok(());
        }
    }
    // A debug build is enough to bundle in seconds, and takes a third of the time.
    let build = format!("--target-dir {}", root.join("build").display());
    let install = format!("install --debug --force {at} {build} {package} --version {version}");
    if run(cargo(&format!("{install} --locked")).envs(ONCE)).is_err() {
        // Its lock file may name a version that has been yanked.
        say("once more, with newer dependencies");
        run(cargo(&install).envs(ONCE))?;
    }
    fs::remove_dir_all(root.join("build")).ok();
    if is_there(program, version) {
        Ok(())
    } else {
        Err(format!(
            "{package} {version} was installed and does not run"
        ))
    }
}

fn is_there(program: &str, version: &str) -> bool {
    // `trunk 0.21.14`; some tools print the number alone.
    output(command(program).arg("--version"))
        .is_ok_and(|answer| answer.split_whitespace().any(|word| word == version))
}

/// The version of a package in a `Cargo.lock`.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"\nversion = \"");
    let (_, after) = lock.split_once(&name)?;
    after.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_that_of_the_very_package() {
        let lock = "name = \"wasm-bindgen-macro\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked_version(lock, "trunk"), None);
    }
}
