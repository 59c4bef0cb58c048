//! API keys of applications: how they are created, and that no log shows one.

use std::process::Command;

use serde_json::{Value, json};

use countersign_test_support::http;

use super::Program;

/// A new key for that application as printed by the program, and its hash.
fn new_key(program: &Program, id: &str) -> (String, String) {
    let output = program
        .command(&[])
        .args(["--new-key", id])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stdout).unwrap();
    let line = |prefix: &str| {
        let line = said.lines().find(|line| line.starts_with(prefix));
        line.unwrap_or_else(|| panic!("{said}")).to_owned()
    };
    (line("csk_"), line("sha256:"))
}

#[test]
fn a_key_is_printed_once_with_its_hash_and_is_another_each_time() {
    let program = Program::new("new-key");
    let (key, hash) = new_key(&program, "shop");
    assert!(key.starts_with("csk_shop_"), "{key}");
    let (other, other_hash) = new_key(&program, "shop");
    assert!(key != other && hash != other_hash);
    // Nothing is stored.
    assert_eq!(std::fs::read_dir(&program.directory).unwrap().count(), 0);
    for wrong in ["Shop", "", "a_b"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        let output = command.args(["--new-key", wrong]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{wrong}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn an_invalid_applications_file_is_one_line_that_shows_no_key() {
    let program = Program::new("applications");
    let (key, hash) = new_key(&program, "shop");
    let write = |text: &str| {
        std::fs::write(program.directory.join("applications.toml"), text).unwrap();
    };
    let settings = [
        ("PLIVO_MODE", "sandbox"),
        ("APPLICATIONS_FILE", "applications.toml"),
    ];
    assert!(program.refuses(&settings).contains("APPLICATIONS_FILE"));
    for text in [
        format!("[[application]]\nid = \"shop\"\nkey_hashes = [\"{key}\"]"),
        format!("[[application]]\nid = \"shop\"\nkey_hashes = \"{key}\""),
        format!("key = \"{key}\""),
        key.clone(),
    ] {
        write(&text);
        let refusal = program.refuses(&settings);
        assert!(
            refusal.contains("APPLICATIONS_FILE: applications.toml"),
            "{refusal}"
        );
        assert!(!refusal.contains(&key[9..]), "{refusal}");
    }
    write(&format!(
        "[[application]]\nid = \"shop\"\nkey_hashes = [\"{hash}\"]"
    ));
    let both = [settings[0], settings[1], ("BRAND_NAME", "Acme")];
    let refusal = program.refuses(&both);
    assert!(
        refusal.contains("BRAND_NAME") && refusal.contains("APPLICATIONS_FILE"),
        "{refusal}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = program.directory.join("applications.toml");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        let refusal = program.refuses(&settings);
        assert!(
            refusal.contains("APPLICATIONS_FILE") && refusal.contains("write"),
            "{refusal}"
        );
    }
}

#[test]
fn no_log_line_shows_a_key_and_a_leaked_one_is_reported_by_application() {
    let program = Program::new("keys-in-the-log");
    let (key, hash) = new_key(&program, "default");
    let settings = [("API_KEY_HASHES", hash.as_str()), ("RUST_LOG", "trace")];
    let running = program.start(&settings);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let http = http();
        let url = format!("http://{}/api/otp/send", running.address);
        let body = json!({"recipient": "+14155550123", "end_user": {"address": "203.0.113.7"}});
        for (authorization, origin, status) in [
            (format!("Bearer {key}"), None, 200),
            (format!("Bearer {key}"), Some("https://shop.example"), 403),
            (format!("Bearer {key}0"), None, 401),
        ] {
            let request = http
                .post(&url)
                .header("authorization", authorization)
                .json(&body);
            let request = match origin {
                Some(origin) => request.header("origin", origin),
                None => request,
            };
            assert_eq!(request.send().await.unwrap().status(), status);
        }
    });
    let (_, log) = running.terminate();
    let log: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let secret = &key[12..];
    assert!(
        log.iter().all(|line| !line.to_string().contains(secret)),
        "{log:#?}"
    );
    let of = |event: &str| {
        log.iter()
            .filter(|it| it["event"] == event)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("key.from_browser")[0]["application"], "default");
    assert_eq!(of("key.rejected").len(), 1);
    assert!(log.iter().all(|it| !it.to_string().contains("203.0.113.7")));
}

#[test]
fn the_start_logs_who_may_introspect_proofs() {
    let program = Program::new("introspection");
    let (_, hash) = new_key(&program, "default");
    let live = [
        ("PLIVO_MODE", "live"),
        ("PLIVO_AUTH_ID", "MAXX"),
        ("PLIVO_AUTH_TOKEN", "test_auth_token"),
        ("PLIVO_BASE_URL", "http://127.0.0.1:9"),
        ("ALLOWED_COUNTRIES", "US"),
        ("SPEND_CAP", "off"),
    ];
    let keyed = [("API_KEY_HASHES", hash.as_str())];
    for (settings, said) in [
        (&[][..], Some("introspection.open")),
        (&live, Some("introspection.closed")),
        (&keyed, None),
    ] {
        let (_, log) = program.start(settings).terminate();
        let lines = log.lines().filter(|line| line.contains("\"introspection."));
        let lines: Vec<&str> = lines.collect();
        match said {
            Some(event) => assert!(lines.len() == 1 && lines[0].contains(event), "{log}"),
            None => assert!(lines.is_empty(), "{log}"),
        }
    }
}
