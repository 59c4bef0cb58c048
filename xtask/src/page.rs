//! The page: built, compressed, and held to its size.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use crate::command::{Outcome, command, run, say};

/// Where trunk puts it (see `Trunk.toml`).
pub(crate) const DIST: &str = "frontend/dist";
/// What the page may weigh on its way to a browser, in bytes of brotli.
const BUDGET: usize = 100_000;
/// What counts, and what gets compressed.
const COUNTED: [&str; 4] = ["html", "css", "js", "wasm"];
const COMPRESSED: [&str; 6] = ["html", "css", "js", "wasm", "svg", "json"];

/// Builds it, and fails when it weighs too much.
pub(crate) fn build() -> Outcome {
    say("building the page");
    run(command("trunk")
        .args(["build", "--release", "--offline"])
        .env_remove("NO_COLOR"))?;
    compress(Path::new(DIST))
}

fn compress(dist: &Path) -> Outcome {
    let mut total = 0;
    for file in files(dist)? {
        let Some(extension) = file.extension().and_then(|extension| extension.to_str()) else {
            continue;
        };
        if !COMPRESSED.contains(&extension) {
            continue;
        }
        let mut content =
            fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        if extension == "js" {
            content = without_margins(&content);
            fs::write(&file, &content).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        let brotli = brotli(&content)?;
        write(&file, "br", &brotli)?;
        write(&file, "gz", &gzip(&content)?)?;
        if COUNTED.contains(&extension) {
            total += brotli.len();
            let name = file
                .strip_prefix(dist)
                .unwrap_or(&file)
                .display()
                .to_string();
            say(&format!("{:>9} {:>9}  {name}", content.len(), brotli.len()));
        }
    }
    say(&format!(
        "{total:>19}  bytes of brotli, of {BUDGET} allowed"
    ));
    match total {
        0 => Err(format!("there is no page in {}", dist.display())),
        1..=BUDGET => Ok(()),
        _ => Err(format!(
            "the page weighs {total} bytes in brotli, more than {BUDGET}"
        )),
    }
}

/// wasm-bindgen's glue without its indentation and its comments of whole lines: a
/// tenth of it. It has no text of several lines that could suffer.
fn without_margins(script: &[u8]) -> Vec<u8> {
    let is_comment = |line: &[u8]| line.starts_with(b"//") || line.starts_with(b"*");
    let mut all = Vec::with_capacity(script.len());
    for line in script.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        let one_line = line.starts_with(b"/*") && line.ends_with(b"*/");
        let is_kept = !line.is_empty() && !one_line && !is_comment(line);
        if is_kept && line != b"/**" {
            all.extend_from_slice(line);
            all.push(b'\n');
        }
    }
    all
}

fn files(directory: &Path) -> Outcome<Vec<PathBuf>> {
    let entries =
        fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut all = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            all.extend(files(&path)?);
        } else {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}

fn write(file: &Path, suffix: &str, content: &[u8]) -> Outcome {
    let path = format!("{}.{suffix}", file.display());
    fs::write(&path, content).map_err(|error| format!("{path}: {error}"))
}

fn brotli(content: &[u8]) -> Outcome<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        ..Default::default()
    };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &*content, &mut out, &parameters)
        .map_err(|error| format!("brotli: {error}"))?;
    Ok(out)
}

fn gzip(content: &[u8]) -> Outcome<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder
        .write_all(content)
        .and_then(|()| encoder.finish())
        .map_err(|error| format!("gzip: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that no compression makes smaller.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    fn weigh(name: &str, length: usize) -> Outcome {
        let dist = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&dist).expect("a directory");
        fs::write(dist.join("app.wasm"), noise(length)).expect("a file");
        let outcome = compress(&dist);
        fs::remove_dir_all(&dist).expect("the directory goes");
        outcome
    }

    #[test]
    fn scripts_lose_their_margins_and_nothing_else() {
        let script = b"/**\n * what\n */\nfunction f() {\n    // why\n    return 'a // b';\n}\n";
        assert_eq!(
            String::from_utf8_lossy(&without_margins(script)),
            "function f() {\nreturn 'a // b';\n}\n"
        );
    }

    #[test]
    fn a_page_over_the_budget_fails() {
        assert!(weigh("light", 90_000).is_ok());
        assert!(weigh("heavy", 101_000).is_err());
        assert!(weigh("none", 0).is_ok());
    }
}
