//! How an operator intervenes in the running service during an attack.

use serde_json::{Value, json};

use countersign_test_support::http;

use super::Program;

const NUMBER: &str = "+14155550123";

fn run(program: &Program, words: &[&str]) -> (bool, String) {
    let mut command = program.command(&[("PLIVO_MODE", "sandbox")]);
    let output = command.args(words).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn stops_take_effect_at_once_in_the_running_service_and_a_number_can_be_freed() {
    let program = Program::new("stops");
    let running = program.start(&[("LIMIT_SENDS_PER_NUMBER", "1/1d")]);
    let http = http();
    let post = async |path: &str, body: Value| -> (u16, Value) {
        let url = format!("http://{}{path}", running.address);
        let answer = http.post(url).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    };
    let ask = async |recipient: &str| post("/api/otp/send", json!({"recipient": recipient})).await;
    let (status, sent) = ask(NUMBER).await;
    assert_eq!(status, 200, "{sent}");
    let (is_done, text) = run(&program, &["--stop", "country", "US"]);
    assert!(is_done && text.contains("stopped:\n  country US"), "{text}");
    let (status, answer) = ask("+14155550124").await;
    assert_eq!(
        (status, &answer["limit"]),
        (429, &json!("service_protection"))
    );
    assert_eq!(ask("+447700900123").await.0, 200);
    // Checks still work.
    let check = json!({"session_uuid": sent["session_uuid"], "otp": "000000"});
    assert_eq!(post("/api/otp/verify", check).await.0, 400);
    assert!(run(&program, &["--stop"]).1.contains("country US"));
    let (is_done, text) = run(&program, &["--start", "country", "US"]);
    assert!(is_done && text.contains("nothing is stopped"), "{text}");
    assert_eq!(ask("+14155550124").await.0, 200);
    let (is_done, text) = run(&program, &["--stop", "everything"]);
    assert!(!is_done && text.contains("country US"), "{text}");

    // The number's daily quota is used up, until it is freed.
    assert_eq!(ask(NUMBER).await.0, 429);
    let (is_done, text) = run(&program, &["--free", NUMBER]);
    assert!(is_done && !text.contains("5550123"), "{text}");
    assert_eq!(ask(NUMBER).await.0, 200);
    let (is_done, text) = run(&program, &["--free", NUMBER, "--forget"]);
    assert!(
        is_done && text.contains("forgotten") && !text.contains("5550123"),
        "{text}"
    );
    let (_, text) = run(&program, &["--number", NUMBER]);
    assert!(text.contains("no code was asked for"), "{text}");
    assert!(
        run(&program, &["--free", NUMBER, "--forget"])
            .1
            .contains("nothing was known")
    );
}
