//! Fuzzing: whatever comes in, the service answers in its own words, and never crashes.
//!
//! Each target first takes the inputs in `tests/corpus/<target>`, then random mutations
//! of them: always the same ones in the ordinary tests, new ones for a minute in the long
//! ones. An input that violates a rule is added to the corpus, so that it is tried from
//! then on.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};

/// Inputs of one target in the ordinary tests.
const FEW: usize = 400;
/// Duration of one target in the long tests.
const LONG: Duration = Duration::from_mins(1);
/// Maximum length of a generated input.
const LONGEST: usize = 600;

/// Tokens with a meaning to one of the parsers.
const WORDS: [&str; 24] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\u{0}",
    "%00",
    "%2f",
    "+",
    "00",
    "(0)",
    "for=",
    "::1",
    "null",
    "true",
    "-1",
    "1e9",
    "\u{202e}",
    "\u{200b}",
    "٣",
    "recipient",
];

struct Target {
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    random: u64,
}

impl Target {
    fn new(name: &'static str, random: u64) -> Self {
        let mut files: Vec<_> = fs::read_dir(corpus(name))
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        let seeds = files.iter().map(|file| fs::read(file).unwrap()).collect();
        Self {
            name,
            seeds,
            random,
        }
    }

    /// A random number below `count` (`SplitMix64`, by Steele, Lea and Flood).
    fn below(&mut self, count: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap() % count.max(1)
    }

    /// A mutation of a random seed.
    fn next(&mut self) -> Vec<u8> {
        let seed = self.below(self.seeds.len());
        let mut input = self.seeds[seed].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(input.len() + 1);
            match self.below(6) {
                0 if at < input.len() => input[at] ^= 1 << self.below(8),
                1 if at < input.len() => {
                    input.remove(at);
                }
                2 => {
                    let word = WORDS[self.below(WORDS.len())];
                    input.splice(at..at, word.bytes());
                }
                3 => input.truncate(at),
                4 => {
                    let other = self.below(self.seeds.len());
                    let other = self.seeds[other].clone();
                    input.splice(at.., other);
                }
                _ => {
                    let byte = u8::try_from(self.below(256)).unwrap();
                    let times = 1 + self.below(40);
                    input.splice(at..at, std::iter::repeat_n(byte, times));
                }
            }
        }
        input.truncate(LONGEST);
        input
    }

    /// Tries the corpus, then mutations until the end. A check returns what is wrong.
    async fn run(mut self, until: Until, check: impl AsyncFn(&[u8]) -> Result<(), String>) {
        let started = Instant::now();
        let mut tried = 0;
        let corpus = self.seeds.clone();
        let mut inputs = corpus.into_iter();
        loop {
            let input = match inputs.next() {
                Some(input) => input,
                None if until.is_over(tried, started.elapsed()) => return,
                None => self.next(),
            };
            if let Err(wrong) = check(&input).await {
                let path = corpus_file(self.name, &input);
                fs::write(&path, &input).unwrap();
                panic!("{}: {wrong}; kept as {}", self.name, path.display());
            }
            tried += 1;
        }
    }
}

#[derive(Clone, Copy)]
enum Until {
    Tried(usize),
    Passed(Duration),
}

impl Until {
    fn is_over(self, tried: usize, passed: Duration) -> bool {
        match self {
            Self::Tried(count) => tried >= count,
            Self::Passed(time) => passed >= time,
        }
    }
}

fn corpus(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/corpus", target]
        .iter()
        .collect()
}

fn corpus_file(target: &str, input: &[u8]) -> PathBuf {
    use std::hash::{DefaultHasher, Hash, Hasher};

    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    corpus(target).join(format!("found-{:016x}", hasher.finish()))
}

/// Every failure must be a problem in our words, and an answer must not echo its input.
fn is_ours(input: &[u8], answer: &Answer) -> Result<(), String> {
    if answer.status >= 500 {
        return Err(format!("answered {}", answer.status));
    }
    let text = String::from_utf8_lossy(input);
    let is_telling = text.len() >= 16 && answer.status != 200;
    if is_telling && answer.text.contains(text.as_ref()) {
        return Err("the answer repeats it".to_owned());
    }
    if answer.status >= 400 {
        let problem: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        if answer.header("content-type") != "application/problem+json"
            || !problem["code"].is_string()
        {
            return Err(format!("answered {} without a problem", answer.status));
        }
    }
    Ok(())
}

async fn bodies(app: &TestApp, input: &[u8]) -> Result<(), String> {
    let request = app
        .request(Method::POST, "/api/otp/send")
        .header("content-type", "application/json")
        .body(input.to_vec());
    is_ours(input, &app.call(request).await)
}

/// The digits sent must be the digits typed, less one trunk zero; or nothing is sent.
async fn numbers(app: &TestApp, input: &[u8]) -> Result<(), String> {
    let typed = String::from_utf8_lossy(input);
    let body = json!({ "recipient": typed });
    let answer = app.post("/api/otp/send", &body).await;
    is_ours(input, &answer)?;
    if answer.status != 200 {
        return Ok(());
    }
    let sent = answer.json()["recipient"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let (typed, sent) = (digits(&typed), digits(&sent));
    let is_trunk = (0..typed.len()).any(|at| {
        typed.as_bytes()[at] == b'0' && format!("{}{}", &typed[..at], &typed[at + 1..]) == sent
    });
    if typed == sent || is_trunk {
        Ok(())
    } else {
        Err("other digits were sent than were typed".to_owned())
    }
}

async fn forwarding(app: &TestApp, input: &[u8]) -> Result<(), String> {
    for name in ["x-forwarded-for", "forwarded"] {
        let request = app
            .request(Method::POST, "/api/otp/verify")
            .header(name, http_value(input))
            .json(&json!({}));
        is_ours(input, &app.call(request).await)?;
    }
    Ok(())
}

/// The bytes that are allowed in a header (RFC 9110, 5.5).
fn http_value(input: &[u8]) -> Vec<u8> {
    let is_allowed = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    input.iter().copied().filter(is_allowed).collect()
}

async fn ids(app: &TestApp, input: &[u8]) -> Result<(), String> {
    let encoded: String = input.iter().map(|byte| format!("%{byte:02x}")).collect();
    for rest in ["", "/events"] {
        let answer = app.get(&format!("/api/otp/sessions/{encoded}{rest}")).await;
        is_ours(input, &answer)?;
    }
    let body = json!({ "session_uuid": String::from_utf8_lossy(input), "otp": "000000" });
    let answer = app.post("/api/otp/verify", &body).await;
    is_ours(input, &answer)?;
    if answer.status == 200 {
        return Err("verified".to_owned());
    }
    Ok(())
}

/// A callback that Plivo has not signed must be rejected.
async fn callbacks(app: &TestApp, input: &[u8]) -> Result<(), String> {
    let secret: String = input.iter().map(|byte| format!("%{byte:02x}")).collect();
    let request = app
        .request(Method::POST, &format!("/api/plivo/callback/x{secret}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-plivo-signature-v3", http_value(input))
        .header("x-plivo-signature-v3-nonce", "1")
        .body(input.to_vec());
    let answer = app.call(request).await;
    is_ours(input, &answer)?;
    if answer.status < 400 {
        return Err("taken".to_owned());
    }
    Ok(())
}

async fn all(random: u64, until: Until) {
    let app = TestApp::start_with(&[
        ("PUBLIC_URL", "https://verify.example.com"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
        ("LIMIT_REQUESTS_PER_ADDRESS", "off"),
        ("LIMIT_SENDS_PER_NUMBER", "off"),
        ("RESEND_WAITS", "1s"),
    ])
    .await;
    let target = |name| Target::new(name, random);
    target("body")
        .run(until, async |input: &[u8]| bodies(&app, input).await)
        .await;
    target("number")
        .run(until, async |input: &[u8]| numbers(&app, input).await)
        .await;
    target("forwarded")
        .run(until, async |input: &[u8]| forwarding(&app, input).await)
        .await;
    target("id")
        .run(until, async |input: &[u8]| ids(&app, input).await)
        .await;
    target("callback")
        .run(until, async |input: &[u8]| callbacks(&app, input).await)
        .await;
    assert_eq!(app.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn any_input_is_answered_in_our_words() {
    all(1, Until::Tried(FEW)).await;
}

#[tokio::test]
#[ignore = "long"]
async fn any_input_is_answered_in_our_words_for_minutes() {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).unwrap();
    all(u64::from_le_bytes(seed), Until::Passed(LONG)).await;
}
