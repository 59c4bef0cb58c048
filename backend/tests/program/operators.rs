//! What an operator asks of the program when something went wrong.

use std::process::Command;

use serde_json::{Value, json};

use super::{
    Program, Running, checked,
    hostile::{Fault, Hostile},
    hostile_settings, http,
};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn lines(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

#[test]
fn a_hang_up_and_a_quit_end_it_as_gracefully_as_a_service_manager_does() {
    for signal in ["-HUP", "-QUIT"] {
        let program = Program::new(&format!("signal{signal}"));
        let running = Running::start(&program, &[]);
        running.signal(signal);
        let (code, log) = running.ended();
        assert_eq!(code, Some(0), "{signal}");
        assert!(log.contains("server.stopped"), "{signal}: {log}");
    }
}

#[tokio::test]
async fn a_program_that_is_to_outlive_its_terminal_does() {
    let program = Program::new("nohup");
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_countersign"));
    let running = Running::start_by(&program, command, &[("PATH", "/usr/bin:/bin")]);
    running.signal("-HUP");
    let url = format!("http://{}/readyz", running.address);
    for _ in 0..5 {
        let answer = http().get(&url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(running.terminate().0, Some(0));
}
