//! An image of one program, as an OCI layout in a tar archive. With `manifest.json` beside
//! the layout's index, Docker before version 25 can load it, too.

use std::io;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    certificates,
    layer::{self, Entry, USER},
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// A fixed timestamp.
const CREATED: &str = "1970-01-01T00:00:00Z";
const SECOND: u64 = 1_000_000_000;

/// Contents of an image.
pub struct Image {
    /// Name of the program and the image.
    pub name: String,
    /// The image's tag.
    pub version: String,
    /// Architecture in Go's names: `amd64` or `arm64`.
    pub architecture: String,
    /// The program, statically linked.
    pub program: Vec<u8>,
    /// Bill of materials, in `CycloneDX`.
    pub sbom: Vec<u8>,
    /// Licence texts by file name.
    pub licences: Vec<(String, Vec<u8>)>,
    /// Additional labels.
    pub labels: Vec<(String, String)>,
}

struct Blob {
    digest: String,
    content: Vec<u8>,
}

impl Blob {
    fn new(content: Vec<u8>) -> Self {
        Self {
            digest: sha256(&content),
            content,
        }
    }

    fn json(value: &Value) -> Self {
        Self::new(value.to_string().into_bytes())
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.digest)
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({
            "mediaType": media_type,
            "digest": format!("sha256:{}", self.digest),
            "size": self.content.len(),
        })
    }
}

/// In hexadecimal.
pub fn sha256(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Image {
    /// Builds the archive. The same contents give the same bytes.
    pub fn archive(&self) -> io::Result<Vec<u8>> {
        let tar = layer::tar(&self.entries())?;
        let layer = Blob::new(layer::gzip(&tar)?);
        let config = Blob::json(&self.config(&sha256(&tar)));
        let manifest = Blob::json(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(CONFIG),
            "layers": [layer.descriptor(LAYER)],
        }));
        let tag = format!("{}:{}", self.name, self.version);
        let mut described = manifest.descriptor(MANIFEST);
        described["platform"] = json!({"os": "linux", "architecture": self.architecture});
        described["annotations"] = json!({
            "org.opencontainers.image.ref.name": self.version,
            "io.containerd.image.name": format!("docker.io/library/{tag}"),
        });
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]});
        let for_docker = json!([{
            "Config": config.path(),
            "RepoTags": [tag],
            "Layers": [layer.path()],
        }]);
        let mut entries: Vec<Entry> = [
            ("oci-layout", json!({"imageLayoutVersion": "1.0.0"})),
            ("index.json", index),
            ("manifest.json", for_docker),
        ]
        .map(|(path, content)| Entry::file(path, content.to_string().into_bytes()))
        .into();
        entries.extend(["blobs", "blobs/sha256"].map(Entry::directory));
        entries
            .extend([layer, config, manifest].map(|blob| Entry::file(&blob.path(), blob.content)));
        layer::tar(&entries)
    }

    fn is_sandbox(&self) -> bool {
        self.name.ends_with("-sandbox")
    }

    fn entries(&self) -> Vec<Entry> {
        let licences = "usr/share/licenses/countersign";
        let mut entries: Vec<Entry> = [
            "etc",
            "etc/ssl",
            "etc/ssl/certs",
            "usr",
            "usr/share",
            "usr/share/licenses",
            licences,
        ]
        .map(Entry::directory)
        .into();
        entries.push(Entry::file(
            "etc/ssl/certs/ca-certificates.crt",
            certificates::pem(),
        ));
        for (name, text) in &self.licences {
            entries.push(Entry::file(&format!("{licences}/{name}"), text.clone()));
        }
        // The store: a volume for the service, temporary for the sandbox.
        entries.push(if self.is_sandbox() {
            Entry::directory("tmp").mode(0o1777)
        } else {
            Entry::directory("data").mode(0o700).of_user()
        });
        entries.push(Entry::file("sbom.cdx.json", self.sbom.clone()));
        entries.push(Entry::file(&self.name, self.program.clone()).mode(0o755));
        entries
    }

    fn config(&self, diff_id: &str) -> Value {
        let program = format!("/{}", self.name);
        let description = if self.is_sandbox() {
            "Countersign to try: phone verification with a pretend phone, nothing is sent"
        } else {
            "Phone verification by Plivo Verify: an API and a page"
        };
        let mut labels = json!({
            "org.opencontainers.image.title": self.name,
            "org.opencontainers.image.description": description,
            "org.opencontainers.image.version": self.version,
            "org.opencontainers.image.licenses": "GPL-3.0-or-later",
        });
        for (name, value) in &self.labels {
            labels[name] = value.as_str().into();
        }
        let mut env = vec!["LISTEN_ADDR=0.0.0.0:8080", "METRICS_ADDR=0.0.0.0:9464"];
        let volume = if self.is_sandbox() {
            "/tmp"
        } else {
            env.extend(["STORE_URL=sqlite:/data/countersign.db", "LOG_FORMAT=json"]);
            "/data"
        };
        env.push("MIMALLOC_PURGE_DELAY=0");
        json!({
            "created": CREATED,
            "architecture": self.architecture,
            "os": "linux",
            "config": {
                "User": format!("{USER}:{USER}"),
                "Env": env,
                "Entrypoint": [program],
                "ExposedPorts": {"8080/tcp": {}, "9464/tcp": {}},
                "Volumes": {volume: {}},
                "WorkingDir": "/",
                "Labels": labels,
                "StopSignal": "SIGTERM",
                // Docker's own health check: OCI has none, and other engines ignore it.
                "Healthcheck": {
                    "Test": ["CMD", program, "--healthy"],
                    "Interval": 10 * SECOND,
                    "Timeout": 5 * SECOND,
                    "StartPeriod": 10 * SECOND,
                    "Retries": 3,
                },
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{diff_id}")]},
            "history": [{"created": CREATED, "created_by": "cargo xtask image"}],
        })
    }
}
