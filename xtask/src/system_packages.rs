//! Debian packages that the tests need.

use std::path::Path;

use crate::command::{Outcome, command, exists, output, run, say};

/// Programs, and the Debian packages that contain them.
const NEEDED: [(&str, &str); 13] = [
    ("/usr/bin/chromium", "chromium"),
    ("/usr/bin/chromedriver", "chromium-driver"),
    ("/usr/bin/python3", "python3-venv"),
    ("/usr/bin/redis-server", "redis-server"),
    ("/usr/bin/caddy", "caddy"),
    ("/usr/sbin/nginx", "nginx-light"),
    ("/usr/bin/promtool", "prometheus"),
    ("/usr/bin/openssl", "openssl"),
    ("/usr/bin/skopeo", "skopeo"),
    ("/usr/bin/umoci", "umoci"),
    ("/usr/bin/musl-gcc", "musl-tools"),
    ("/usr/bin/ruby", "ruby"),
    ("/usr/bin/ruby", "ruby-jwt"),
];

/// Installs missing packages if permitted; otherwise prints how.
pub(crate) fn install() -> Outcome {
    if !["cc", "gcc"].into_iter().any(exists) {
        return Err("there is no C compiler; on Debian: apt-get install gcc libc6-dev".to_owned());
    }
    check_node()?;
    let missing: Vec<&str> = NEEDED
        .into_iter()
        .filter(|(program, package)| !Path::new(program).exists() || !is_whole(package))
        .map(|(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!(
        "apt-get install -y --no-install-recommends {}",
        missing.join(" ")
    );
    let is_root = output(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !is_root || !exists("apt-get") {
        return Err(format!("packages are missing; run: sudo {install}"));
    }
    say(&format!("installing {}", missing.join(", ")));
    run(command("apt-get").arg("update"))?;
    let mut words = install.split_whitespace();
    let mut apt = command(words.next().unwrap_or_default());
    run(apt.args(words).env("DEBIAN_FRONTEND", "noninteractive"))?;
    match NEEDED
        .iter()
        .find(|(program, _)| !Path::new(program).exists())
    {
        None => Ok(()),
        Some((program, package)) => Err(format!(
            "{package} was installed without {program}; on Ubuntu it is a snap only: use Debian's package"
        )),
    }
}

/// Whether what a package adds to a program is there: Debian's Python lacks virtual
/// environments, and Ruby the library that checks proofs.
fn is_whole(package: &str) -> bool {
    let (program, arguments) = match package {
        "python3-venv" => ("python3", ["-c", "import ensurepip, venv"]),
        "ruby-jwt" => ("ruby", ["-e", "require 'jwt'"]),
        _ => return true,
    };
    output(command(program).args(arguments)).is_ok()
}

fn check_node() -> Outcome {
    let version = output(command("node").arg("--version")).unwrap_or_default();
    match major(&version) {
        Some(20..) => Ok(()),
        _ => Err("the tests need Node.js 20 or newer (https://nodejs.org)".to_owned()),
    }
}

fn major(version: &str) -> Option<u32> {
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(major("v20.19.1\n"), Some(20));
        assert_eq!(major(""), None);
    }
}
