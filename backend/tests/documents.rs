//! Checks documents and the operator's files against the source.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use countersign_backend::config::variables::VARIABLES;

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

/// The parts of `docs/configuration.md`, each with the variable that it begins with.
const PARTS: [(&str, &str); 9] = [
    ("Addresses", "LISTEN_ADDR"),
    ("Plivo", "PLIVO_MODE"),
    ("Store and keys", "STORE_URL"),
    ("Proofs", "PROOF_ISSUER"),
    ("Codes and where they go", "OTP_LENGTH"),
    ("Applications and callers", "APPLICATIONS_FILE"),
    ("Limits", "LIMIT_SENDS_PER_NUMBER"),
    ("Fraud and money", "KNOWN_NUMBERS_FOR"),
    ("Page, message and log", "BRAND_NAME"),
];

/// `docs/configuration.md`, from the table of variables.
fn configuration() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         Everything is set by environment variables, or by a file `.env` in the working directory; the environment wins. If one\n\
         is missing, malformed or contradictory, the service does not start and names it in one line.\n\
         `countersign --check-config` says so beforehand, `countersign --help` prints this page, and\n\
         [`.env.example`](../.env.example) is the same as a file to start from. Where `NAME_FILE` is offered, it names a file that\n\
         holds the value.\n\n\
         Times are a number and a unit (`30s`, `10m`, `1h`, `90d`), quotas a count in a time (`5/10m`), several between commas.\n\n\
         This page is the program's own table: a test holds the two together.\n",
    );
    for variable in VARIABLES {
        if let Some((title, _)) = PARTS.iter().find(|(_, first)| *first == variable.name) {
            text += &format!("\n## {title}\n\n| variable | default | |\n|---|---|---|\n");
        }
        let file = if variable.from_file {
            format!(", `{}_FILE`", variable.name)
        } else {
            String::new()
        };
        let default = variable.default.map(|default| format!("`{default}`"));
        text += &format!(
            "| `{}`{file} | {} | {} |\n",
            variable.name,
            default.unwrap_or_default(),
            variable.meaning.replace('|', "\\|")
        );
    }
    text
}

/// `UPDATE_DOCUMENTS=1` writes it.
#[test]
fn the_page_of_variables_is_the_table() {
    let expected = configuration();
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(Path::new(TOP).join("docs/configuration.md"), &expected).unwrap();
    }
    assert_eq!(read("docs/configuration.md"), expected);
    for (title, first) in PARTS {
        let is_there = VARIABLES.iter().any(|it| it.name == first);
        assert!(is_there, "{title} begins with {first}");
    }
}

/// What a line says to be the default of a variable: in a table's second column, or in
/// brackets behind its name, or before its name in brackets.
fn defaults_said(line: &str, name: &str) -> Vec<String> {
    let quoted_name = format!("`{name}`");
    let mut said = Vec::new();
    if let Some(rest) = line.strip_prefix(&format!("| {quoted_name} | `")) {
        said.extend(rest.split('`').next());
    }
    for (at, _) in line.match_indices(&quoted_name) {
        let (before, behind) = (&line[..at], &line[at + quoted_name.len()..]);
        let value = behind
            .strip_prefix(" (`")
            .and_then(|it| it.split('`').next());
        said.extend(value);
        let words = before
            .strip_suffix(" (")
            .and_then(|it| it.rsplit(' ').next());
        said.extend(words.filter(|it| it.bytes().all(|byte| byte.is_ascii_digit())));
    }
    said.into_iter().map(str::to_owned).collect()
}

#[test]
fn defaults_that_are_repeated_elsewhere_are_right() {
    let documents = fs::read_dir(Path::new(TOP).join("docs")).unwrap();
    let names = documents.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let documents: Vec<String> = names
        .filter(|name| Path::new(name).extension().is_some_and(|it| it == "md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    let mut count = 0;
    for document in documents {
        for line in read(&document).lines() {
            for variable in VARIABLES {
                let Some(default) = variable.default else {
                    continue;
                };
                for said in defaults_said(line, variable.name) {
                    assert_eq!(said, default, "{} in {document}", variable.name);
                    count += 1;
                }
            }
        }
    }
    assert!(count > 20, "{count}");
}

/// Each variable that a document names is one.
#[test]
fn documents_name_variables_that_there_are() {
    for document in ["docs/limits.md", "docs/protection.md", "docs/operate.md"] {
        for word in quoted(&read(document)) {
            let begins = [
                "LIMIT_",
                "CONVERSION_",
                "SPEND_",
                "PLIVO_",
                "PROOF_",
                "KNOWN_",
            ];
            if begins.iter().any(|begin| word.starts_with(begin))
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
            {
                let name = word.strip_suffix("_FILE").unwrap_or(&word);
                let is_known = VARIABLES
                    .iter()
                    .any(|it| it.name == word || it.name == name);
                assert!(is_known || word.ends_with('_'), "{word} in {document}");
            }
        }
    }
}
