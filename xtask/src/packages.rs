//! Packages of Python and Node.js, installed where they are needed and once.

use std::{fs, path::Path};

use crate::command::{Outcome, command, run};

/// Installs a requirements file into a virtual environment in that directory.
pub(crate) fn python_packages(home: &Path, requirements: &Path) -> Outcome {
    let venv = home.join("venv");
    run(command("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&venv))?;
    run(command(&venv.join("bin/pip").display().to_string())
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .arg("--requirement")
        .arg(requirements))
}

/// Installs a directory's lock file.
pub(crate) fn npm_ci(directory: &Path) -> Outcome {
    let mut npm = command("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    run(npm
        .current_dir(directory)
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"))
}

/// Installs a directory's lock file into it, unless that was done.
pub(crate) fn node_modules(home: &Path) -> Outcome {
    let lock = home.join("package-lock.json");
    once(&home.join("node_modules"), &[lock], || npm_ci(home))
}

/// Does `work` if one of the files has changed since it was last done.
pub(crate) fn once(
    directory: &Path,
    files: &[std::path::PathBuf],
    work: impl FnOnce() -> Outcome,
) -> Outcome {
    let mut wanted = String::new();
    for file in files {
        wanted +=
            &fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let stamp = directory.join(".xtask-stamp");
    if fs::read_to_string(&stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    work()?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
}
