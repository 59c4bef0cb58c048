//! Module dependencies point downwards only, as checked in the imports of this crate's
//! source. Between crates, Cargo enforces it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The layers of this crate, as drawn in `src/lib.rs`. A module imports only from lower
/// layers; two on the same layer do not know each other.
const LAYERS: [(&str, u8); 6] = [
    ("app", 7),
    ("config", 6),
    ("http", 5),
    ("verification", 4),
    ("proof", 3),
    ("logging", 3),
];

fn layer(module: &str) -> u8 {
    let known = LAYERS.iter().find(|(name, _)| *name == module);
    known.unwrap_or_else(|| panic!("{module} is on no layer")).1
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The paths below `crate` that a file names, in `use` trees and elsewhere.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: String = code.flat_map(|line| [line, "\n"]).collect();
    for (at, _) in code.match_indices("crate::") {
        // `countersign_…crate::` does not contain the keyword.
        let before = code[..at].chars().next_back();
        if before.is_some_and(|it| it.is_alphanumeric() || it == '_') {
            continue;
        }
        expand("", &code[at + "crate::".len()..], &mut found);
    }
    found
}

/// Parses one use tree; returns the text after it.
fn expand<'a>(prefix: &str, text: &'a str, found: &mut BTreeSet<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start();
            if let Some(rest) = rest.strip_prefix('}') {
                return rest;
            }
            rest = expand(prefix, rest, found).trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
    }
    let end = text.find(|it: char| !it.is_alphanumeric() && it != '_');
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let path = format!("{prefix}{name}");
    if let Some(rest) = rest.strip_prefix("::") {
        return expand(&format!("{path}::"), rest, found);
    }
    found.insert(path);
    // Skips an alias, up to the next item.
    let end = rest.find([',', '}', ';', '(', ')', '\n']);
    end.map_or("", |at| &rest[at..])
}

/// A file's module path: `http::routes::send`.
fn module_of(path: &Path, source: &Path) -> String {
    let relative = path.strip_prefix(source).unwrap().with_extension("");
    let parts: Vec<_> = relative.iter().map(|it| it.to_str().unwrap()).collect();
    parts.join("::")
}

fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&source).into_iter();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (module_of(&path, &source), imports(&text))
    };
    files
        .map(read)
        // The entry points of the program, and unit tests, may import anything.
        .filter(|(module, _)| module != "lib" && module != "main" && !module.ends_with("::tests"))
        .collect()
}

fn top_module(module: &str) -> &str {
    module.split("::").next().unwrap()
}

#[test]
fn no_import_points_up() {
    let graph = graph();
    assert!(graph.len() > 40, "{graph:?}");
    let mut arrows = 0;
    for (module, imports) in &graph {
        for import in imports {
            let (from, to) = (top_module(module), top_module(import));
            if from != to {
                arrows += 1;
                assert!(layer(to) < layer(from), "{module} imports crate::{import}");
            }
        }
    }
    assert!(arrows > 40, "{arrows}");
}

#[test]
fn only_the_application_reads_settings() {
    for (module, imports) in graph() {
        let import = imports.iter().find(|import| top_module(import) == "config");
        assert!(
            ["app", "config"].contains(&top_module(&module)) || import.is_none(),
            "{module} imports crate::{}",
            import.unwrap()
        );
    }
}

/// The part that a path belongs to: `http::routes` with everything below it is one, a
/// layer's own file another.
fn part(path: &str, modules: &BTreeSet<String>) -> String {
    let part = path.splitn(3, "::").take(2).collect::<Vec<_>>().join("::");
    if modules.contains(&part) {
        part
    } else {
        top_module(path).to_owned()
    }
}

#[test]
fn the_parts_of_a_layer_form_no_cycle() {
    let graph = graph();
    let modules: BTreeSet<String> = graph.keys().cloned().collect();
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, imports) in &graph {
        let from = part(module, &modules);
        let others = imports.iter().map(|import| part(import, &modules));
        // A layer's own file and its parts may import each other.
        let others =
            others.filter(|to| *to != from && *to != top_module(&from) && from != top_module(to));
        arrows.entry(from.clone()).or_default().extend(others);
    }
    assert!(arrows.len() > 20, "{arrows:?}");
    // Removes modules without remaining imports, until none is left; otherwise there is a
    // cycle.
    while let Some(free) = arrows
        .iter()
        .find(|(_, to)| to.iter().all(|to| !arrows.contains_key(to)))
        .map(|(from, _)| from.clone())
    {
        arrows.remove(&free);
    }
    assert!(arrows.is_empty(), "a circle: {arrows:#?}");
}

#[test]
fn imports_are_read_in_every_form() {
    let text = "use crate::{\n    a::{self, b::C, d as e},\n    f,\n};\n// crate::no\nfn g() { crate::h::i(); }\n";
    let found: Vec<_> = imports(text).into_iter().collect();
    assert_eq!(found, ["a::b::C", "a::d", "a::self", "f", "h::i"]);
}
