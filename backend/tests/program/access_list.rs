//! A long `ACCESS_LIST_FILE`: how it is read, and what becomes of a mistake in it.

use std::fmt::Write;

use serde_json::{Value, json};

use countersign_test_support::{http, lines, of};

use super::Program;

const ENTRIES: usize = 100_000;

/// A list of so many entries, one of which blocks the number.
fn list(blocked: &str) -> String {
    let mut text = format!("access,what,until,reason\nblock,{blocked},2099-01-01,r\n");
    for index in 1..ENTRIES {
        writeln!(text, "block,+1206{index:07},2099-01-01,r").unwrap();
    }
    text
}

#[tokio::test]
async fn a_mistake_in_line_99_999_is_one_line_of_the_log_and_the_old_list_stays() {
    let program = Program::new("access-list");
    let path = program.directory.join("access.csv");
    // In one go, as a list is replaced that is in use.
    let replace = |text: &str| {
        let draft = path.with_extension("new");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(&draft, &path).unwrap();
    };
    replace(&list("+14155550111"));
    let running = program.start(&[("ACCESS_LIST_FILE", path.to_str().unwrap())]);
    let http = http();
    let is_blocked = async |recipient: &str| {
        let url = format!("http://{}/api/otp/send", running.address);
        let body = json!({"recipient": recipient});
        let answer = http.post(url).json(&body).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["limit"] == "service_protection"
    };
    assert!(is_blocked("+14155550111").await);

    let text = list("+14155550122");
    let line = text.lines().nth(99_998).unwrap();
    let wrong = text.replace(line, "block,nobody,2099-01-01,r");
    replace(&wrong);
    let told = running.logs("access_list.unreadable").await;
    let problem = told[0]["problem"].as_str().unwrap();
    assert!(problem.contains("line 99999 must be"), "{problem}");
    assert!(is_blocked("+14155550111").await);
    assert!(!is_blocked("+14155550122").await);

    replace(&text);
    let read = running.logs("access_list.read").await;
    assert_eq!(read[0]["entries"], ENTRIES);
    assert!(!is_blocked("+14155550111").await);
    assert!(is_blocked("+14155550122").await);
    drop(http);
    let lines = lines(&running.terminate().1);
    assert_eq!(of(&lines, "access_list.unreadable").len(), 1);
    assert_eq!(of(&lines, "access_list.read").len(), 1);
}
