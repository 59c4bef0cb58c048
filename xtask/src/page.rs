//! Builds and compresses the page, and checks its size.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
};

use crate::{
    command::{Outcome, calling_cargo, cargo, command, exists, run, say},
    packages::node_modules,
    programs,
};

/// Where the service finds the page. Trunk alone builds elsewhere (see `Trunk.toml`).
pub(crate) const DIST: &str = "frontend/dist";
/// Size budget of the page in bytes of brotli (ADR 26): 120,000, and a little for
/// paths of the build machine, which the program names.
const BUDGET: usize = 121_000;
/// The packer, which makes it smaller.
const PACK: &str = "frontend/pack";
/// Extensions of compressed files.
const COMPRESSED: [&str; 6] = ["html", "css", "js", "wasm", "svg", "json"];
/// The document that counts towards the budget: documents differ in their texts only.
const DOCUMENT: &str = "documents/en/enter-phone.html";

/// Builds it, and fails if it exceeds the budget.
pub(crate) fn build() -> Outcome {
    bundle()?;
    let total = compress(Path::new(DIST))?;
    if total > BUDGET {
        return Err(format!(
            "the page weighs {total} bytes in brotli, more than {BUDGET}"
        ));
    }
    Ok(())
}

/// Builds it without compressed versions, which take time and a local browser does not need.
pub(crate) fn bundle() -> Outcome {
    say("building the page");
    run(calling_cargo("trunk")
        .args(["build", "--release", "--offline", "--dist", DIST])
        .env_remove("NO_COLOR"))
}

/// Compiles the page's program by the command that Trunk gives, which then finds it compiled:
/// this can be done while Trunk itself is being built.
pub(crate) fn compile() -> Outcome {
    say("compiling the page");
    run(&mut cargo(
        "build --target=wasm32-unknown-unknown --manifest-path frontend/Cargo.toml \
         --profile wasm-release --bin countersign-frontend",
    ))
}

/// Trunk's `post_build` hook: packs a release build and prerenders its documents. In a
/// debug build it does nothing.
pub(crate) fn finish() -> Outcome {
    let hook = |name: &str| env::var(name).map_err(|_| format!("{name}: trunk sets it"));
    if hook("TRUNK_PROFILE")? != "release" {
        return Ok(());
    }
    let dist = PathBuf::from(hook("TRUNK_STAGING_DIR")?);
    if exists("npm") {
        pack(&dist)?;
    } else {
        say("without Node.js the page stays a tenth larger");
    }
    prerender(&dist)
}

/// Installs the packer's packages, if there is Node.js.
pub(crate) fn install_packer() -> Outcome {
    if !exists("npm") {
        return Ok(());
    }
    node_modules(Path::new(PACK))
}

/// Removes what browsers do not need.
fn pack(dist: &Path) -> Outcome {
    install_packer()?;
    run(command("node").arg(format!("{PACK}/pack.mjs")).arg(dist))
}

/// Prerenders the documents, by a separate build with the feature `ssr`; the page's own
/// build hydrates them.
fn prerender(dist: &Path) -> Outcome {
    programs::build(&[programs::PRERENDER])?;
    run(command(&programs::path(programs::PRERENDER).to_string_lossy()).arg(dist))
}

/// Writes compressed versions beside each file, and returns how many bytes of brotli a
/// browser loads.
fn compress(dist: &Path) -> Outcome<usize> {
    let mut total = 0;
    for file in files(dist)? {
        let Some(extension) = file.extension().and_then(|extension| extension.to_str()) else {
            continue;
        };
        if !COMPRESSED.contains(&extension) {
            continue;
        }
        let content = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let brotli = brotli(&content)?;
        write(&file, "br", &brotli)?;
        write(&file, "gz", &gzip(&content)?)?;
        let name = file.strip_prefix(dist).unwrap_or(&file);
        let is_loaded = match extension {
            "html" => name == Path::new(DOCUMENT),
            "css" | "js" | "wasm" => true,
            _ => false,
        };
        if is_loaded {
            total += brotli.len();
            let name = name.display();
            say(&format!("{:>9} {:>9}  {name}", content.len(), brotli.len()));
        }
    }
    say(&format!(
        "{total:>19}  bytes of brotli, of {BUDGET} allowed"
    ));
    if total == 0 {
        return Err(format!("there is no page in {}", dist.display()));
    }
    Ok(total)
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

    /// Incompressible bytes.
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

    fn weigh(name: &str, length: usize) -> Outcome<usize> {
        let dist = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&dist).expect("a directory");
        fs::write(dist.join("app.wasm"), noise(length)).expect("a file");
        let outcome = compress(&dist);
        fs::remove_dir_all(&dist).expect("the directory goes");
        outcome
    }

    #[test]
    fn the_weight_is_what_travels() {
        let weight = weigh("page", 50_000).expect("a page");
        assert!((50_000..51_000).contains(&weight), "{weight}");
    }
}
