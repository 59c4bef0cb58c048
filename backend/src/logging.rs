//! The log: one line per event, as text or as JSON.

use std::{collections::BTreeMap, io::Write, time::SystemTime};

use env_logger::{Builder, Logger};
use log::{
    Level, LevelFilter, Metadata, Record,
    kv::{self, Key, Value, VisitSource},
};

use crate::{config::Log, request_id::RequestId};

/// Starts the log, with the defaults when the settings cannot be read.
pub fn start(settings: Option<&Log>) {
    let (json, filter) = settings.map_or((false, "info"), |log| (log.json, log.filter.as_str()));
    let logger = Builder::new()
        // A line for each stranger whose bytes are no HTTP, as often as he likes.
        .filter_module("actix_http", LevelFilter::Off)
        .parse_filters(filter)
        .format(move |out, record| {
            let line = if json {
                as_json(record)
            } else {
                as_text(record)
            };
            writeln!(out, "{line}")
        })
        .build();
    log::set_max_level(logger.filter());
    // A second start, in tests, changes nothing.
    log::set_boxed_logger(Box::new(Guarded(logger))).ok();
    std::panic::set_hook(Box::new(|panic| {
        // The place only: the message may hold what a caller sent.
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        log::error!(event = "panic", place = place.as_str(); "a panic");
    }));
}

/// Libraries write requests and answers, with numbers and codes, at debug level.
/// So they are held at info whatever the filter says; our own code has no such
/// line at any level.
struct Guarded(Logger);

impl log::Log for Guarded {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("countersign");
        let most = if ours {
            LevelFilter::Trace
        } else {
            LevelFilter::Info
        };
        metadata.level() <= most && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// A record's named values, in the order of their names.
#[derive(Default)]
struct Fields(BTreeMap<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let value = serde_json::to_value(&value).unwrap_or_default();
        self.0.insert(key.to_string(), value);
        Ok(())
    }
}

fn fields(record: &Record<'_>) -> BTreeMap<String, serde_json::Value> {
    let mut fields = Fields::default();
    record.key_values().visit(&mut fields).ok();
    // So that all lines of one request are found by one name.
    if let Some(id) = RequestId::current() {
        fields.0.insert("request_id".into(), id.to_string().into());
    }
    fields.0
}

fn time() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

fn as_json(record: &Record<'_>) -> String {
    let mut fields = fields(record);
    fields.insert("time".into(), time().into());
    fields.insert("level".into(), level(record.level()).into());
    fields.insert("target".into(), record.target().into());
    fields.insert("message".into(), record.args().to_string().into());
    serde_json::to_string(&fields).unwrap_or_default()
}

fn as_text(record: &Record<'_>) -> String {
    // A line break from a library must not look like a line of ours.
    let message = record.args().to_string().replace(['\n', '\r'], " ");
    let mut line = format!("{} {:5} {message}", time(), level(record.level()));
    for (name, value) in fields(record) {
        line += &format!(" {name}={value}");
    }
    line
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}
