//! The program as an operator meets it: how it starts, refuses to, logs and
//! ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use hostile::{Fault, Hostile};

#[expect(dead_code, reason = "the tests of the API use the rest")]
#[path = "api/hostile.rs"]
mod hostile;
#[path = "program/operators.rs"]
mod operators;

/// The program in an empty directory, with nothing in its environment.
struct Program {
    directory: PathBuf,
}

impl Program {
    fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("countersign-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Self { directory }
    }

    fn command(&self, settings: &[(&str, &str)]) -> Command {
        self.prepared(Command::new(env!("CARGO_BIN_EXE_countersign")), settings)
    }

    fn prepared(&self, mut command: Command, settings: &[(&str, &str)]) -> Command {
        command
            .env_clear()
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("METRICS_ADDR", "off")
            .env("SHUTDOWN_GRACE", "0s")
            .envs(settings.iter().copied())
            .current_dir(&self.directory);
        command
    }

    /// The same, ended with another status where it starts after all.
    fn not_for_long(&self, settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new("/usr/bin/timeout");
        command.args(["20", env!("CARGO_BIN_EXE_countersign")]);
        self.prepared(command, settings)
    }

    fn refuses(&self, settings: &[(&str, &str)]) -> String {
        let Output {
            status,
            stderr,
            stdout,
        } = self.not_for_long(settings).output().unwrap();
        assert_eq!(status.code(), Some(1));
        assert!(stdout.is_empty());
        let text = String::from_utf8(stderr).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

/// The running program, and the lines of its log.
struct Running {
    child: Child,
    /// Read all the while: a full pipe would hold the program up.
    log: std::thread::JoinHandle<Vec<String>>,
    address: String,
}

impl Running {
    fn start(program: &Program, settings: &[(&str, &str)]) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        Self::start_by(program, command, settings)
    }

    fn start_by(program: &Program, command: Command, settings: &[(&str, &str)]) -> Self {
        Self::started(program, command, settings).0
    }

    /// The same, and what was logged until it had started.
    fn start_logged(program: &Program, settings: &[(&str, &str)]) -> (Self, Vec<Value>) {
        let command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        Self::started(program, command, settings)
    }

    fn started(
        program: &Program,
        command: Command,
        settings: &[(&str, &str)],
    ) -> (Self, Vec<Value>) {
        let mut command = program.prepared(command, settings);
        command.env("LOG_FORMAT", "json");
        if settings.iter().all(|(name, _)| *name != "PLIVO_MODE") {
            command.env("PLIVO_MODE", "sandbox");
        }
        // Of nothing here may it hold the test runner's own output open.
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut before = Vec::new();
        let address = lines.find_map(|line| {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let started = line["event"] == "server.started";
            let address = started.then(|| line["address"].as_str().unwrap().to_owned());
            before.push(line);
            address
        });
        let running = Self {
            child,
            log: std::thread::spawn(|| lines.map_while(Result::ok).collect()),
            address: address.unwrap(),
        };
        (running, before)
    }

    /// Tells it to end as a service manager does.
    fn tell_to_end(&self) {
        self.signal("-TERM");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let kill = Command::new("kill").args([signal, &id]).status();
        assert!(kill.unwrap().success());
    }

    /// Ends it, and answers how it ended and what it logged since it started.
    fn terminate(self) -> (Option<i32>, String) {
        self.tell_to_end();
        self.ended()
    }

    /// Waits for its end; the answer is as above.
    fn ended(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        let log = std::mem::replace(&mut self.log, std::thread::spawn(Vec::new));
        (code, log.join().unwrap().join("\n"))
    }
}

fn http() -> Client {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    Client::builder().no_proxy().build().unwrap()
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where a test has failed; else it is gone already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_mistake_in_the_settings_is_one_line_that_names_it() {
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

/// What `--check-config` says: on its standard output, on its standard error, and
/// by its status.
fn checked(program: &Program, settings: &[(&str, &str)]) -> (String, String, Option<i32>) {
    let mut command = program.command(settings);
    let output = command.arg("--check-config").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code(),
    )
}

/// That `--check-config` says it in one line.
fn check_refuses(program: &Program, settings: &[(&str, &str)]) -> String {
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
fn a_check_of_the_settings_says_what_a_start_would_and_changes_nothing() {
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

    // Beside the running service.
    let running = Running::start(&program, &good);
    let address = running.address.clone();
    let mut beside = good.to_vec();
    beside.push(("LISTEN_ADDR", &address));
    check_agrees(&program, &beside);
    running.terminate();
    check_agrees(&program, &good);

    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
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
fn a_check_of_the_settings_asks_redis() {
    let program = Program::new("check-redis");
    let mut server = redis_test_server::RedisServer::start();
    let url = server.url();
    let settings = [
        ("PLIVO_MODE", "sandbox"),
        ("STORE_URL", url.as_str()),
        ("SECRET_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
        ("PROOF_ISSUER", "https://verify.example.com"),
    ];
    assert!(check_refuses(&program, &settings[..3]).contains("PROOF_SIGNING_KEYS_FILE"));
    // Two of them would not take each other's proofs.
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
fn a_taken_address_is_named() {
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
    let running = Running::start(&program, &[]);
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

#[tokio::test]
async fn the_operator_reads_what_is_spent_and_where_codes_are_not_given_back() {
    let program = Program::new("spend");
    let prices = "country,channel,price\n*,sms,0.01\n*,voice,0.01\n";
    std::fs::write(program.directory.join("prices.csv"), prices).unwrap();
    let settings = [
        ("PRICES_FILE", "prices.csv"),
        ("SPEND_CAP", "0.12/1h"),
        ("CONVERSION_LEAST_SENDS", "10"),
        ("CONVERSION_GRACE", "0s"),
        ("PATH", "/usr/bin:/bin"),
    ];
    let running = Running::start(&program, &settings);
    let http = http();
    let url = format!("http://{}/api/otp/send", running.address);
    let mut statuses = Vec::new();
    for index in 1..=13 {
        let body = json!({"recipient": format!("+141555501{index:02}")});
        let answer = http.post(&url).json(&body).send().await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    drop(http);
    assert_eq!(statuses, [vec![200; 12], vec![429]].concat());
    let (_, log) = running.terminate();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect();
    let alerts: Vec<&Value> = of("spend.alert");
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0]["per"], "1h");
    assert_eq!(alerts[0]["spent"], "0.100000");
    let slumps: Vec<&Value> = of("conversion.tripped");
    let rules: Vec<&Value> = slumps.iter().map(|line| &line["rule"]).collect();
    assert_eq!(rules, ["conversion_country", "conversion_prefix"]);
    for line in slumps {
        assert_eq!(
            (&line["mode"], &line["country"]),
            (&json!("monitor"), &json!("US"))
        );
        assert_eq!(line["destination"].as_str().unwrap().len(), 12);
    }
    let reached: Vec<&Value> = of("rate_limit.hit");
    assert_eq!(reached[0]["limit"], "spend_cap");
    assert!(!log.contains("1415555"), "a range is in the log");
}

#[tokio::test]
async fn no_number_code_or_session_is_logged_at_any_level() {
    let program = Program::new("log");
    let running = Running::start(
        &program,
        &[("RUST_LOG", "trace"), ("PATH", "/usr/bin:/bin")],
    );
    let http = http();
    let url = |path: &str| format!("http://{}{path}", running.address);
    let post = async |path: &str, body: Value| -> Value {
        let answer = http.post(url(path)).json(&body).send().await.unwrap();
        answer.json().await.unwrap()
    };
    let recipient = "+14155550137";
    let sent = post("/api/otp/send", json!({"recipient": recipient})).await;
    let id = sent["session_uuid"].as_str().unwrap();
    let messages: Value = http
        .get(url("/sandbox/messages"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let otp = messages[0]["otp"].as_str().unwrap();
    let wrong = if otp == "975310" { "975311" } else { "975310" };
    post("/api/otp/verify", json!({"session_uuid": id, "otp": wrong})).await;
    http.get(url(&format!("/api/otp/sessions/{id}")))
        .send()
        .await
        .unwrap();
    let verified = post("/api/otp/verify", json!({"session_uuid": id, "otp": otp})).await;
    assert_eq!(verified["verified"], true);
    post("/api/otp/send", json!({"recipient": "+1415555O187"})).await;
    let method = reqwest::Method::from_bytes(format!("X{recipient}").as_bytes()).unwrap();
    http.request(method, url("/healthz")).send().await.unwrap();
    drop(http);

    let (otp, id) = (otp.to_owned(), id.to_owned());
    let (code, log) = running.terminate();
    assert_eq!(code, Some(0));
    for event in [
        "otp.sent",
        "otp.incorrect",
        "otp.verified",
        "http.request",
        "server.stopped",
    ] {
        assert!(log.contains(event), "no {event} in {log}");
    }
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // One request's lines are found by one name, its own line included.
    for event in ["otp.sent", "otp.incorrect", "otp.verified"] {
        let line = lines.iter().find(|line| line["event"] == event).unwrap();
        let request = lines.iter().find(|other| {
            other["event"] == "http.request" && other["request_id"] == line["request_id"]
        });
        let route = request.unwrap()["route"].as_str().unwrap();
        assert!(route.starts_with("/api/otp/"), "{line}");
    }
    for secret in [
        "4155550137",
        &otp,
        wrong,
        &id,
        "1415555O187",
        "simulator_auth_token",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// The program against a Plivo of the test's own, which outlives it.
fn live(simulator: &plivo_simulator::Simulator) -> Vec<(&'static str, String)> {
    let settings = plivo_simulator::Settings::default();
    [
        ("PLIVO_MODE", "live".to_owned()),
        ("PLIVO_AUTH_ID", settings.auth_id),
        ("PLIVO_AUTH_TOKEN", settings.auth_token),
        ("PLIVO_BASE_URL", simulator.base_url()),
        ("ALLOWED_COUNTRIES", "*".to_owned()),
    ]
    .to_vec()
}

#[tokio::test]
async fn kill_9_gives_nothing_back() {
    let simulator =
        plivo_simulator::Simulator::start(plivo_simulator::Settings::default()).unwrap();
    let program = Program::new("kill");
    let settings = live(&simulator);
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let http = http();
    // Each call meets a process that was started for it and dies without a word.
    let post = async |path: &str, body: Value| -> (u16, Value) {
        let running = Running::start(&program, &settings);
        let url = format!("http://{}{path}", running.address);
        let answer = http.post(url).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        let answer = answer.json().await.unwrap();
        drop(running);
        (status, answer)
    };
    let recipient = json!({"recipient": "+14155552671"});
    let (status, sent) = post("/api/otp/send", recipient.clone()).await;
    assert_eq!(status, 200, "{sent}");
    let otp = simulator.messages()[0].otp.clone();
    let wrong = if otp == "975310" { "975311" } else { "975310" };
    let check = |otp: &str| json!({"session_uuid": sent["session_uuid"], "otp": otp});
    for left in [4, 3] {
        let (status, answer) = post("/api/otp/verify", check(wrong)).await;
        assert_eq!((status, &answer["checks_left"]), (400, &json!(left)));
    }
    assert_eq!(post("/api/otp/verify", check(&otp)).await.0, 200);
    let (status, answer) = post("/api/otp/verify", check(&otp)).await;
    assert_eq!(
        (status, &answer["code"]),
        (409, &json!("session_already_verified"))
    );
    let (status, answer) = post("/api/otp/send", recipient).await;
    assert_eq!((status, &answer["code"]), (429, &json!("rate_limited")));
    assert_eq!(simulator.calls().create, 1);
    assert_eq!(simulator.calls().validate, 3);
}

#[tokio::test]
async fn kill_9_while_plivo_is_asked_keeps_the_check_and_the_send_counted() {
    // Takes every request and answers none.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", silent.local_addr().unwrap());
    let program = Program::new("kill-half-way");
    let settings = [
        ("PLIVO_MODE", "live"),
        ("PLIVO_AUTH_ID", "MAXXXXXXXXXXXXXXXXXX"),
        ("PLIVO_AUTH_TOKEN", "test_auth_token"),
        ("PLIVO_BASE_URL", base_url.as_str()),
        ("ALLOWED_COUNTRIES", "*"),
    ];
    let http = http();
    let body = json!({"recipient": "+14155552671"});
    let running = Running::start(&program, &settings);
    let request = http
        .post(format!("http://{}/api/otp/send", running.address))
        .json(&body)
        .send();
    let asked = async {
        let (socket, _) = silent.accept().await.unwrap();
        socket.readable().await.unwrap();
        socket
    };
    tokio::select! {
        answer = request => panic!("answered: {answer:?}"),
        _socket = asked => {}
    }
    drop(running);
    let running = Running::start(&program, &settings);
    let answer = http
        .post(format!("http://{}/api/otp/send", running.address))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 429);
}

#[tokio::test]
async fn redis_is_spoken_to_by_tls_and_only_where_its_certificate_is_trusted() {
    let program = Program::new("tls");
    let server = redis_test_server::RedisServer::start_with_tls();
    let (url, certificate) = (server.tls_url(), server.certificate());
    let store = [
        ("PLIVO_MODE", "sandbox"),
        ("STORE_URL", url.as_str()),
        ("SECRET_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
        ("PROOF_ISSUER", "https://verify.example.com"),
    ];
    let made = program.command(&store).arg("--rotate-proof-key").output();
    assert_eq!(made.unwrap().status.code(), Some(0));
    let refusal = program.refuses(&store);
    assert!(
        refusal.contains("STORE_URL") && refusal.contains("localhost"),
        "{refusal}"
    );
    let trusting = [("SSL_CERT_FILE", certificate.to_str().unwrap())];
    let running = Running::start(&program, &[&store[..], &trusting].concat());
    let ready = http()
        .get(format!("http://{}/readyz", running.address))
        .send();
    assert_eq!(ready.await.unwrap().status(), 200);
    running.terminate();
}

/// Lets the process write files up to that size, and no further.
fn limit_files(running: &Running, size: &str) {
    let set = Command::new("prlimit")
        .args(["--pid", &running.child.id().to_string()])
        .arg(format!("--fsize={size}"))
        .status();
    assert!(set.unwrap().success());
}

#[tokio::test]
async fn a_disk_that_takes_no_more_serves_nothing_until_there_is_room() {
    let program = Program::new("full");
    // A write beyond the limit fails as on a full or read-only disk, once the
    // signal that goes with it is ignored.
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "trap '' XFSZ; exec \"$0\"",
        env!("CARGO_BIN_EXE_countersign"),
    ]);
    let running = Running::start_by(&program, command, &[]);
    let http = http();
    let url = |path: &str| format!("http://{}{path}", running.address);
    let send = async |recipient: &str| {
        let request = http.post(url("/api/otp/send"));
        let answer = request.json(&json!({"recipient": recipient})).send().await;
        answer.unwrap().status().as_u16()
    };
    let ready = async || {
        http.get(url("/readyz"))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(send("+14155550131").await, 200);
    limit_files(&running, "4096:unlimited");
    assert_eq!(send("+14155550132").await, 503);
    assert_eq!(ready().await, 503);
    let messages = http.get(url("/sandbox/messages")).send().await.unwrap();
    let messages: Value = messages.json().await.unwrap();
    assert_eq!(messages.as_array().unwrap().len(), 1);
    limit_files(&running, "unlimited:unlimited");
    assert_eq!(send("+14155550132").await, 200);
    assert_eq!(ready().await, 200);
    // Half a write was left behind by nothing.
    running.terminate();
    Running::start(&program, &[]).terminate();
}

#[test]
fn keys_that_sign_proofs_are_made_rotated_and_never_guessed() {
    let program = Program::new("proof-keys");
    let given = [
        ("PLIVO_MODE", "sandbox"),
        ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
    ];
    let refusal = program.refuses(&given);
    assert!(refusal.contains("PROOF_SIGNING_KEYS_FILE") && refusal.contains("is missing"));
    let rotate = || {
        let mut command = program.command(&given);
        command.arg("--rotate-proof-key").output().unwrap()
    };
    let first = rotate();
    assert_eq!(first.status.code(), Some(0));
    let said = String::from_utf8(first.stdout).unwrap();
    assert!(said.contains("keys.json and signs at once"), "{said}");
    Running::start(&program, &given).terminate();
    let again = rotate();
    let said = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(1), "{said}");
    assert!(said.contains("a moment ago"), "{said}");
    let path = program.directory.join("keys.json");
    // As if it had been made in 2020.
    let kept = std::fs::read_to_string(&path).unwrap();
    let (before, made_at) = kept.split_once(r#""made_at": ""#).unwrap();
    let long_ago = format!(r#"{before}"made_at": "2020{}"#, &made_at[4..]);
    std::fs::write(&path, long_ago).unwrap();
    let third = String::from_utf8(rotate().stdout).unwrap();
    assert!(
        third.contains("keys.json and signs in 6 minutes"),
        "{third}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    for garbage in [
        "",
        "{}",
        r#"{"keys":[]}"#,
        r#"{"keys":[{"made_at":"x","private_key":"y"}]}"#,
    ] {
        std::fs::write(&path, garbage).unwrap();
        let refusal = program.refuses(&given);
        assert!(refusal.contains("no signing keys"), "{garbage}: {refusal}");
    }
}

#[cfg(unix)]
#[test]
fn who_cannot_keep_the_keys_owner_rotates_nothing() {
    use std::os::unix::fs::{MetadataExt, chown};
    let program = Program::new("proof-keys-owner");
    let path = program.directory.join("keys.json");
    if chown(&program.directory, Some(0), Some(0)).is_err() {
        // Only root can give files away.
        return;
    }
    let given = [
        ("PLIVO_MODE", "sandbox"),
        ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
    ];
    let rotate = |command: Command| {
        let mut command = program.prepared(command, &given);
        command.arg("--rotate-proof-key").output().unwrap()
    };
    let countersign = env!("CARGO_BIN_EXE_countersign");
    assert!(rotate(Command::new(countersign)).status.success());
    let kept = std::fs::read_to_string(&path).unwrap();
    let (before, made_at) = kept.split_once(r#""made_at": ""#).unwrap();
    let long_ago = format!(r#"{before}"made_at": "2020{}"#, &made_at[4..]);
    std::fs::write(&path, &long_ago).unwrap();
    chown(&path, Some(65_534), Some(65_534)).unwrap();

    // Root, as it is in a container that may give nothing away.
    let mut weak = Command::new("/usr/bin/setpriv");
    weak.args([
        "--bounding-set",
        "-chown",
        "--inh-caps",
        "-chown",
        countersign,
    ]);
    let refused = rotate(weak);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("PROOF_SIGNING_KEYS_FILE") && said.contains("owner 65534:65534"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), long_ago);
    assert_eq!(std::fs::read_dir(&program.directory).unwrap().count(), 1);

    assert!(rotate(Command::new(countersign)).status.success());
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (65_534, 65_534));
    assert_ne!(std::fs::read_to_string(&path).unwrap(), long_ago);
}

#[test]
fn a_store_without_its_key_stops_the_start() {
    let program = Program::new("key");
    Running::start(&program, &[]).terminate();
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

/// The program against a Plivo of the test's own, with every limit off.
fn hostile_settings(base_url: &str) -> Vec<(&str, &str)> {
    let mut settings: Vec<(&str, &str)> = countersign_backend::config::variables::VARIABLES
        .iter()
        .filter(|variable| variable.name.starts_with("LIMIT_"))
        .map(|variable| (variable.name, "off"))
        .collect();
    settings.extend([
        ("PLIVO_MODE", "live"),
        ("PLIVO_AUTH_ID", "MAXXXXXXXXXXXXXXXXXX"),
        ("PLIVO_AUTH_TOKEN", "test_auth_token"),
        ("PLIVO_BASE_URL", base_url),
        ("ALLOWED_COUNTRIES", "*"),
    ]);
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_end_it_is_not_ready_answers_what_is_under_way_and_ends_well() {
    let hostile = Hostile::start(Fault::Late(Duration::from_secs(3)));
    let base_url = hostile.base_url();
    let mut settings = hostile_settings(&base_url);
    settings.push(("SHUTDOWN_GRACE", "2s"));
    let program = Program::new("drain");
    let running = Running::start(&program, &settings);
    let (http, address) = (http(), running.address.clone());
    let ready = async || {
        let ready = http.get(format!("http://{address}/readyz")).send().await;
        ready.unwrap().status().as_u16()
    };
    assert_eq!(ready().await, 200);
    let sends = join_all((0..200).map(|index| {
        let request = http.post(format!("http://{address}/api/otp/send"));
        let recipient = format!("+1415555{:04}", 100 + index % 100 + 1000 * (index / 100));
        request.json(&json!({"recipient": recipient})).send()
    }));
    let end = async {
        while hostile.creates() < 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.tell_to_end();
        while ready().await != 503 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Instant::now()
    };
    let (sends, told) = tokio::join!(sends, end);
    let statuses: Vec<_> = sends
        .into_iter()
        .map(|sent| sent.map(|answer| answer.status().as_u16()))
        .collect();
    let answered = statuses.iter().flatten().filter(|status| **status == 200);
    assert_eq!(answered.count(), 200, "{statuses:?}");
    let (code, log) = running.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("server.stopped") && !log.contains("server.cut_off"));
    assert!(told.elapsed() < Duration::from_secs(10), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_caller_has_gone_is_finished_before_the_end() {
    let hostile = Hostile::start(Fault::Late(Duration::from_secs(2)));
    let base_url = hostile.base_url();
    let program = Program::new("drain-alone");
    let running = Running::start(&program, &hostile_settings(&base_url));
    let mut caller = tokio::net::TcpStream::connect(&running.address)
        .await
        .unwrap();
    let body = r#"{"recipient":"+14155550100"}"#;
    let request = format!(
        "POST /api/otp/send HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    caller.write_all(request.as_bytes()).await.unwrap();
    while hostile.creates() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // With a reset: the server drops the request at once.
    caller.set_zero_linger().unwrap();
    drop(caller);
    let (code, log) = running.terminate();
    assert_eq!(code, Some(0));
    assert!(log.contains("otp.sent"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_slow_and_idle_sockets_stop_nobody() {
    let files: usize = {
        let limit = Command::new("sh").args(["-c", "ulimit -n"]).output();
        let text = String::from_utf8(limit.unwrap().stdout).unwrap();
        text.trim().parse().unwrap_or(usize::MAX)
    };
    // Where the test itself may not open as many, fewer have to do.
    let count = files.saturating_sub(500).min(5000);
    let program = Program::new("slow");
    let running = Running::start(&program, &[]);
    let mut sockets = Vec::new();
    for index in 0..count {
        let socket = tokio::net::TcpStream::connect(&running.address).await;
        let mut socket = socket.unwrap();
        let said: &[u8] = match index % 4 {
            0 => b"",
            1 => b"GET /healthz HTTP/1.1\r\nho",
            2 => b"POST /api/otp/send HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{",
            _ => b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
        };
        socket.write_all(said).await.unwrap();
        sockets.push(socket);
    }
    let http = http();
    let started = Instant::now();
    for _ in 0..20 {
        let health = http
            .get(format!("http://{}/readyz", running.address))
            .send();
        assert_eq!(health.await.unwrap().status(), 200);
    }
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    // Half a head is not waited for.
    let mut answer = Vec::new();
    let slow = sockets.get_mut(1).unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(9), slow.read_to_end(&mut answer));
    closed.await.expect("it is closed").ok();
    drop(sockets);
    assert_eq!(running.terminate().0, Some(0));
}

/// A connection whose own side takes next to nothing before somebody reads.
async fn narrow(address: &str) -> tokio::net::TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(address.parse().unwrap()).await.unwrap()
}

/// What the open files of a process are called.
#[cfg(target_os = "linux")]
fn open_files(running: &Running) -> Vec<PathBuf> {
    let files = std::fs::read_dir(format!("/proc/{}/fd", running.child.id())).unwrap();
    files
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .collect()
}

/// A page with a program of a million bytes.
fn large_page(program: &Program) -> String {
    let page = program.directory.join("page");
    std::fs::create_dir(&page).unwrap();
    std::fs::write(page.join("index.html"), "<title>x</title>").unwrap();
    std::fs::write(page.join("app-0123456789abcdef.js"), vec![b' '; 1_000_000]).unwrap();
    std::fs::write(page.join("style-0123456789abcdef.css"), vec![b' '; 100_000]).unwrap();
    std::fs::write(program.directory.join("theme.css"), vec![b' '; 1_000_000]).unwrap();
    page.to_str().unwrap().to_owned()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_his_answers_holds_no_file_and_is_cut_off() {
    let program = Program::new("unread");
    let page = large_page(&program);
    let settings = [
        ("PAGE_DIR", page.as_str()),
        ("THEME_FILE", "theme.css"),
        ("PATH", "/usr/bin:/bin"),
    ];
    let running = Running::start(&program, &settings);
    let is_socket = |file: &PathBuf| file.to_string_lossy().starts_with("socket:");
    let open_sockets = || {
        open_files(&running)
            .iter()
            .filter(|it| is_socket(it))
            .count()
    };
    let mut sockets = Vec::new();
    for (path, count) in [
        ("/app-0123456789abcdef.js", 1),
        ("/app-0123456789abcdef.js", 16),
        ("/theme.css", 1),
        // The system takes the whole of it.
        ("/style-0123456789abcdef.css", 1),
        ("/api/docs", 16),
    ] {
        let mut socket = narrow(&running.address).await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let requests = request.repeat(count);
        socket.write_all(requests.as_bytes()).await.unwrap();
        // It is under way.
        let mut begun = [0; 12];
        socket.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200");
        sockets.push(socket);
    }
    let others = open_sockets() - sockets.len();
    let of_page = |file: &PathBuf| file.starts_with(&page) || file.ends_with("theme.css");
    let files: Vec<_> = open_files(&running).into_iter().filter(of_page).collect();
    assert_eq!(files, Vec::<PathBuf>::new());
    // One reads a drop now and then, the others nothing at all.
    let started = Instant::now();
    while open_sockets() > others {
        assert!(started.elapsed() < Duration::from_secs(40));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut drop = [0; 1];
        sockets[0].read_exact(&mut drop).await.ok();
    }
    assert!(started.elapsed() > Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_is_not_waited_for_on_a_connection_that_was_used_either() {
    let program = Program::new("second-head");
    let running = Running::start(&program, &[]);
    let mut socket = tokio::net::TcpStream::connect(&running.address)
        .await
        .unwrap();
    let mut answer = [0; 4096];
    for _ in 0..2 {
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        socket.write_all(request).await.unwrap();
        let count = socket.read(&mut answer).await.unwrap();
        assert!(answer[..count].starts_with(b"HTTP/1.1 200"));
    }
    socket
        .write_all(b"GET /healthz HTTP/1.1\r\nho")
        .await
        .unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(9), socket.read(&mut answer));
    let closed = closed.await.expect("it is closed");
    assert!(closed.is_err() || closed.is_ok_and(|count| count == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_on_which_nothing_happens_make_room_for_new_ones() {
    let hostile = Hostile::start(Fault::None);
    let base_url = hostile.base_url();
    let mut settings = hostile_settings(&base_url);
    settings.extend([("PLIVO_CALLS_AT_ONCE", "64"), ("PATH", "/usr/bin:/bin")]);
    let program = Program::new("crowded");
    let page = large_page(&program);
    settings.push(("PAGE_DIR", &page));
    let mut command = Command::new("/usr/bin/prlimit");
    command.args(["--nofile=600:600", env!("CARGO_BIN_EXE_countersign")]);
    let running = Running::start_by(&program, command, &settings);
    let mut sockets = Vec::new();
    // Some say nothing, some have had an answer, some do not read theirs: more than
    // there is room for, and they come faster than others are closed.
    for index in 0..700 {
        let connect = narrow(&running.address);
        let connected = tokio::time::timeout(Duration::from_secs(10), connect).await;
        let mut socket = connected.expect("there is room for one more");
        let said: &[u8] = match index % 3 {
            0 => b"",
            1 => b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
            _ => b"GET /app-0123456789abcdef.js HTTP/1.1\r\nhost: x\r\n\r\n",
        };
        socket.write_all(said).await.unwrap();
        sockets.push(socket);
    }
    let url = |path: &str| format!("http://{}{path}", running.address);
    for index in 0..20 {
        // Each over a connection of its own.
        let body = json!({"recipient": format!("+14155552{index:03}")});
        let answer = http().post(url("/api/otp/send")).json(&body).send();
        let answer = tokio::time::timeout(Duration::from_secs(5), answer);
        assert_eq!(answer.await.expect("in time").unwrap().status(), 200);
    }
    drop(sockets);
    let (code, log) = running.terminate();
    assert_eq!(code, Some(0));
    assert!(log.contains("connections.crowded"), "{log}");
    assert!(!log.contains("store.failed"), "{log}");
}

#[test]
fn too_few_files_for_callers_beside_plivo_stop_the_start() {
    let program = Program::new("files");
    let settings = hostile_settings("http://127.0.0.1:9");
    for argument in [None, Some("--check-config")] {
        let mut command = Command::new("/usr/bin/prlimit");
        command.args(["--nofile=300:300", env!("CARGO_BIN_EXE_countersign")]);
        command.args(argument);
        let output = program.prepared(command, &settings).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("PLIVO_CALLS_AT_ONCE: 256 calls"), "{said}");
    }
}

#[tokio::test]
async fn one_address_may_not_have_all_the_connections() {
    let program = Program::new("peers");
    let settings = [
        ("LISTEN_ADDR", "0.0.0.0:0"),
        ("LIMIT_CONNECTIONS_PER_ADDRESS", "3"),
    ];
    let Some(own) = own_address() else {
        // A machine without a network: loopback has no bound.
        return;
    };
    let running = Running::start(&program, &settings);
    let port = running.address.rsplit(':').next().unwrap();
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut socket = tokio::net::TcpStream::connect(format!("{own}:{port}"))
            .await
            .unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        socket.write_all(request).await.unwrap();
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        open.push(socket);
    }
    let mut fourth = tokio::net::TcpStream::connect(format!("{own}:{port}"))
        .await
        .unwrap();
    let mut answer = Vec::new();
    fourth.read_to_end(&mut answer).await.ok();
    assert!(answer.is_empty());
    // Others are served.
    let other = http()
        .get(format!("http://127.0.0.1:{port}/healthz"))
        .send();
    assert_eq!(other.await.unwrap().status(), 200);
}

/// This machine's address on a network, where it has one. Nothing is sent.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}
