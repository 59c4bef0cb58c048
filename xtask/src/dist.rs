//! One program to give away: the page is inside, and no file is needed beside it.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
};

use crate::{
    command::{Outcome, cargo, command, exists, run, say, target},
    page, tools,
};

const BUILD: &str = "build --profile dist --package countersign-backend --bin countersign \
                     --no-default-features --features embed-page";

/// Builds it, for another target where one is named, and looks whether it does what
/// it is for.
pub(crate) fn dist(arguments: &[String]) -> Outcome {
    tools::install()?;
    page::build()?;
    let (words, program) = match arguments {
        [] => (BUILD.to_owned(), target().join("dist/countersign")),
        [triple] => {
            prepare(triple)?;
            let program = target().join(triple).join("dist/countersign");
            (format!("{BUILD} --target {triple}"), program)
        }
        _ => return Err("dist takes one target at most".to_owned()),
    };
    say("building the program: some minutes on two cores");
    run(&mut cargo(&words))?;
    check(&program)?;
    let size = fs::metadata(&program).map_err(|error| error.to_string())?;
    say(&format!("{} bytes  {}", size.len(), program.display()));
    Ok(())
}

/// What a target needs beside the compiler.
fn prepare(triple: &str) -> Outcome {
    if exists("rustup") {
        run(command("rustup").args(["target", "add", triple]))?;
    }
    // SQLite and ring have parts in C.
    if triple.contains("musl") && !exists("musl-gcc") {
        return Err("musl-gcc is missing; on Debian: apt-get install musl-tools".to_owned());
    }
    Ok(())
}

/// The program in a directory of its own where nothing else is.
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
            .stdin(Stdio::null());
        if mode == "live" {
            command
                .env("PLIVO_AUTH_ID", "MAXXXXXXXXXXXXXXXXXX")
                .env("PLIVO_AUTH_TOKEN", "none")
                // Nobody is asked: nothing is sent here.
                .env("PLIVO_BASE_URL", "http://127.0.0.1:9")
                .env("ALLOWED_COUNTRIES", "US");
        }
        command
    }

    /// What it says, and whether it ended well.
    fn says(&self, mode: &str, argument: &str) -> Outcome<(bool, String)> {
        let output = self.command(mode).arg(argument).output();
        let output = output.map_err(|error| error.to_string())?;
        let text = [output.stdout, output.stderr].concat();
        Ok((
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        ))
    }
}

/// Copied to an empty directory it says what it is, refuses the sandbox that it
/// does not carry, and serves the page.
fn check(program: &Path) -> Outcome {
    let directory = env::temp_dir().join(format!("countersign-dist-{}", std::process::id()));
    let made = fs::create_dir_all(&directory);
    made.map_err(|error| format!("{}: {error}", directory.display()))?;
    let alone = Alone {
        program: directory.join("countersign"),
        directory,
    };
    let copied = fs::copy(program, &alone.program);
    copied.map_err(|error| format!("{}: {error}", program.display()))?;
    let expect = |(well, text): (bool, String), is_good: bool, word: &str| {
        if well == is_good && text.contains(word) {
            Ok(())
        } else {
            Err(format!("the program says: {text}"))
        }
    };
    expect(alone.says("live", "--version")?, true, "countersign ")?;
    expect(alone.says("live", "--check-config")?, true, "is fine")?;
    expect(
        alone.says("sandbox", "--check-config")?,
        false,
        "PLIVO_MODE",
    )?;
    serves_the_page(&alone)
}

fn serves_the_page(alone: &Alone) -> Outcome {
    let mut running = Running::start(alone)?;
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

/// It runs as long as this lives.
struct Running {
    child: Child,
    address: String,
    /// It must not stop for a reader that is gone.
    log: BufReader<ChildStderr>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Running {
    fn start(alone: &Alone) -> Outcome<Self> {
        let mut command = alone.command("live");
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

    /// An answer with status 200, its head in small letters.
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
