//! Writes the image of one program; `cargo xtask image` builds the program first.

use std::{fs, path::Path, process::ExitCode};

use countersign_image::{
    image::{Image, sha256},
    sbom::{FORMAT, Tree},
};

const USAGE: &str = "countersign-image PROGRAM TARGET DIRECTORY [LABEL=VALUE…]: an OCI archive, its SBOM and checksums";
const LICENCES: [&str; 4] = [
    "LICENSE.md",
    "LICENSE-APACHE",
    "LICENSE-GPL-3.0",
    "LICENSE-MIT",
];

#[expect(clippy::print_stdout, reason = "a program's answers")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let written = match arguments.as_slice() {
        [program, target, directory, labels @ ..] => {
            write(Path::new(program), target, Path::new(directory), labels)
        }
        _ => Err(USAGE.to_owned()),
    };
    match written {
        Ok(lines) => {
            println!("{lines}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            println!("countersign-image: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn write(
    program: &Path,
    target: &str,
    directory: &Path,
    labels: &[String],
) -> Result<String, String> {
    let architecture = match target.split('-').next() {
        Some("x86_64") => "amd64",
        Some("aarch64") => "arm64",
        _ => return Err(format!("no image is made for {target}")),
    };
    let name = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let labels = labels.iter().map(|label| {
        let (name, value) = label.split_once('=').ok_or(USAGE)?;
        Ok((name.to_owned(), value.to_owned()))
    });
    let licences = LICENCES.map(|name| Ok((name.to_owned(), read(Path::new(name))?)));
    let sbom = sbom(&name, target)?;
    let image = Image {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        architecture: architecture.to_owned(),
        program: read(program)?,
        sbom: sbom.clone(),
        licences: licences.into_iter().collect::<Result<_, String>>()?,
        labels: labels.collect::<Result<_, String>>()?,
        name,
    };
    let archive = image.archive().map_err(|error| error.to_string())?;
    let stem = format!("{}-{}-{architecture}", image.name, image.version);
    let files = [
        (format!("{stem}.oci.tar"), archive),
        (format!("{stem}.cdx.json"), sbom),
    ];
    fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let lines = files.into_iter().map(|(name, content)| {
        let path = directory.join(&name);
        fs::write(&path, &content).map_err(|error| format!("{}: {error}", path.display()))?;
        // In the format of sha256sum.
        Ok(format!("{}  {name}", sha256(&content)))
    });
    let lines: Vec<String> = lines.collect::<Result<_, String>>()?;
    Ok(lines.join("\n"))
}

/// The crates of the program and of the pages inside it.
fn sbom(name: &str, target: &str) -> Result<Vec<u8>, String> {
    let features = match name {
        "countersign-sandbox" => "embed-page,sandbox",
        _ => "embed-page",
    };
    let features = ["--no-default-features", "--features", features];
    let mut tree = Tree::default();
    tree.add(&cargo_tree(
        "countersign-backend",
        target,
        "normal",
        &features,
    )?)?;
    tree.add(&cargo_tree(
        "countersign-frontend",
        "wasm32-unknown-unknown",
        "normal",
        &[],
    )?)?;
    // The page at /api/docs comes out of a build dependency.
    tree.add(&cargo_tree(
        "utoipa-swagger-ui-vendored",
        target,
        "build",
        &[],
    )?)?;
    let lock = String::from_utf8_lossy(&read(Path::new("Cargo.lock"))?).into_owned();
    let bill = tree.bill(name, &lock, &output("rustc", &["--version"])?);
    Ok(format!("{bill:#}\n").into_bytes())
}

fn cargo_tree(
    package: &str,
    target: &str,
    edges: &str,
    features: &[&str],
) -> Result<String, String> {
    let edges = format!("{edges},no-proc-macro");
    let edges = ["--edges", &edges];
    let of = ["tree", "--locked", "--package", package, "--target", target];
    output(
        "cargo",
        &[of.as_slice(), &edges, &FORMAT, features].concat(),
    )
}

fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = std::process::Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!(
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
