//! `wasm-bindgen` for Trunk: its command line, around the library that does the work. The
//! original program also contains a test runner with a web server and client, and takes
//! twice as long to compile.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use wasm_bindgen_cli_support::Bindgen;

/// The version of the library, the crate in the page, and what Trunk checks.
const VERSION: &str = "0.2.130";

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program's answers"
)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["--version"] {
        println!("wasm-bindgen {VERSION}");
        return ExitCode::SUCCESS;
    }
    match generate(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn generate(arguments: &[String]) -> anyhow::Result<()> {
    let mut bindgen = Bindgen::new();
    // The library omits it, the original program does not.
    bindgen.omit_default_module_path(false);
    let mut directory = None;
    for argument in arguments {
        match argument.split_once('=').unwrap_or((argument, "")) {
            ("--target", "web") => drop(bindgen.web(true)?),
            ("--out-dir", path) => directory = Some(PathBuf::from(path)),
            ("--out-name", name) => drop(bindgen.out_name(name)),
            ("--no-typescript", "") => drop(bindgen.typescript(false)),
            ("--keep-debug", "") => drop(bindgen.keep_debug(true)),
            ("--no-demangle", "") => drop(bindgen.demangle(false)),
            (option, _) if option.starts_with("--") => {
                bail!(
                    "{argument} is not among the options that are passed on; see xtask/wasm-bindgen"
                )
            }
            _ => drop(bindgen.input_path(argument)),
        }
    }
    bindgen.generate(directory.context("--out-dir is missing")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trunk accepts only a program of the crate's exact version.
    #[test]
    fn the_version_is_that_of_the_page() {
        let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
        let lock = std::fs::read_to_string(lock).expect("the lock file");
        for package in ["wasm-bindgen", "wasm-bindgen-cli-support"] {
            let locked = format!("name = \"{package}\"\nversion = \"{VERSION}\"\n");
            assert!(lock.contains(&locked), "{package} is not {VERSION}");
        }
    }

    #[test]
    fn an_option_that_is_not_known_is_an_error() {
        let error = generate(&["--weak-refs".to_owned()]).expect_err("an option");
        assert!(error.to_string().contains("--weak-refs"));
    }
}
