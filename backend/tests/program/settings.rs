//! Settings: how they are read, refused and checked.

use std::io::Read;

use countersign_test_support::{SECRET_KEY, of};

use super::Program;

#[test]
fn an_invalid_setting_is_reported_in_one_line_with_its_name() {
    let program = Program::new("mistakes");
    let refusal = program.refuses(&[]);
    assert!(
        refusal.contains("PLIVO_MODE") && refusal.contains("sandbox"),
        "{refusal}"
    );
    let live = [
        ("PLIVO_MODE", "live"),
        ("PLIVO_AUTH_ID", "MAXX"),
        ("PLIVO_AUTH_TOKEN", "test_auth_token"),
    ];
    assert!(program.refuses(&live).contains("ALLOWED_COUNTRIES"));
    let live = [&live[..], &[("ALLOWED_COUNTRIES", "US")]].concat();
    assert!(program.refuses(&live).contains("SPEND_CAP"));
    let both = [
        ("PLIVO_MODE", "sandbox"),
        ("PLIVO_AUTH_TOKEN", "test_auth_token"),
    ];
    let refusal = program.refuses(&both);
    assert!(refusal.contains("PLIVO_AUTH_TOKEN") && !refusal.contains("test_auth_token"));
    let page = [("PLIVO_MODE", "sandbox"), ("PAGE_DIR", "/nowhere")];
    assert!(program.refuses(&page).contains("PAGE_DIR"));
    std::fs::write(
        program.directory.join(".env"),
        "PLIVO_AUTH_TOKEN 'test_auth_token",
    )
    .unwrap();
    let refusal = program.refuses(&[("PLIVO_MODE", "sandbox")]);
    assert!(
        refusal.contains(".env") && !refusal.contains("test_auth_token"),
        "{refusal}"
    );
}

#[test]
fn an_invalid_setting_is_reported_in_the_format_of_the_log() {
    let program = Program::new("mistakes-as-json");
    let refusal = program.refuses(&[("LOG_FORMAT", "json")]);
    let line: serde_json::Value = serde_json::from_str(&refusal).unwrap();
    assert_eq!(line["event"], "server.failed");
    // One in the format itself is reported as text.
    let refusal = program.refuses(&[("PLIVO_MODE", "sandbox"), ("LOG_FORMAT", "xml")]);
    assert!(refusal.contains("LOG_FORMAT"), "{refusal}");
}

/// The result of `--check-config`: standard output, standard error and exit code.
pub(super) fn checked(
    program: &Program,
    settings: &[(&str, &str)],
) -> (String, String, Option<i32>) {
    let mut command = program.command(settings);
    let output = command.arg("--check-config").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code(),
    )
}

/// Checks that `--check-config` refuses with one line, and returns it.
pub(super) fn check_refuses(program: &Program, settings: &[(&str, &str)]) -> String {
    let (stdout, stderr, code) = checked(program, settings);
    assert_eq!((stdout.as_str(), code), ("", Some(1)), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

fn check_agrees(program: &Program, settings: &[(&str, &str)]) {
    let (stdout, stderr, code) = checked(program, settings);
    assert_eq!(
        (stdout.as_str(), code),
        ("configuration is fine\n", Some(0)),
        "{stderr}"
    );
}

#[test]
fn check_config_reports_what_a_start_would_and_changes_nothing() {
    let program = Program::new("check");
    let page = program.directory.join("page");
    std::fs::create_dir(&page).unwrap();
    std::fs::write(page.join("index.html"), "<title>x</title>").unwrap();
    let page = page.to_str().unwrap();
    let good = [("PLIVO_MODE", "sandbox"), ("PAGE_DIR", page)];
    let with = |more: (&'static str, &'static str)| [&good[..], &[more]].concat();
    let files = || std::fs::read_dir(&program.directory).unwrap().count();

    assert!(check_refuses(&program, &[]).contains("PLIVO_MODE"));
    check_agrees(&program, &good);
    assert_eq!(files(), 1, "nothing is made");
    for (name, value) in [
        ("PAGE_DIR", "/nowhere"),
        ("THEME_FILE", "/nowhere/theme.css"),
        ("PROOF_SIGNING_KEYS_FILE", "/nowhere/keys.json"),
        ("SECRET_KEY_FILE", "/nowhere/secret"),
        ("STORE_URL", "sqlite:page/index.html/countersign.db"),
    ] {
        let refusal = check_refuses(&program, &with((name, value)));
        let variable = name.strip_suffix("_FILE").unwrap_or(name);
        assert!(refusal.contains(variable), "{refusal}");
    }

    // While the service is running.
    let running = program.start(&good);
    let address = running.address.clone();
    let mut beside = good.to_vec();
    beside.push(("LISTEN_ADDR", &address));
    check_agrees(&program, &beside);
    running.terminate();
    check_agrees(&program, &good);

    let key = SECRET_KEY;
    let refusal = check_refuses(&program, &with(("SECRET_KEY", key)));
    assert!(
        refusal.contains("another key") && !refusal.contains(key),
        "{refusal}"
    );
    std::fs::write(program.directory.join("data/proof-keys.json"), "{}").unwrap();
    let refusal = check_refuses(&program, &good);
    assert!(refusal.contains("PROOF_SIGNING_KEYS_FILE"), "{refusal}");
    std::fs::remove_file(program.directory.join("data/secret.key")).unwrap();
    assert!(check_refuses(&program, &good).contains("SECRET_KEY"));
    std::fs::write(program.directory.join("other"), "no database at all").unwrap();
    let other = with(("STORE_URL", "sqlite:other"));
    let key = [&other[..], &[("SECRET_KEY", key)]].concat();
    assert!(check_refuses(&program, &key).contains("damaged"));
}

#[test]
fn check_config_connects_to_redis() {
    let program = Program::new("check-redis");
    let mut server = redis_test_server::RedisServer::start();
    let url = server.url();
    let settings = [
        ("PLIVO_MODE", "sandbox"),
        ("STORE_URL", url.as_str()),
        ("SECRET_KEY", SECRET_KEY),
        ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
        ("PROOF_ISSUER", "https://verify.example.com"),
    ];
    assert!(check_refuses(&program, &settings[..3]).contains("PROOF_SIGNING_KEYS_FILE"));
    // Without an issuer in common, two instances would not accept each other's proofs.
    assert!(check_refuses(&program, &settings[..4]).contains("PUBLIC_URL"));
    assert!(program.refuses(&settings[..4]).contains("PROOF_ISSUER"));
    let made = program
        .command(&settings)
        .arg("--rotate-proof-key")
        .output();
    assert_eq!(made.unwrap().status.code(), Some(0));
    check_agrees(&program, &settings);
    server.kill();
    assert!(check_refuses(&program, &settings).contains("STORE_URL"));
}

#[test]
fn a_listening_address_in_use_is_reported() {
    let program = Program::new("taken");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refusal = program.refuses(&[("PLIVO_MODE", "sandbox"), ("LISTEN_ADDR", &address)]);
    assert!(
        refusal.contains("LISTEN_ADDR") && refusal.contains(&address),
        "{refusal}"
    );
    let refusal = program.refuses(&[("PLIVO_MODE", "sandbox"), ("METRICS_ADDR", &address)]);
    assert!(
        refusal.contains("METRICS_ADDR") && refusal.contains("off"),
        "{refusal}"
    );
}

#[test]
fn the_env_file_is_read_and_the_environment_wins() {
    let program = Program::new("env-file");
    let file = "PLIVO_MODE=live\nBRAND_NAME=\"From the file\"\n";
    std::fs::write(program.directory.join(".env"), file).unwrap();
    let running = program.start(&[]);
    let mut answer = String::new();
    let mut socket = std::net::TcpStream::connect(&running.address).unwrap();
    let request = "GET /api/config HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    std::io::Write::write_all(&mut socket, request.as_bytes()).unwrap();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("From the file"));
    running.terminate();
}

#[test]
fn help_lists_every_variable() {
    let program = Program::new("help");
    let help = program.command(&[]).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for variable in countersign_backend::config::variables::VARIABLES {
        assert!(help.contains(variable.name));
    }
    assert_eq!(
        program
            .command(&[])
            .arg("--zebra")
            .output()
            .unwrap()
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn a_store_without_its_key_prevents_the_start() {
    let program = Program::new("key");
    program.start(&[]).terminate();
    std::fs::remove_file(program.directory.join("data/secret.key")).unwrap();
    let refusal = program.refuses(&[("PLIVO_MODE", "sandbox")]);
    assert!(
        refusal.contains("SECRET_KEY") && refusal.contains("secret.key"),
        "{refusal}"
    );
    let short = [("PLIVO_MODE", "sandbox"), ("SECRET_KEY", "c2hvcnQ=")];
    let refusal = program.refuses(&short);
    assert!(
        refusal.contains("SECRET_KEY") && !refusal.contains("c2hvcnQ="),
        "{refusal}"
    );
    let elsewhere = [("PLIVO_MODE", "sandbox"), ("STORE_URL", "mysql://x")];
    assert!(program.refuses(&elsewhere).contains("STORE_URL"));
}

#[test]
fn values_in_quotes_are_refused_in_one_line() {
    let program = Program::new("quotes");
    for (name, value) in [
        ("PLIVO_MODE", "\"sandbox\""),
        ("BRAND_NAME", "\"Acme Inc\""),
        ("BRAND_NAME", "'Acme'"),
        ("ALLOWED_COUNTRIES", "\"US,GB\""),
        ("LISTEN_ADDR", "'127.0.0.1:0'"),
        ("SECRET_KEY_FILE", "\"secret\""),
        ("PUBLIC_URL", "\"\""),
        ("RUST_LOG", "'info'"),
        ("PROOF_AUDIENCE", "\"shop\""),
        ("METRICS_ADDR", "\"off\""),
    ] {
        let (stdout, stderr, code) = checked(&program, &[("PLIVO_MODE", "sandbox"), (name, value)]);
        assert_eq!(
            (stdout.as_str(), code),
            ("", Some(1)),
            "{name}={value}: {stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        let variable = name.strip_suffix("_FILE").unwrap_or(name);
        assert!(
            stderr.contains(variable) && stderr.contains("quotes"),
            "{stderr}"
        );
    }
    // Quotes inside a value are allowed.
    let (_, stderr, code) = checked(
        &program,
        &[
            ("PLIVO_MODE", "sandbox"),
            ("BRAND_NAME", "The \"Acme\" Shop"),
        ],
    );
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn the_start_prints_the_issuer_as_proofs_name_it() {
    let program = Program::new("issuer");
    for (settings, issuer) in [
        (
            &[("PROOF_ISSUER", "https://verify.example.com/")][..],
            Some("https://verify.example.com"),
        ),
        (
            &[("PUBLIC_URL", "https://verify.example.com/")],
            Some("https://verify.example.com"),
        ),
        (&[], None),
    ] {
        let (running, before) = program.start_logged(settings);
        let started = of(&before, "server.started")[0];
        let own = format!("http://{}", running.address);
        assert_eq!(started["issuer"], issuer.unwrap_or(&own));
        running.terminate();
    }
}
