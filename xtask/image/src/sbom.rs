//! The software bill of materials, in `CycloneDX` 1.5: every crate compiled into the
//! program and its page, with licence and checksum.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// Format of `cargo tree`: one package per line after its depth.
pub const FORMAT: [&str; 4] = ["--prefix", "depth", "--format", "{p}|{l}"];

/// Name and version.
type Package = (String, String);

/// Packages and their dependencies.
#[derive(Default)]
pub struct Tree {
    packages: BTreeMap<Package, Found>,
    root: Option<Package>,
}

#[derive(Default)]
struct Found {
    licence: String,
    depends_on: BTreeSet<Package>,
}

impl Tree {
    /// Adds the output of `cargo tree`; the first package of all is the bill's subject.
    pub fn add(&mut self, printed: &str) -> Result<(), String> {
        let mut above: Vec<Package> = Vec::new();
        for line in printed.lines().filter(|line| !line.is_empty()) {
            let (depth, package, licence) =
                parse(line).ok_or_else(|| format!("cargo tree says: {line}"))?;
            above.truncate(depth);
            if let Some(found) = above
                .last()
                .and_then(|parent| self.packages.get_mut(parent))
            {
                found.depends_on.insert(package.clone());
            }
            self.root.get_or_insert_with(|| package.clone());
            self.packages.entry(package.clone()).or_default().licence =
                licence.replace('/', " OR ");
            above.push(package);
        }
        Ok(())
    }

    /// The bill of `name`, with the checksums of `Cargo.lock`.
    pub fn bill(&self, name: &str, lock: &str, compiler: &str) -> Value {
        let root = self.root.clone().unwrap_or_default();
        let checksums = checksums(lock);
        let components = self
            .packages
            .iter()
            .filter(|(package, _)| **package != root);
        let components: Vec<Value> = components
            .map(|(package, found)| component(package, found, checksums.get(package)))
            .chain([standard_library(compiler)])
            .collect();
        let dependencies = self.packages.iter().map(|(package, found)| {
            let on: Vec<String> = found.depends_on.iter().map(purl).collect();
            json!({"ref": purl(package), "dependsOn": on})
        });
        json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": {"component": {
                "type": "application",
                "bom-ref": purl(&root),
                "name": name,
                "version": root.1,
                "licenses": [{"expression": "GPL-3.0-or-later"}],
            }},
            "components": components,
            "dependencies": dependencies.collect::<Vec<Value>>(),
        })
    }
}

/// `2serde v1.0.228 (proc-macro)|MIT OR Apache-2.0 (*)`
fn parse(line: &str) -> Option<(usize, Package, &str)> {
    let digits = line.find(|letter: char| !letter.is_ascii_digit())?;
    let (depth, rest) = line.split_at(digits);
    let (package, licence) = rest.split_once('|')?;
    let mut words = package.split_whitespace();
    let name = words.next()?.to_owned();
    let version = words.next()?.strip_prefix('v')?.to_owned();
    let licence = licence.trim_end_matches("(*)").trim();
    Some((depth.parse().ok()?, (name, version), licence))
}

fn component((name, version): &Package, found: &Found, checksum: Option<&String>) -> Value {
    let purl = purl(&(name.clone(), version.clone()));
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
    });
    if !found.licence.is_empty() {
        component["licenses"] = json!([{"expression": found.licence}]);
    }
    if let Some(checksum) = checksum {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

fn purl((name, version): &Package) -> String {
    format!("pkg:cargo/{name}@{version}")
}

/// `rustc 1.95.0 (…)`: the standard library comes with the compiler, and with musl.
fn standard_library(compiler: &str) -> Value {
    let version = compiler.split_whitespace().nth(1).unwrap_or_default();
    json!({
        "type": "library",
        "bom-ref": format!("rust-std@{version}"),
        "name": "rust-std",
        "version": version,
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
    })
}

/// The packages in a `Cargo.lock` from a registry.
fn checksums(lock: &str) -> BTreeMap<Package, String> {
    let field = |package: &str, name: &str| {
        let (_, after) = package.split_once(&format!("\n{name} = \""))?;
        after.split('"').next().map(str::to_owned)
    };
    let packages = lock.split("[[package]]").filter_map(|package| {
        let of = (field(package, "name")?, field(package, "version")?);
        Some((of, field(package, "checksum")?))
    });
    packages.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "0top v0.1.0 (/somewhere/of/mine)|GPL-3.0-or-later\n\
                           1left v1.2.3|MIT/Apache-2.0\n\
                           2deep v0.4.0|ISC\n\
                           1right v2.0.0|\n\
                           2deep v0.4.0|ISC (*)\n";
    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"deep\"\nversion = \"0.4.0\"\nchecksum = \"abc\"\n\n\
                        [[package]]\nname = \"top\"\nversion = \"0.1.0\"\n";

    #[test]
    fn the_bill_lists_each_crate_once_with_licence_checksum_and_dependants() {
        let mut tree = Tree::default();
        tree.add(PRINTED).expect("lines of cargo tree");
        let bill = tree.bill("program", LOCK, "rustc 1.95.0 (hash date)");
        let components = bill["components"].as_array().expect("a list");
        let names: Vec<_> = components.iter().map(|it| it["name"].as_str()).collect();
        let names: Vec<&str> = names.into_iter().flatten().collect();
        assert_eq!(names, ["deep", "left", "right", "rust-std"]);
        assert_eq!(bill["components"][0]["hashes"][0]["content"], "abc");
        assert_eq!(
            bill["components"][1]["licenses"][0]["expression"],
            "MIT OR Apache-2.0"
        );
        assert!(bill["components"][2].get("licenses").is_none());
        let right = &bill["dependencies"][2];
        assert_eq!(right["dependsOn"], json!(["pkg:cargo/deep@0.4.0"]));
        assert_eq!(bill["metadata"]["component"]["version"], "0.1.0");
        assert!(!bill.to_string().contains("mine"), "a path of the machine");
    }

    #[test]
    fn another_form_of_line_is_an_error_and_not_a_shorter_bill() {
        assert!(Tree::default().add("deep v0.4.0\n").is_err());
    }
}
