//! Checks documents and the operator's files against the source.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn read(path: &str) -> String {
    let path = Path::new(TOP).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text of every source file of the service.
fn source() -> Vec<String> {
    fn below(directory: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .flat_map(|path| {
                if path.is_dir() {
                    below(&path)
                } else {
                    vec![path]
                }
            })
            .collect()
    }
    let crates = ["", "core/", "metrics/", "platform/", "plivo/", "store/"];
    let crates = crates.map(|name| Path::new(TOP).join(format!("backend/{name}src")));
    let files: Vec<PathBuf> = crates.iter().flat_map(|source| below(source)).collect();
    let files = files
        .iter()
        .filter(|file| file.extension().is_some_and(|it| it == "rs"));
    files
        .map(|file| fs::read_to_string(file).unwrap())
        .collect()
}

/// An event's levels and its fields.
type Event = (BTreeSet<String>, BTreeSet<String>);

/// Every `log::info!(event = "…", field = …; "…")` in the source.
fn logged() -> BTreeMap<String, Event> {
    let mut events = BTreeMap::<String, Event>::new();
    for text in source() {
        for call in text.split("log::").skip(1) {
            let Some((level, rest)) = call.split_once("!(") else {
                continue;
            };
            let Some((fields, _)) = rest.split_once(';') else {
                continue;
            };
            let Some((_, name)) = fields.split_once("event = \"") else {
                continue;
            };
            let (name, fields) = name.split_once('"').unwrap();
            let names = fields.split(" = ").collect::<Vec<_>>();
            let names = names[..names.len() - 1].iter().map(|before| {
                let word = before.rsplit([' ', ',', '\n']).next().unwrap();
                // `name:%` is formatted with `Display`.
                word.split(':').next().unwrap().to_owned()
            });
            let event = events.entry(name.to_owned()).or_default();
            event.0.insert(level.to_owned());
            event.1.extend(names);
        }
    }
    events
}

/// The words in backquotes.
fn quoted(cell: &str) -> BTreeSet<String> {
    let words = cell.split('`').skip(1).step_by(2);
    words.map(str::to_owned).collect()
}

/// The rows of the table: the event, its levels, its fields in backquotes, when.
fn documented() -> BTreeMap<String, Event> {
    let document = read("docs/logs.md");
    let rows = document.lines().filter_map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, event, levels, fields, _, _] = cells[..] else {
            return None;
        };
        let name = quoted(event).pop_first()?;
        let levels = levels.split(", ").map(str::to_owned).collect();
        Some((name, (levels, quoted(fields))))
    });
    rows.collect()
}

#[test]
fn every_event_is_documented_with_its_fields() {
    let (logged, documented) = (logged(), documented());
    assert!(logged.len() > 10, "{logged:?}");
    for (name, event) in &logged {
        assert_eq!(documented.get(name), Some(event), "{name} in docs/logs.md");
    }
    for name in documented.keys() {
        assert!(logged.contains_key(name), "{name} is logged nowhere");
    }
}

/// Every event in the operator's documents must exist.
#[test]
fn the_playbook_names_events_that_are_logged() {
    let known = logged();
    let is_event = |word: &String| {
        let begins = [
            "otp.",
            "store.",
            "server.",
            "upstream.",
            "proof.",
            "callback.",
            "circuit_breaker.",
            "clock.",
            "rate_limit.",
            "spend.",
            "conversion.",
        ];
        begins.iter().any(|begin| word.starts_with(begin))
            && word
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'.' | b'_'))
    };
    for document in ["docs/operate.md", "docs/failure-modes.md"] {
        let words = quoted(&read(document));
        for word in words.iter().filter(|word| is_event(word)) {
            assert!(known.contains_key(word), "{word} in {document}");
        }
    }
}

/// The words that begin like one of our metrics, without the suffixes that Prometheus
/// adds to a metric's name.
fn metrics_named(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in text.split("countersign_").skip(1) {
        let end = rest.find(|it: char| !it.is_ascii_lowercase() && it != '_');
        let mut name = &rest[..end.unwrap_or(rest.len())];
        for suffix in ["_bucket", "_count", "_sum", "_total", "_seconds"] {
            name = name.strip_suffix(suffix).unwrap_or(name);
        }
        names.insert(name.to_owned());
    }
    // A prefix that stands for all of them.
    names.remove("");
    names
}

#[test]
fn the_dashboard_and_the_alerts_use_existing_metrics() {
    let source = read("backend/metrics/src/lib.rs") + &read("backend/metrics/src/money.rs");
    for file in [
        "deploy/grafana/countersign.json",
        "deploy/prometheus/countersign.rules.yml",
        "docs/operate.md",
        "docs/failure-modes.md",
    ] {
        let names = metrics_named(&read(file));
        assert!(names.len() > 3, "{file}: {names:?}");
        for name in names {
            assert!(source.contains(&format!("\"{name}\"")), "{name} in {file}");
        }
    }
}

#[test]
fn every_alert_links_to_a_section_of_the_playbook() {
    let (rules, playbook) = (
        read("deploy/prometheus/countersign.rules.yml"),
        read("docs/operate.md"),
    );
    let headings: BTreeSet<String> = playbook
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(str::to_lowercase)
        .collect();
    let links = rules.split("runbook_url: docs/operate.md#").skip(1);
    let links: Vec<&str> = links.filter_map(|rest| rest.lines().next()).collect();
    assert_eq!(links.len(), rules.matches("- alert: ").count());
    for link in links {
        assert!(headings.contains(link), "{link} in docs/operate.md");
    }
}

#[test]
fn the_dashboard_is_valid() {
    let board: serde_json::Value =
        serde_json::from_str(&read("deploy/grafana/countersign.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let shown = panels.iter().filter(|panel| panel["type"] != "row");
    for panel in shown {
        assert!(
            panel["targets"][0]["expr"].is_string(),
            "{}",
            panel["title"]
        );
    }
}
