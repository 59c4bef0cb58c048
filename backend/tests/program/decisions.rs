//! `--decisions`: the record of decisions, which outlives the log.

use serde_json::json;

use countersign_test_support::http;

use super::Program;

fn decisions(program: &Program, words: &[&str]) -> Vec<String> {
    let mut command = program.command(&[("PLIVO_MODE", "sandbox")]);
    let output = command.arg("--decisions").args(words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn sends_and_refusals_are_recorded_with_their_rule_and_without_personal_data() {
    let program = Program::new("decisions");
    let running = program.start(&[("ALLOWED_COUNTRIES", "US,GB")]);
    let (http, url) = (http(), format!("http://{}/api/otp/send", running.address));
    for recipient in [
        "+14155550123",
        "+14155550123",
        "+14155550123",
        "+4917139200123",
        "+447700900123",
    ] {
        let body = json!({"recipient": recipient});
        http.post(&url).json(&body).send().await.unwrap();
    }
    drop(http);
    // Pending decisions are written at shutdown.
    assert_eq!(running.terminate().0, Some(0));
    let lines = decisions(&program, &["--csv"]);
    assert_eq!(
        lines[0],
        "at,outcome,application,country,channel,range,recipient,address,times"
    );
    let of = |outcome: &str, place: &str| {
        let lines = lines
            .iter()
            .filter(|it| it.contains(outcome) && it.contains(place));
        lines.cloned().collect::<Vec<_>>()
    };
    assert_eq!(of(",sent,", ",US,sms,+1415555*,").len(), 1);
    assert_eq!(of(",sent,", ",GB,sms,+44770090*,").len(), 1);
    assert_eq!(of(",country_not_allowed,", ",DE,").len(), 1);
    // Two decisions within a moment may be merged into one line.
    let waits = of(",resend_backoff,", ",US,").into_iter();
    let times: u32 = waits
        .map(|it| it.rsplit(',').next().unwrap().parse::<u32>().unwrap())
        .sum();
    assert_eq!(times, 2);
    for line in &lines {
        assert!(
            !line.contains("5550123") && !line.contains("127.0.0.1,"),
            "{line}"
        );
    }
    assert!(lines[1].contains("127.0.0.0/24"));
    assert_eq!(decisions(&program, &["sent", "US"]).len(), 1);
    assert_eq!(decisions(&program, &["+4477"]).len(), 1);
    let none = decisions(&program, &["conversion_country"]);
    assert!(none[0].contains("nothing was decided"), "{none:?}");
}
