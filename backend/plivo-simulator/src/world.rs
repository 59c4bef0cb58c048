//! The simulator's state, and the four operations on it.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    clock::Clock,
    random,
    request::{self, CreateRequest},
    session::{Session, rfc3339},
    settings::{AnswerText, Settings},
};

/// Maximum sessions and requests remembered; the oldest are dropped.
const REMEMBERED: usize = 10_000;

/// A message on a pretend phone.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// E.164, with `+`.
    pub recipient: String,
    /// `sms`, `voice` or `whatsapp`.
    pub channel: String,
    /// The code.
    pub otp: String,
    /// What the phone shows, or what the call says.
    pub text: String,
    /// When it arrived, RFC 3339 in UTC.
    pub time: String,
}

/// Number of authorised requests to each operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Creates: new sessions and further deliveries.
    pub create: u64,
    /// Checks of a code.
    pub validate: u64,
    /// Reads of one session.
    pub retrieve: u64,
    /// Reads of the list.
    pub list: u64,
}

/// A received request.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// The method, in upper case.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The header `Content-Type`, if there is one.
    pub content_type: Option<String>,
    /// The body.
    pub body: String,
}

pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    /// Oldest first.
    pub(crate) sessions: VecDeque<Session>,
    pub(crate) calls: Calls,
    pub(crate) received: VecDeque<ReceivedRequest>,
    requests: VecDeque<SystemTime>,
    lists: VecDeque<SystemTime>,
}

/// The result of a create, for the reporter of its delivery.
pub(crate) struct Created {
    pub(crate) session_id: String,
    /// Counted from 0.
    pub(crate) attempt: usize,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            clock: Clock::start(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn received(&self, request: ReceivedRequest) {
        let mut state = self.lock();
        if state.received.len() == REMEMBERED {
            state.received.pop_front();
        }
        state.received.push_back(request);
    }

    /// Whether the account's rate limit admits this request.
    pub(crate) fn admits_request(&self) -> bool {
        let now = self.clock.now();
        let limit = self.settings.requests_per_5s;
        admits(
            &mut self.lock().requests,
            now,
            Duration::from_secs(5),
            limit,
        )
    }

    /// Whether the list's rate limit admits this request.
    pub(crate) fn admits_list(&self) -> bool {
        let now = self.clock.now();
        let limit = self.settings.lists_per_minute;
        admits(&mut self.lock().lists, now, Duration::from_mins(1), limit)
    }

    pub(crate) fn create(
        &self,
        request: &CreateRequest,
        requestor_ip: String,
    ) -> Result<Created, AnswerText> {
        if !self.settings.channels.contains(&request.channel) {
            return Err(AnswerText::new(400, "channel not enabled for application"));
        }
        let now = self.clock.now();
        let mut state = self.lock();
        let app_uuid = request.app_uuid.clone().unwrap_or_default();
        let settings = &self.settings;
        let open = state.sessions.iter().position(|session| {
            let is_found = if session.verified {
                settings.reuses_verified_session && now < session.expires_at
            } else {
                settings.reuses_open_session && session.is_open(now)
            };
            is_found && session.recipient == request.recipient && session.app_uuid == app_uuid
        });
        let index = if let Some(index) = open {
            let attempts = state.sessions[index].attempts.len();
            if attempts >= usize::try_from(self.settings.max_attempts).unwrap_or(usize::MAX) {
                return Err(self.settings.too_many_attempts.clone());
            }
            index
        } else {
            if state.sessions.len() == REMEMBERED {
                state.sessions.pop_front();
            }
            let length = request
                .code_length
                .unwrap_or(u64::from(self.settings.otp_length));
            let otp = request
                .otp
                .clone()
                .unwrap_or_else(|| random::digits(usize::try_from(length).unwrap_or_default()));
            state.sessions.push_back(Session {
                id: random::uuid(),
                app_uuid,
                recipient: request.recipient.clone(),
                otp,
                custom_otp: request.otp.is_some(),
                verified: false,
                validations: 0,
                created_at: now,
                expires_at: now + self.settings.session_lifetime,
                attempts: Vec::new(),
                requestor_ip,
            });
            state.sessions.len() - 1
        };
        let session = &mut state.sessions[index];
        session.add_attempt(request, now);
        Ok(Created {
            session_id: session.id.clone(),
            attempt: session.attempts.len() - 1,
        })
    }

    pub(crate) fn validate(
        &self,
        session_id: &str,
        body: &Map<String, Value>,
    ) -> Result<(), AnswerText> {
        let now = self.clock.now();
        let mut state = self.lock();
        let session = state
            .sessions
            .iter_mut()
            .find(|session| session.id == session_id)
            .ok_or_else(|| self.settings.unknown_session.clone())?;
        let otp = request::text(body, "otp");
        if otp.is_none() && !session.custom_otp {
            return Err(AnswerText::new(400, "otp is required"));
        }
        if session.verified {
            return Err(self.settings.already_verified.clone());
        }
        if !session.is_open(now) {
            return Err(self.settings.expired.clone());
        }
        if session.validations >= self.settings.max_validations {
            return Err(self.settings.too_many_validations.clone());
        }
        session.validations += 1;
        // Compared as text: a leading zero is part of a code.
        if otp.is_some_and(|otp| otp != session.otp) {
            return Err(self.settings.wrong_otp.clone());
        }
        session.verified = true;
        Ok(())
    }

    pub(crate) fn retrieve(&self, session_id: &str) -> Result<Map<String, Value>, AnswerText> {
        self.with_session(session_id, |session, now| {
            session.as_json(now, &self.settings)
        })
        .ok_or_else(|| self.settings.unknown_session.clone())
    }

    /// The sessions selected by `keep`, newest first.
    pub(crate) fn list(
        &self,
        keep: impl Fn(&Session, &Map<String, Value>) -> bool,
    ) -> Vec<Map<String, Value>> {
        let now = self.clock.now();
        self.lock()
            .sessions
            .iter()
            .rev()
            .map(|session| (session, session.as_json(now, &self.settings)))
            .filter(|(session, json)| keep(session, json))
            .map(|(_, json)| json)
            .collect()
    }

    pub(crate) fn with_session<T>(
        &self,
        session_id: &str,
        look: impl FnOnce(&Session, SystemTime) -> T,
    ) -> Option<T> {
        let now = self.clock.now();
        let state = self.lock();
        let session = state
            .sessions
            .iter()
            .find(|session| session.id == session_id);
        session.map(|session| look(session, now))
    }

    /// The newest session of any other number.
    pub(crate) fn session_of_another(&self, recipient: &str) -> Option<String> {
        let state = self.lock();
        let mut sessions = state.sessions.iter().rev();
        let other = sessions.find(|session| session.recipient != recipient);
        other.map(|session| session.id.clone())
    }

    /// Messages received so far on the pretend phones, newest first.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let now = self.clock.now();
        let state = self.lock();
        let mut messages: Vec<(SystemTime, Message)> = Vec::new();
        for session in &state.sessions {
            for attempt in &session.attempts {
                let Some(time) = attempt.arrives_at(self.settings.speed) else {
                    continue;
                };
                if time <= now {
                    let brand = attempt
                        .brand_name
                        .as_ref()
                        .unwrap_or(&self.settings.brand_name);
                    messages.push((time, message(session, &attempt.channel, brand, time)));
                }
            }
        }
        messages.sort_by(|(one, _), (other, _)| other.cmp(one));
        messages.into_iter().map(|(_, message)| message).collect()
    }
}

fn message(session: &Session, channel: &str, brand: &str, time: SystemTime) -> Message {
    let text = if channel == "voice" {
        let spoken: Vec<String> = session.otp.chars().map(String::from).collect();
        format!(
            "Hello. Your {brand} code is {} (code {})",
            spoken.join(", "),
            session.otp
        )
    } else {
        format!("{} is your {brand} verification code.", session.otp)
    };
    Message {
        recipient: format!("+{}", session.recipient),
        channel: channel.to_owned(),
        otp: session.otp.clone(),
        text,
        time: rfc3339(time),
    }
}

fn admits(
    times: &mut VecDeque<SystemTime>,
    now: SystemTime,
    window: Duration,
    limit: usize,
) -> bool {
    while times.front().is_some_and(|time| *time + window <= now) {
        times.pop_front();
    }
    let admitted = times.len() < limit;
    if admitted {
        times.push_back(now);
    }
    admitted
}
