//! The list of sessions: filters and pages.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use serde_json::{Map, Value, json};

use crate::{session::Session, world::World};

/// Without a time filter, the list covers this period (Plivo: list sessions).
const WINDOW: Duration = Duration::from_hours(24);

/// One page, or the error in the query.
pub(crate) fn page(world: &World, path: &str, query: &str) -> Result<Value, &'static str> {
    let query: HashMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let number = |name: &str, usual: usize| match query.get(name) {
        None => Ok(usual),
        Some(text) => text.parse::<usize>().map_err(|_| ()),
    };
    let limit = number("limit", 20)
        .ok()
        .filter(|limit| (1..=20).contains(limit))
        .ok_or("limit must be between 1 and 20")?;
    let offset = number("offset", 0).map_err(|()| "offset is invalid")?;
    let times = Times::read(&query, world.clock.now())?;
    let sessions = world
        .list(|session, json| times.hold(session.created_at) && matches(&query, session, json));
    let link = |offset: usize| format!("{path}?limit={limit}&offset={offset}");
    let next = (offset + limit < sessions.len()).then(|| link(offset + limit));
    let previous = (offset > 0).then(|| link(offset.saturating_sub(limit)));
    let page: Vec<_> = sessions.into_iter().skip(offset).take(limit).collect();
    Ok(json!({
        "meta": {"limit": limit, "offset": offset, "next": next, "previous": previous},
        "sessions": page,
    }))
}

fn matches(query: &HashMap<String, String>, session: &Session, json: &Map<String, Value>) -> bool {
    let asked = |name: &str| query.get(name).filter(|value| !value.is_empty());
    let plain = [
        ("app_uuid", "app_uuid"),
        ("alias", "alias"),
        ("country", "destination_country_iso2"),
    ];
    let last = session.attempts.last();
    asked("status")
        .is_none_or(|status| json["status"].as_str() == Some(&status.to_ascii_lowercase()))
        && asked("recipient")
            .is_none_or(|recipient| recipient.trim_start_matches(['+', ' ']) == session.recipient)
        && plain.iter().all(|(name, field)| {
            asked(name).is_none_or(|value| json[*field].as_str() == Some(value))
        })
        && asked("brand_name").is_none_or(|brand| {
            last.is_some_and(|attempt| attempt.brand_name.as_ref() == Some(brand))
        })
        && asked("app_hash")
            .is_none_or(|hash| last.is_some_and(|attempt| attempt.app_hash.as_ref() == Some(hash)))
}

/// The bounds on a session's creation.
struct Times {
    from: SystemTime,
    /// Inclusive.
    to: SystemTime,
    exact: Option<SystemTime>,
}

impl Times {
    fn read(query: &HashMap<String, String>, now: SystemTime) -> Result<Self, &'static str> {
        let tick = Duration::from_micros(1);
        let mut times = Self {
            from: now - WINDOW,
            to: now,
            exact: None,
        };
        let mut bounded = false;
        for (name, value) in query {
            let Some(kind) = name.strip_prefix("session_time") else {
                continue;
            };
            let time = time(value).ok_or("session_time is invalid")?;
            if !bounded {
                times.from = SystemTime::UNIX_EPOCH;
                bounded = true;
            }
            match kind {
                "" => times.exact = Some(time),
                "__gt" => times.from = time + tick,
                "__gte" => times.from = time,
                "__lt" => times.to = time - tick,
                "__lte" => times.to = time,
                _ => {}
            }
        }
        Ok(times)
    }

    fn hold(&self, time: SystemTime) -> bool {
        self.from <= time && time <= self.to && self.exact.is_none_or(|exact| exact == time)
    }
}

/// `YYYY-MM-DD HH:MM`, optionally with seconds and a fraction, in UTC.
fn time(text: &str) -> Option<SystemTime> {
    let text = if text.len() == 16 {
        format!("{text}:00")
    } else {
        text.to_owned()
    };
    humantime::parse_rfc3339_weak(&text).ok()
}
