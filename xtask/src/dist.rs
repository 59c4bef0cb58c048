//! Distribution builds: one program with the page inside.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
};

use crate::{
    command::{Outcome, cargo, run, say, target},
    page,
    target::X86_64,
    tools,
};

/// A program that is distributed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// The service, without the sandbox.
    Service,
    /// The sandbox program.
    Sandbox,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Service => "countersign",
            Self::Sandbox => "countersign-sandbox",
        }
    }

    fn features(self) -> &'static str {
        match self {
            Self::Service => "embed-page",
            Self::Sandbox => "embed-page,sandbox",
        }
    }

    /// Path of the built program.
    pub(crate) fn path(self, triple: Option<&str>) -> PathBuf {
        target()
            .join(triple.unwrap_or_default())
            .join("dist")
            .join(self.name())
    }
}

/// Builds and checks a program, for another target if one is named. The sandbox program is
/// static, so that it runs anywhere.
pub(crate) fn dist(arguments: &[String]) -> Outcome {
    let (sandbox, targets): (Vec<_>, Vec<_>) = arguments
        .iter()
        .map(String::as_str)
        .partition(|word| *word == "--sandbox");
    let program = if sandbox.is_empty() {
        Program::Service
    } else {
        Program::Sandbox
    };
    let triple = match targets.as_slice() {
        [] => (program == Program::Sandbox).then_some(X86_64),
        [triple] => Some(*triple),
        _ => return Err("dist takes --sandbox and one target at most".to_owned()),
    };
    tools::install()?;
    page::build()?;
    build(program, triple).map(drop)
}

/// Builds it with the page that exists, and returns its path.
pub(crate) fn build(program: Program, triple: Option<&str>) -> Outcome<PathBuf> {
    let name = program.name();
    let words = format!(
        "--profile dist --package countersign-backend --bin {name} --no-default-features --features {}",
        program.features()
    );
    let mut cargo = match triple {
        Some(triple) => crate::target::build(triple, &words)?,
        None => cargo(&format!("build {words}")),
    };
    say(&format!("building {name}: some minutes on two cores"));
    run(&mut cargo)?;
    let file = program.path(triple);
    match triple {
        Some(triple) if !triple.starts_with(env::consts::ARCH) => {
            say(&format!("{name} was not started: it is for {triple}"));
        }
        _ => check(program, &file)?,
    }
    let size = fs::metadata(&file).map_err(|error| error.to_string())?;
    say(&format!("{} bytes  {}", size.len(), file.display()));
    Ok(file)
}

/// The program alone in an empty directory.
struct Alone {
    program: PathBuf,
    directory: PathBuf,
}

impl Drop for Alone {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).ok();
    }
}

impl Alone {
    fn command(&self, mode: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.directory)
            .env_clear()
            .env("PLIVO_MODE", mode)
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("METRICS_ADDR", "off")
            .env("TMPDIR", &self.directory)
            .stdin(Stdio::null());
        if mode == "live" {
            command
                .env("PLIVO_AUTH_ID", "MAXXXXXXXXXXXXXXXXXX")
                .env("PLIVO_AUTH_TOKEN", "none")
                // Unreachable on purpose: nothing is sent here.
                .env("PLIVO_BASE_URL", "http://127.0.0.1:9")
                .env("ALLOWED_COUNTRIES", "US")
                .env("SPEND_CAP", "off");
        }
        command
    }

    /// Its output, and whether it succeeded.
    fn says(&self, mode: &str, arguments: &[&str]) -> Outcome<(bool, String)> {
        let output = self.command(mode).args(arguments).output();
        let output = output.map_err(|error| error.to_string())?;
        let text = [output.stdout, output.stderr].concat();
        Ok((
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        ))
    }
}

/// Checks in an empty directory that it prints its version, refuses the other mode, and
/// serves the page.
fn check(program: Program, file: &Path) -> Outcome {
    let directory = env::temp_dir().join(format!("countersign-dist-{}", std::process::id()));
    let made = fs::create_dir_all(&directory);
    made.map_err(|error| format!("{}: {error}", directory.display()))?;
    let alone = Alone {
        program: directory.join(program.name()),
        directory,
    };
    let copied = fs::copy(file, &alone.program);
    copied.map_err(|error| format!("{}: {error}", file.display()))?;
    let expect = |(well, text): (bool, String), is_good: bool, word: &str| {
        if well == is_good && text.contains(word) {
            Ok(())
        } else {
            Err(format!("the program says: {text}"))
        }
    };
    expect(alone.says("live", &["--version"])?, true, program.name())?;
    match program {
        Program::Service => {
            expect(alone.says("live", &["--check-config"])?, true, "is fine")?;
            expect(
                alone.says("sandbox", &["--check-config"])?,
                false,
                "PLIVO_MODE",
            )?;
            serves_the_page(&alone, "live")
        }
        Program::Sandbox => {
            expect(alone.says("live", &[])?, false, "PLIVO_MODE")?;
            serves_the_page(&alone, "sandbox")
        }
    }
}

fn serves_the_page(alone: &Alone, mode: &str) -> Outcome {
    let mut running = Running::start(alone, mode)?;
    let index = running.get("/", "identity")?;
    let names = index.split(['"', '\'']).filter_map(|word| {
        let name = word.strip_prefix("./").or(word.strip_prefix('/'))?;
        let is_ours = name.starts_with("countersign-frontend-");
        is_ours.then(|| format!("/{name}"))
    });
    let mut files: Vec<String> = names.collect();
    files.sort();
    files.dedup();
    if !files.iter().any(|name| name.contains("_bg.wasm")) {
        return Err("the page inside names no program".to_owned());
    }
    for name in files.iter().map(String::as_str).chain(["/locales/de.json"]) {
        let answer = running.get(name, "br")?;
        if !answer.contains("content-encoding: br") {
            return Err(format!("{name} is not compressed"));
        }
        if name != "/locales/de.json" && !answer.contains("immutable") {
            return Err(format!("{name} is not kept"));
        }
    }
    say(&format!("{} files come from inside", files.len() + 1));
    Ok(())
}

/// A process that is killed when this is dropped.
struct Running {
    child: Child,
    address: String,
    /// Kept open, so that the process never blocks or fails on its log.
    log: BufReader<ChildStderr>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Running {
    fn start(alone: &Alone, mode: &str) -> Outcome<Self> {
        let mut command = alone.command(mode);
        // For the line with the address.
        command.env("RUST_LOG", "info");
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| error.to_string())?;
        let output = child.stderr.take().ok_or("it has no log")?;
        let mut running = Self {
            child,
            address: String::new(),
            log: BufReader::new(output),
        };
        let mut said = String::new();
        while let Ok(1..) = running.log.read_line(&mut said) {
            let address = said.split_once("listening on http://");
            if let Some((address, _)) = address.and_then(|(_, rest)| rest.split_once(' ')) {
                running.address = address.to_owned();
                return Ok(running);
            }
        }
        Err(format!("the program does not start: {said}"))
    }

    /// Gets an answer with status 200, its head in lower case.
    fn get(&mut self, path: &str, encoding: &str) -> Outcome<String> {
        let failed = |error: std::io::Error| format!("{path}: {error}");
        let mut stream = TcpStream::connect(&self.address).map_err(failed)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\naccept-encoding: {encoding}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).map_err(failed)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(failed)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        if answer.starts_with("HTTP/1.1 200") {
            Ok(answer)
        } else {
            let status = answer.lines().next().unwrap_or_default();
            Err(format!("{path}: {status}"))
        }
    }
}
