//! Reads an image with the engines' own libraries: skopeo and umoci (`cargo xtask test`
//! installs them).

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

use countersign_image::image::Image;

fn image(name: &str) -> Image {
    Image {
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
        architecture: "amd64".to_owned(),
        program: b"#!/bin/sh\n".to_vec(),
        sbom: b"{}\n".to_vec(),
        licences: vec![("LICENSE.md".to_owned(), b"words\n".to_vec())],
        labels: vec![(
            "org.opencontainers.image.revision".to_owned(),
            "abc".to_owned(),
        )],
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output =
        output.unwrap_or_else(|error| panic!("{program}: {error}; cargo xtask test installs it"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_same_program_makes_the_same_bytes() {
    let first = image("countersign").archive().expect("an archive");
    let second = image("countersign").archive().expect("an archive");
    assert!(first == second);
    let other = Image {
        program: b"another".to_vec(),
        ..image("countersign")
    };
    assert!(other.archive().expect("an archive") != first);
}

#[test]
fn skopeo_reads_what_the_program_needs_to_run() {
    for (name, volume) in [("countersign", "/data"), ("countersign-sandbox", "/tmp")] {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("image.tar");
        fs::write(&file, image(name).archive().expect("an archive")).expect("a file");
        for transport in ["oci-archive", "docker-archive"] {
            let source = format!("{transport}:{}", file.display());
            let config = run("skopeo", &["inspect", "--config", &source]);
            let config: serde_json::Value = serde_json::from_str(&config).expect("JSON");
            assert_eq!(config["architecture"], "amd64");
            let config = &config["config"];
            assert_eq!(config["User"], "65532:65532");
            assert_eq!(
                config["Entrypoint"],
                serde_json::json!([format!("/{name}")])
            );
            assert!(config["Volumes"].get(volume).is_some(), "{config}");
            let labels = &config["Labels"];
            assert_eq!(
                labels["org.opencontainers.image.licenses"],
                "GPL-3.0-or-later"
            );
            assert_eq!(labels["org.opencontainers.image.revision"], "abc");
        }
        // skopeo omits fields that it does not know; Docker reads the JSON itself.
        let raw = format!("oci-archive:{}", file.display());
        let raw = run("skopeo", &["inspect", "--raw", "--config", &raw]);
        let raw: serde_json::Value = serde_json::from_str(&raw).expect("JSON");
        let test = &raw["config"]["Healthcheck"]["Test"];
        assert_eq!(
            test,
            &serde_json::json!(["CMD", format!("/{name}"), "--healthy"])
        );
    }
}

/// Path, permissions and owner of all entries below.
fn listed(root: &Path, below: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(below).expect("a directory") {
        let path = entry.expect("an entry").path();
        let metadata = fs::symlink_metadata(&path).expect("an entry");
        let name = path.strip_prefix(root).expect("below").display();
        let mode = metadata.permissions().mode() & 0o7777;
        found.push(format!("/{name} {mode:o} {}", metadata.uid()));
        if metadata.is_dir() {
            listed(root, &path, found);
        }
    }
}

#[test]
fn umoci_unpacks_the_program_its_certificates_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name).display().to_string();
    let archive = image("countersign").archive().expect("an archive");
    fs::write(at("image.tar"), archive).expect("a file");
    let (from, to) = (
        format!("oci-archive:{}", at("image.tar")),
        format!("oci:{}:test", at("layout")),
    );
    run("skopeo", &["copy", &from, &to]);
    run(
        "umoci",
        &[
            "unpack",
            "--rootless",
            "--image",
            &format!("{}:test", at("layout")),
            &at("bundle"),
        ],
    );
    let root = directory.path().join("bundle/rootfs");
    let mut found = Vec::new();
    listed(&root, &root, &mut found);
    found.sort();
    let me = fs::metadata(&root).expect("the root").uid();
    let expected = [
        "/countersign 755",
        "/data 700",
        "/etc 755",
        "/etc/ssl 755",
        "/etc/ssl/certs 755",
        "/etc/ssl/certs/ca-certificates.crt 644",
        "/sbom.cdx.json 644",
        "/usr 755",
        "/usr/share 755",
        "/usr/share/licenses 755",
        "/usr/share/licenses/countersign 755",
        "/usr/share/licenses/countersign/LICENSE.md 644",
    ]
    // Only root can create files of another owner.
    .map(|line| format!("{line} {me}"));
    assert_eq!(found, expected);
    let certificates = fs::read_to_string(root.join("etc/ssl/certs/ca-certificates.crt"));
    let certificates = certificates.expect("a file");
    assert!(
        certificates
            .matches("-----BEGIN CERTIFICATE-----\nMII")
            .count()
            > 100
    );
}

/// Listing by GNU tar: permissions, owner, size and time.
#[test]
fn only_the_place_of_the_store_belongs_to_the_user() {
    for (name, place) in [
        ("countersign", "drwx------"),
        ("countersign-sandbox", "drwxrwxrwt"),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name).display().to_string();
        fs::write(at("image.tar"), image(name).archive().expect("an archive")).expect("a file");
        let (from, to) = (
            format!("oci-archive:{}", at("image.tar")),
            format!("dir:{}", at("files")),
        );
        run("skopeo", &["copy", &from, &to]);
        let manifest = fs::read(at("files/manifest.json")).expect("a manifest");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
        let digest = manifest["layers"][0]["digest"].as_str().expect("a digest");
        let layer = at(&format!("files/{}", digest.trim_start_matches("sha256:")));
        let listed = run("tar", &["--numeric-owner", "--utc", "-tvzf", &layer]);
        for line in listed.lines() {
            let owner = if line.starts_with("drwx------") {
                " 65532/65532 "
            } else {
                " 0/0 "
            };
            assert!(line.contains(owner), "{line}");
            assert!(line.contains(" 1970-01-01 00:00 "), "{line}");
        }
        assert!(
            listed.lines().any(|line| line.starts_with(place)),
            "{listed}"
        );
    }
}

/// `deploy/Containerfile` makes the same image in an engine.
#[test]
fn the_container_file_says_the_same() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/Containerfile");
    let file = fs::read_to_string(path)
        .expect("the container file")
        .replace("\\\n", "");
    let directory = tempfile::tempdir().expect("a directory");
    let archive = directory.path().join("image.tar");
    fs::write(
        &archive,
        image("countersign").archive().expect("an archive"),
    )
    .expect("a file");
    let source = format!("oci-archive:{}", archive.display());
    let config = run("skopeo", &["inspect", "--raw", "--config", &source]);
    let config: serde_json::Value = serde_json::from_str(&config).expect("JSON");
    let config = &config["config"];
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let list = |value: &serde_json::Value| {
        serde_json::to_string(value)
            .expect("JSON")
            .replace(',', ", ")
    };
    let seconds = |name: &str| {
        let nanoseconds = config["Healthcheck"][name].as_u64().expect("a time");
        format!("{}s", nanoseconds / 1_000_000_000)
    };
    let mut said = vec![
        format!("USER {}", text(&config["User"])),
        format!("STOPSIGNAL {}", text(&config["StopSignal"])),
        format!("ENTRYPOINT {}", list(&config["Entrypoint"])),
        "EXPOSE 8080 9464".to_owned(),
        "VOLUME /data".to_owned(),
        format!("--interval={} ", seconds("Interval")),
        format!("--timeout={} ", seconds("Timeout")),
        format!("--start-period={} ", seconds("StartPeriod")),
        r#"CMD ["/countersign", "--healthy"]"#.to_owned(),
    ];
    said.extend(config["Env"].as_array().expect("a list").iter().map(text));
    for words in said {
        assert!(
            file.contains(&words),
            "{words} is not in the container file"
        );
    }
}
