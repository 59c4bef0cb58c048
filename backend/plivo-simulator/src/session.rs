//! Sessions as Plivo keeps them: one for each recipient while a code lives.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use crate::{
    bill::{self, Charged, money},
    outcome::{Outcome, Step},
    request::CreateRequest,
    settings::Settings,
};

pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) app_uuid: String,
    /// Digits only, as in Plivo's answers.
    pub(crate) recipient: String,
    pub(crate) otp: String,
    /// The caller chose the code (and may check it without Plivo).
    pub(crate) custom_otp: bool,
    pub(crate) verified: bool,
    pub(crate) validations: u32,
    pub(crate) created_at: SystemTime,
    pub(crate) expires_at: SystemTime,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) requestor_ip: String,
}

pub(crate) struct Attempt {
    pub(crate) id: String,
    pub(crate) channel: String,
    pub(crate) locale: String,
    pub(crate) brand_name: Option<String>,
    pub(crate) app_hash: Option<String>,
    pub(crate) code_length: Option<u64>,
    pub(crate) dtmf: Option<i64>,
    pub(crate) fraud_check: Option<String>,
    pub(crate) started_at: SystemTime,
    pub(crate) steps: &'static [Step],
    pub(crate) arrives: Option<Duration>,
}

impl Session {
    pub(crate) fn status(&self, now: SystemTime) -> &'static str {
        if self.verified {
            "verified"
        } else if now < self.expires_at {
            "in-progress"
        } else {
            "expired"
        }
    }

    /// A further create for the same recipient finds this session.
    pub(crate) fn is_open(&self, now: SystemTime) -> bool {
        self.status(now) == "in-progress"
    }

    pub(crate) fn add_attempt(&mut self, request: &CreateRequest, now: SystemTime) {
        let outcome = Outcome::of(&self.recipient);
        let number = self.attempts.len() + 1;
        self.attempts.push(Attempt {
            id: crate::random::uuid(),
            channel: request.channel.clone(),
            locale: request.locale.clone(),
            brand_name: request.brand_name.clone(),
            app_hash: request.app_hash.clone(),
            code_length: request.code_length,
            dtmf: request.dtmf,
            fraud_check: request.fraud_check.clone(),
            started_at: now,
            steps: outcome.steps(&request.channel, number),
            arrives: outcome.arrives(number),
        });
    }

    /// All charges: each attempt, and the check once it succeeded.
    pub(crate) fn charged(&self, for_validation: u32) -> Vec<Charged> {
        let country = country(&self.recipient);
        let line = |channel: &str, charge| Charged {
            country,
            channel: channel.to_owned(),
            charge,
        };
        let attempts = self.attempts.iter();
        let mut lines: Vec<Charged> = attempts
            .map(|attempt| line(&attempt.channel, self.charge(attempt)))
            .collect();
        if self.verified {
            lines.push(line("validation", for_validation));
        }
        lines
    }

    fn charge(&self, attempt: &Attempt) -> u32 {
        bill::charge(&self.recipient, country(&self.recipient), &attempt.channel)
    }

    /// The session as retrieve and list return it.
    pub(crate) fn as_json(&self, now: SystemTime, settings: &Settings) -> Map<String, Value> {
        let last = self.attempts.last();
        let attempts: Vec<Value> = self
            .attempts
            .iter()
            .map(|attempt| attempt.as_json(now, settings.speed))
            .collect();
        let charges: Vec<Value> = self
            .attempts
            .iter()
            .map(|attempt| {
                json!({
                    "attempt_uuid": attempt.id,
                    "channel": attempt.channel,
                    "charge": money(self.charge(attempt)),
                })
            })
            .collect();
        let bill = self.charged(settings.validation_charge);
        let total: u32 = bill.iter().map(|line| line.charge).sum();
        let for_validation = if self.verified {
            money(settings.validation_charge)
        } else {
            "0".to_owned()
        };
        let updated_at = last.map_or(self.created_at, |attempt| attempt.started_at);
        let answer = json!({
            "session_uuid": self.id,
            "app_uuid": self.app_uuid,
            "alias": "simulator",
            "recipient": self.recipient,
            "channel": last.map_or("sms", |attempt| attempt.channel.as_str()),
            "locale": last.map_or("en", |attempt| attempt.locale.as_str()),
            "status": match self.status(now) {
                "verified" => settings.verified_status.as_str(),
                status => status,
            },
            "count": self.attempts.len(),
            "requestor_ip": self.requestor_ip,
            "destination_country_iso2": country(&self.recipient),
            "destination_network": null,
            "attempt_details": if attempts.is_empty() { Value::Null } else { attempts.into() },
            "charges": {
                "total_charge": money(total),
                "validation_charge": for_validation,
                "attempt_charges": if charges.is_empty() { Value::Null } else { charges.into() },
            },
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(updated_at),
        });
        match answer {
            Value::Object(answer) => answer,
            _ => Map::new(),
        }
    }
}

impl Attempt {
    /// The step that the delivery has reached.
    pub(crate) fn step(&self, now: SystemTime, speed: f64) -> &'static Step {
        let elapsed = now
            .duration_since(self.started_at)
            .unwrap_or_default()
            .mul_f64(speed);
        self.steps
            .iter()
            .rev()
            .find(|step| step.after <= elapsed)
            .unwrap_or(&self.steps[0])
    }

    /// When the pretend phone receives it, if ever.
    pub(crate) fn arrives_at(&self, speed: f64) -> Option<SystemTime> {
        Some(self.started_at + self.arrives?.div_f64(speed))
    }

    fn as_json(&self, now: SystemTime, speed: f64) -> Value {
        let mut details = json!({
            "channel": self.channel,
            "attempt_uuid": self.id,
            "status": self.step(now, speed).status,
            "time": rfc3339(self.started_at),
        });
        for (name, value) in [
            ("brand_name", self.brand_name.clone().map(Value::from)),
            ("app_hash", self.app_hash.clone().map(Value::from)),
            ("code_length", self.code_length.map(Value::from)),
            ("dtmf", self.dtmf.map(Value::from)),
            ("fraud_check", self.fraud_check.clone().map(Value::from)),
        ] {
            if let Some(value) = value {
                details[name] = value;
            }
        }
        details
    }
}

pub(crate) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_micros(time).to_string()
}

/// Enough countries for a simulated network; empty if the country is unknown, as in Plivo's
/// answers.
pub(crate) fn country(recipient: &str) -> &'static str {
    const CALLING_CODES: [(&str, &str); 8] = [
        ("1", "US"),
        ("33", "FR"),
        ("34", "ES"),
        ("39", "IT"),
        ("44", "GB"),
        ("49", "DE"),
        ("55", "BR"),
        ("91", "IN"),
    ];
    CALLING_CODES
        .iter()
        .find(|(code, _)| recipient.starts_with(code))
        .map_or("", |(_, country)| country)
}
