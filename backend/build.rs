//! Packs Swagger UI and the documents into the program, and the built page, where the
//! feature `embed-page` asks for it: a table of its files, each with its compressed siblings.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where trunk puts the page, seen from this crate.
const DIST: &str = "../frontend/dist";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var_os("OUT_DIR").expect("cargo names it");
    let out = Path::new(&out);
    swagger_ui(out);
    documents(out);
    if env::var_os("CARGO_FEATURE_EMBED_PAGE").is_none() {
        return;
    }
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join(DIST);
    println!("cargo::rerun-if-changed={}", dist.display());
    let files = files(&dist);
    // A check of the code needs no page; what people are given needs one.
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    assert!(
        !is_release || files.contains(&dist.join("index.html")),
        "there is no page in {}; cargo xtask dist builds it first",
        dist.display()
    );
    let table = table(&dist, &files);
    fs::write(out.join("page.rs"), table).expect("cargo made the directory");
}

/// Takes the two files that a page needs out of their crate, compressed as they are in it.
/// The crate as a dependency of the program would bring all of them, three times as much.
fn swagger_ui(out: &Path) {
    let config = Arc::new(utoipa_swagger_ui::Config::from(""));
    for name in ["swagger-ui-bundle.js", "swagger-ui.css"] {
        let file = utoipa_swagger_ui::serve(name, config.clone());
        let file = file.expect("no file needs the configuration");
        let file = file.unwrap_or_else(|| panic!("{name} is not in Swagger UI's crate"));
        assert!(file.gzpipped, "the feature gzip is on");
        fs::write(out.join(format!("{name}.gz")), file.bytes).expect("cargo made the directory");
    }
}

/// Writes a table of the repository's documents, each as its path there and its text.
fn documents(out: &Path) {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let names = ["README", "CHANGELOG", "CONTRIBUTING", "LICENSE", "SECURITY"];
    let mut documents: Vec<PathBuf> = names.map(|name| top.join(name).with_extension("md")).into();
    documents.push(top.join("docs/llms.txt"));
    let others = files(&top.join("docs")).into_iter();
    documents.extend(others.filter(|file| file.extension().is_some_and(|it| it == "md")));
    println!("cargo::rerun-if-changed={}", top.join("docs").display());
    let mut table = String::from("&[\n");
    for file in &documents {
        println!("cargo::rerun-if-changed={}", file.display());
        let path = file.strip_prefix(&top).expect("it was found there");
        let words: Vec<_> = path.iter().map(|word| word.to_string_lossy()).collect();
        let file = file.to_str().expect("the place of the source is text");
        table += &format!("    ({:?}, include_str!({file:?})),\n", words.join("/"));
    }
    fs::write(out.join("documents.rs"), table + "]\n").expect("cargo made the directory");
}

/// All files below a directory; none where there is no such directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let entries = fs::read_dir(directory).into_iter().flatten();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// The expression that the program includes: the path as browsers write it, the
/// content, and the siblings that are there.
fn table(dist: &Path, files: &[PathBuf]) -> String {
    let is_sibling = |file: &Path| {
        let plain = file.with_extension("");
        let extension = file.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("br" | "gz")) && files.contains(&plain)
    };
    let include = |file: &Path| {
        let path = file.to_str().expect("trunk names files in ASCII");
        format!("include_bytes!({path:?})")
    };
    let sibling = |file: &Path, suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        let path = PathBuf::from(name);
        if files.contains(&path) {
            format!("Some({})", include(&path))
        } else {
            "None".to_owned()
        }
    };
    let mut text = String::from("&[\n");
    for file in files.iter().filter(|file| !is_sibling(file)) {
        let below = file.strip_prefix(dist).expect("it was found there");
        let words: Vec<_> = below.iter().map(|word| word.to_string_lossy()).collect();
        let path = format!("/{}", words.join("/"));
        text += &format!(
            "    CarriedFile {{ path: {path:?}, plain: {}, brotli: {}, gzip: {} }},\n",
            include(file),
            sibling(file, ".br"),
            sibling(file, ".gz"),
        );
    }
    text + "]\n"
}
