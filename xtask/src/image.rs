//! Container images of both programs, without a container engine.

use std::{
    env,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    command::{Outcome, cargo, command, output, run, say, target},
    dist::{self, Program},
    page,
    target::X86_64,
    tools,
};

/// Directory of the archives.
pub(crate) fn directory() -> PathBuf {
    target().join("image")
}

/// Builds both programs for a static target (`x86_64` by default) and puts each into an OCI
/// archive; with `--built`, uses programs that are already built.
pub(crate) fn image(arguments: &[String]) -> Outcome {
    let is_built = arguments.iter().any(|word| word == "--built");
    let labels: Vec<&String> = arguments.iter().filter(|word| word.contains('=')).collect();
    let rest = arguments
        .iter()
        .filter(|word| *word != "--built" && !word.contains('='));
    let triple = match rest.collect::<Vec<_>>().as_slice() {
        [] => X86_64.to_owned(),
        [triple] if triple.contains("musl") => (*triple).clone(),
        _ => {
            return Err(
                "image takes one musl target at most, --built, and labels: name=value".to_owned(),
            );
        }
    };
    if !is_built {
        tools::install()?;
        page::build()?;
    }
    let mut checksums = String::new();
    for program in [Program::Service, Program::Sandbox] {
        let file = if is_built {
            program.path(Some(&triple))
        } else {
            dist::build(program, Some(&triple))?
        };
        let mut write = cargo("run --quiet --package countersign-image --");
        write.arg(file).arg(&triple).arg(directory()).args(&labels);
        // Errors are on cargo's standard error, or else in the result.
        checksums += &output(&mut write)?;
    }
    let list = directory().join("SHA256SUMS");
    std::fs::write(&list, &checksums).map_err(|error| format!("{}: {error}", list.display()))?;
    say(&format!("{checksums}in {}", directory().display()));
    say("docker load --input, podman load --input, skopeo copy oci-archive:");
    Ok(())
}

/// Unpacks the sandbox's image with standard tools, runs its program as the image's user,
/// and waits until it is healthy.
pub(crate) fn check() -> Outcome {
    if output(command("id").arg("-u"))?.trim() != "0" {
        say("the image was not run: that takes root's rights");
        return Ok(());
    }
    let place = Unpacked::new()?;
    let archive = format!(
        "{}/countersign-sandbox-{}-amd64.oci.tar",
        directory().display(),
        env!("CARGO_PKG_VERSION")
    );
    let layout = format!("{}:it", place.path("layout"));
    run(command("skopeo")
        .args(["copy", "--quiet"])
        .args([format!("oci-archive:{archive}"), format!("oci:{layout}")]))?;
    run(command("umoci").args(["unpack", "--image", &layout, &place.path("bundle")]))?;
    let root = place.path("bundle/rootfs");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = free.map_err(|error| error.to_string())?.to_string();
    let inside = |arguments: &[&str]| {
        let mut command = Command::new("/usr/sbin/chroot");
        command
            .args(["--userspec=65532:65532", &root, "/countersign-sandbox"])
            .args(arguments)
            .env_clear()
            .env("LISTEN_ADDR", &address)
            .env("METRICS_ADDR", "off")
            .stdout(Stdio::null());
        command
    };
    let child = inside(&[]).spawn().map_err(|error| error.to_string())?;
    let mut running = Running(child);
    let started = Instant::now();
    while !inside(&["--healthy"])
        .status()
        .is_ok_and(|status| status.success())
    {
        let has_ended = running
            .0
            .try_wait()
            .map_err(|error| error.to_string())?
            .is_some();
        if has_ended || started.elapsed() > Duration::from_secs(30) {
            return Err("the program in the image does not become healthy".to_owned());
        }
        thread::sleep(Duration::from_millis(100));
    }
    say(&format!(
        "the image's program is healthy as user 65532 in a root of {root}"
    ));
    Ok(())
}

/// A directory that is removed on drop.
struct Unpacked(PathBuf);

impl Unpacked {
    fn new() -> Outcome<Self> {
        let directory = env::temp_dir().join(format!("countersign-image-{}", std::process::id()));
        std::fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        Ok(Self(directory))
    }

    fn path(&self, name: &str) -> String {
        Path::new(&self.0).join(name).display().to_string()
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
