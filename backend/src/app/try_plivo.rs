//! `--try-plivo`: checks our assumptions with a live account. It runs each operation of the
//! service once, compares Plivo's behaviour with each assumption, and writes a recording
//! that the simulator replays.

mod listen;
mod observations;
mod probe;
mod scrub;

use std::{io::Write, path::PathBuf, time::Duration};

use countersign_shared::PhoneNumber;
use secrecy::ExposeSecret;

use self::{
    listen::Listener,
    observations::Observations,
    probe::{Answer, Probe},
    scrub::Scrubber,
};
use countersign_plivo::Account;

use crate::config::{Config, Upstream};

/// Polling interval for the end of a session.
const POLL: Duration = Duration::from_secs(2);
/// Timeout for a session's expiry: longer than any that Plivo's console offers.
const MAX_SESSION_LIFETIME: Duration = Duration::from_hours(1);
/// A session id that does not exist.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
const USAGE: &str = "countersign --try-plivo +14155550123 [--used] [--expired] [--record FILE]";

/// Arguments of `--try-plivo`.
pub struct Options {
    recipient: PhoneNumber,
    used: bool,
    expired: bool,
    record: PathBuf,
}

impl Options {
    /// Parses the arguments behind `--try-plivo`.
    pub fn parse(words: &[&str]) -> Result<Self, &'static str> {
        let (recipient, mut rest) = words.split_first().ok_or(USAGE)?;
        let mut options = Self {
            recipient: PhoneNumber::parse(recipient).map_err(|_| USAGE)?,
            used: false,
            expired: false,
            record: "plivo-recording.json".into(),
        };
        while let Some((word, after)) = rest.split_first() {
            rest = match (*word, after) {
                ("--used", _) => {
                    options.used = true;
                    after
                }
                ("--expired", _) => {
                    options.expired = true;
                    after
                }
                ("--record", [file, after @ ..]) => {
                    options.record = file.into();
                    after
                }
                _ => return Err(USAGE),
            };
        }
        Ok(options)
    }
}

/// The dialogue at the terminal, and the calls of Plivo.
pub async fn run(config: Config, options: Options) -> Result<(), String> {
    let Upstream::Live(account) = config.upstream else {
        return Err(
            "PLIVO_MODE: --try-plivo asks Plivo itself; set live and the account".to_owned(),
        );
    };
    let listener = match &config.public_url {
        Some(public_url) => Some(Listener::start(config.listen, public_url)?),
        None => None,
    };
    let mut attempt = Try::new(account, listener, options)?;
    attempt.deliver().await?;
    attempt.check().await?;
    if attempt.options.used {
        attempt.check_again().await?;
    }
    if attempt.options.expired {
        attempt.outlive().await?;
    }
    attempt.finish()
}

struct Try {
    probe: Probe,
    account: Account,
    listener: Option<Listener>,
    options: Options,
    observations: Observations,
    session: String,
    otp: String,
}

impl Try {
    fn new(account: Account, listener: Option<Listener>, options: Options) -> Result<Self, String> {
        let number = options.recipient.as_str();
        let private = [
            number,
            number.trim_start_matches('+'),
            &account.auth_id,
            account.auth_token.expose_secret(),
            account.app_uuid.as_deref().unwrap_or_default(),
            listener
                .as_ref()
                .map_or("", |listener| listener.url.as_str()),
        ];
        let observations = Observations::new(Scrubber::new(private.map(str::to_owned)));
        Ok(Self {
            probe: Probe::new(account.clone()).map_err(|error| error.to_string())?,
            account,
            listener,
            options,
            observations,
            session: String::new(),
            otp: String::new(),
        })
    }

    /// Sends a code and resends it.
    async fn deliver(&mut self) -> Result<(), String> {
        say(&format!(
            "sending a code to {}",
            self.options.recipient.masked()
        ));
        let created = self.create().await?;
        let said = created.said(self.observations.scrubber());
        say(&self.observations.answered("create", &said));
        if !created.is_success() {
            return Err("Plivo did not take it; there is nothing more to try".to_owned());
        }
        self.session = self.session_of(&created)?;
        self.hear().await;
        self.otp = self.ask_for_code()?;

        say("sending it again, as for a second press on the button");
        let again = self.create().await?;
        let is_same = self
            .session_of(&again)
            .is_ok_and(|session| session == self.session);
        say(&self.observations.is(
            "second_create",
            if is_same {
                "the same session"
            } else {
                "a new session"
            },
        ));
        let answer =
            ask("Does the second message have the same code? (y, n, or nothing if none came)")?;
        match answer.as_str() {
            "y" | "yes" => say(&self.observations.is("second_code", "the same code")),
            "n" | "no" => {
                say(&self.observations.is("second_code", "another code"));
                self.session = self.session_of(&again)?;
                self.otp = self.ask_for_code()?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The callbacks, if Plivo can reach us.
    async fn hear(&mut self) {
        let Some(listener) = &mut self.listener else {
            say("PUBLIC_URL is not set: no callbacks are waited for");
            return;
        };
        say("waiting for callbacks, a minute at most");
        let told = listener.delivery().await;
        let (Some(first), url) = (told.first(), listener.url.clone()) else {
            say("DIFFERENT   no callback came: does PUBLIC_URL lead here?");
            return;
        };
        let mut statuses: Vec<&str> = told
            .iter()
            .filter_map(|it| it.field("ChannelStatus"))
            .collect();
        statuses.dedup();
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let recipient = match first.field("Recipient") {
            Some(text) if is_digits(text) => "digits",
            Some(text) if text.strip_prefix('+').is_some_and(is_digits) => "digits behind a plus",
            Some(_) => "another form",
            None => "none",
        };
        let facts = [
            (
                "callback_signature",
                first.signature(&url, &self.account.auth_token).to_owned(),
            ),
            ("callback_content_type", first.content_type().to_owned()),
            ("callback_parameters", first.names()),
            ("callback_statuses", statuses.join(" ")),
            ("callback_recipient", recipient.to_owned()),
        ];
        for (name, word) in facts {
            say(&self.observations.is(name, &word));
        }
    }

    /// Checks a wrong code, the right one, and a code of an unknown session.
    async fn check(&mut self) -> Result<(), String> {
        let wrong = another(&self.otp);
        self.validated("wrong_code", &self.session.clone(), &wrong)
            .await?;
        let right = self
            .validated("right_code", &self.session.clone(), &self.otp.clone())
            .await?;
        if !right.is_accepted(&self.account.accepted_messages, &self.session) {
            say("DIFFERENT   the service would not accept it: see PLIVO_ACCEPTED_MESSAGES");
        }
        let session = self.probe.retrieve(&self.session).await?;
        let status = session.field("status").as_str().unwrap_or("none");
        say(&self
            .observations
            .is("status_after_success", &status.to_lowercase()));
        let charges = session.field("charges");
        let charge = charges["validation_charge"].as_str().unwrap_or("0");
        // Prices are private to the account: printed, not recorded.
        if let Some(total) = charges["total_charge"].as_str() {
            say(&format!(
                "            charged so far, in US dollars: {}",
                self.observations.scrubber().clean(total)
            ));
        }
        let is_nothing = charge.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        say(&self.observations.is(
            "validation_charge",
            if is_nothing { "none" } else { "some" },
        ));
        self.validated("unknown_session", NOBODY, &wrong)
            .await
            .map(drop)
    }

    async fn check_again(&mut self) -> Result<(), String> {
        self.validated("used_code", &self.session.clone(), &self.otp.clone())
            .await
            .map(drop)
    }

    /// Checks an expired code, after some ten minutes.
    async fn outlive(&mut self) -> Result<(), String> {
        say("sending one more, to let it expire");
        let created = self.create().await?;
        let session = self.session_of(&created)?;
        let is_same = session == self.session;
        say(&self.observations.is(
            "create_after_success",
            if is_same {
                "the same session"
            } else {
                "a new session"
            },
        ));
        if is_same {
            return Ok(());
        }
        let otp = self.ask_for_code()?;
        say("waiting until Plivo calls it expired: as long as the application lets a code live");
        let end = tokio::time::Instant::now() + MAX_SESSION_LIFETIME;
        loop {
            let seen = self.probe.retrieve(&session).await?;
            let status = seen.field("status").as_str().unwrap_or_default();
            if !status.eq_ignore_ascii_case("in-progress") || tokio::time::Instant::now() > end {
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        self.validated("expired_code", &session, &otp)
            .await
            .map(drop)
    }

    fn finish(self) -> Result<(), String> {
        let (differing, all) = self.observations.counted();
        let text = self.observations.recording()?;
        let file = self.options.record.display();
        std::fs::write(&self.options.record, text).map_err(|error| format!("{file}: {error}"))?;
        say(&format!(
            "{differing} of {all} differ; recorded in {file}, without numbers, codes and ids"
        ));
        Ok(())
    }

    async fn create(&self) -> Result<Answer, String> {
        let callback = self.listener.as_ref().map(|listener| listener.url.as_str());
        self.probe
            .create(self.options.recipient.as_str(), callback)
            .await
    }

    async fn validated(&mut self, name: &str, session: &str, otp: &str) -> Result<Answer, String> {
        let answer = self.probe.validate(session, otp).await?;
        let said = answer.said(self.observations.scrubber());
        say(&self.observations.answered(name, &said));
        Ok(answer)
    }

    fn session_of(&mut self, created: &Answer) -> Result<String, String> {
        let session = created.field("session_uuid").as_str().unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if session.is_empty() || !session.bytes().all(is_plain) {
            return Err("Plivo's answer names no session".to_owned());
        }
        self.observations.scrubber().hide(session.to_owned());
        Ok(session.to_owned())
    }

    fn ask_for_code(&mut self) -> Result<String, String> {
        let otp = ask("The code that arrived:")?;
        if otp.is_empty() || !otp.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("that is no code".to_owned());
        }
        self.observations.scrubber().hide(otp.clone());
        self.observations.scrubber().hide(another(&otp));
        Ok(otp)
    }
}

/// A code that is wrong in its last digit.
fn another(otp: &str) -> String {
    let (head, last) = otp.split_at(otp.len().saturating_sub(1));
    let last: u32 = last.parse().unwrap_or_default();
    format!("{head}{}", (last + 1) % 10)
}

#[expect(
    clippy::print_stdout,
    reason = "it talks to the person at the terminal"
)]
fn say(line: &str) {
    println!("{line}");
}

#[expect(
    clippy::print_stdout,
    reason = "it talks to the person at the terminal"
)]
fn ask(question: &str) -> Result<String, String> {
    print!("{question} ");
    std::io::stdout().flush().ok();
    let mut line = String::new();
    let read = tokio::task::block_in_place(|| std::io::stdin().read_line(&mut line));
    match read {
        Ok(0) => Err("nobody answers".to_owned()),
        Ok(_) => Ok(line.trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
