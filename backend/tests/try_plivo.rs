//! `countersign --try-plivo` against the simulator: once as we assume Plivo to behave,
//! and once contrary to each assumption.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use plivo_simulator::{AnswerText, Settings, SignatureVersion, Simulator};
use serde_json::Value;
use tempfile::TempDir;

const NUMBER: &str = "+14155550123";
const TOKEN: &str = "simulator_auth_token";

/// A run in the terminal: its output, and the recording.
struct Tried {
    succeeded: bool,
    printed: String,
    recording: Option<String>,
    /// Private values that must be in neither.
    private: Vec<String>,
}

/// A port that was free just now.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn start(settings: Settings) -> Simulator {
    // Speeds up deliveries to milliseconds.
    let settings = Settings {
        speed: 100.0,
        ..settings
    };
    Simulator::start(settings).unwrap()
}

fn program(directory: &Path, simulator: &Simulator, number: &str, options: &[&str]) -> Command {
    let address = free_address();
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .args(["--try-plivo", number])
        .args(options)
        .current_dir(directory)
        .env_clear()
        .env("PLIVO_MODE", "live")
        .env("PLIVO_AUTH_ID", Settings::default().auth_id)
        .env("PLIVO_AUTH_TOKEN", TOKEN)
        .env("PLIVO_BASE_URL", simulator.base_url())
        .env("ALLOWED_COUNTRIES", "*")
        .env("SPEND_CAP", "off")
        .env("PUBLIC_URL", format!("http://{address}"))
        .env("LISTEN_ADDR", address)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the program, and enters the code from the pretend phone when asked.
fn run(simulator: &Simulator, number: &str, options: &[&str]) -> Tried {
    let directory = TempDir::new().unwrap();
    let mut child = program(directory.path(), simulator, number, options)
        .spawn()
        .unwrap();
    let mut typed = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut printed = String::new();
    let mut codes: Vec<String> = Vec::new();
    let newest = || {
        simulator
            .messages()
            .first()
            .map(|message| message.otp.clone())
    };
    // A prompt does not end with a newline.
    let mut text = Vec::new();
    while matches!(output.read_until(b' ', &mut text), Ok(1..)) {
        let so_far = String::from_utf8(std::mem::take(&mut text)).unwrap();
        printed += &so_far;
        if printed.ends_with("The code that arrived: ") {
            let code = newest().unwrap();
            writeln!(typed, "{code}").unwrap();
            codes.push(code);
        } else if printed.ends_with("if none came) ") {
            let is_same = newest().as_ref() == codes.last();
            writeln!(typed, "{}", if is_same { "y" } else { "n" }).unwrap();
        } else if printed.ends_with("Plivo calls it expired: ") {
            simulator.advance(Duration::from_mins(11));
        }
    }
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut printed)
        .unwrap();
    let succeeded = child.wait().unwrap().success();
    let recording = std::fs::read_to_string(directory.path().join("plivo-recording.json")).ok();
    let mut private = vec![
        Settings::default().auth_id,
        TOKEN.to_owned(),
        number.trim_start_matches('+').to_owned(),
    ];
    private.extend(codes);
    private.extend(simulator.session_ids());
    Tried {
        succeeded,
        printed,
        recording,
        private,
    }
}

impl Tried {
    fn facts(&self) -> Value {
        assert!(self.succeeded, "{}", self.printed);
        let recording = self.recording.as_deref().unwrap();
        for private in &self.private {
            assert!(!recording.contains(private), "{private} in {recording}");
            assert!(
                !self.printed.contains(private),
                "{private} in {}",
                self.printed
            );
        }
        let recording: Value = serde_json::from_str(recording).unwrap();
        recording["facts"].clone()
    }

    /// The names of the differences.
    fn differing(&self) -> Vec<&str> {
        let lines = self.printed.split("DIFFERENT   ").skip(1);
        let mut names: Vec<&str> = lines.map(|line| line.split(':').next().unwrap()).collect();
        names.sort_unstable();
        names
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_is_as_we_assume_plivo_to_be() {
    let simulator = start(Settings::default());
    let tried = run(&simulator, NUMBER, &["--used", "--expired"]);
    let facts = tried.facts();
    assert_eq!(tried.differing(), [""; 0], "{}", tried.printed);
    assert!(
        tried.printed.contains("0 of 16 differ"),
        "{}",
        tried.printed
    );
    assert_eq!(facts.as_object().unwrap().len(), 16);
}

/// As different from our assumptions as the simulator can be.
fn contrary() -> Settings {
    Settings {
        created: AnswerText::new(200, "on its way"),
        reuses_open_session: false,
        reuses_verified_session: true,
        validated: AnswerText::new(200, "verified"),
        verified_status: "validated".to_owned(),
        callback_content_type: "text/plain".to_owned(),
        callback_parameters: ["SessionUUID", "ChannelStatus", "Recipient", "Brandname"]
            .map(str::to_owned)
            .to_vec(),
        callback_recipient_has_plus: true,
        signature: SignatureVersion::V3,
        validation_charge: 5_000,
        wrong_otp: AnswerText::new(200, "The passcode 123456 of 14155550123 is incorrect."),
        already_verified: AnswerText::new(409, "used"),
        expired: AnswerText::new(410, "gone"),
        unknown_session: AnswerText::new(400, "no such session"),
        ..Settings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_violated_assumption_is_reported() {
    let simulator = start(contrary());
    let tried = run(&simulator, NUMBER, &["--used", "--expired"]);
    let facts = tried.facts();
    let expected = [
        "callback_content_type",
        "callback_parameters",
        "callback_recipient",
        "callback_signature",
        "create",
        "create_after_success",
        "right_code",
        "second_code",
        "second_create",
        "status_after_success",
        "the service would not accept it",
        "unknown_session",
        "used_code",
        "validation_charge",
        "wrong_code",
    ];
    assert_eq!(tried.differing(), expected, "{}", tried.printed);
    let wrong = &facts["wrong_code"]["text"];
    assert_eq!(wrong, "The passcode <number> of <private> is incorrect.");

    // Two differences that are hidden by the others.
    let simulator = start(Settings {
        expired: AnswerText::new(410, "gone"),
        ..Settings::default()
    });
    // Its callbacks arrive out of order.
    let tried = run(&simulator, "+14155550189", &["--expired"]);
    tried.facts();
    assert_eq!(tried.differing(), ["callback_statuses", "expired_code"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_can_be_replayed() {
    let simulator = start(contrary());
    let recorded = run(&simulator, NUMBER, &["--used"]);
    let mut settings = Settings::default();
    settings
        .replay(recorded.recording.as_deref().unwrap())
        .unwrap();
    let replayed = run(&start(settings), NUMBER, &["--used"]);
    assert_eq!(replayed.facts(), recorded.facts());
    assert_eq!(replayed.differing(), recorded.differing());

    let mut settings = Settings::default();
    assert!(settings.replay("{}").is_err());
    assert!(settings.replay("no JSON").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_start_is_one_line() {
    let simulator = start(Settings::new("MAANOTHERACCOUNTXXXX", "another_token"));
    let tried = run(&simulator, NUMBER, &[]);
    assert!(!tried.succeeded);
    assert!(
        tried.printed.contains("Plivo refuses PLIVO_AUTH_ID"),
        "{}",
        tried.printed
    );
    assert!(tried.recording.is_none());

    let directory = TempDir::new().unwrap();
    for (words, expected) in [
        (&["--expired"][..], "--try-plivo +14155550123"),
        (&["--record"], "--try-plivo +14155550123"),
        (&["nonsense"], "--try-plivo +14155550123"),
    ] {
        let number = if words == ["--expired"] {
            "0000"
        } else {
            NUMBER
        };
        let output = program(directory.path(), &simulator, number, words)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.contains(expected) && text.lines().count() == 1,
            "{text}"
        );
    }
    let output = program(directory.path(), &simulator, NUMBER, &[])
        .env("PLIVO_MODE", "sandbox")
        .env_remove("PLIVO_AUTH_ID")
        .env_remove("PLIVO_AUTH_TOKEN")
        .env_remove("PLIVO_BASE_URL")
        .output()
        .unwrap();
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("PLIVO_MODE")
    );
}
