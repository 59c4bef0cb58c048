//! Formats an event as one line.

use std::{io::Write, time::SystemTime};

use log::{
    Level, Record,
    kv::{self, Key, Value, VisitSource},
};

use super::context::{Context, Field};

/// Initial capacity, longer than most lines.
const USUAL_LENGTH: usize = 320;

/// Fields.
#[derive(Default)]
struct Fields<'a>(Vec<(Key<'a>, Value<'a>)>);

impl<'a> VisitSource<'a> for Fields<'a> {
    fn visit_pair(&mut self, name: Key<'a>, value: Value<'a>) -> Result<(), kv::Error> {
        self.0.push((name, value));
        Ok(())
    }
}

impl<'a> Fields<'a> {
    fn of(record: &'a Record<'a>, context: &'a [Field]) -> Self {
        let mut fields = Self(Vec::with_capacity(12));
        record.key_values().visit(&mut fields).ok();
        // Every line of a request has this field.
        for (name, value) in context {
            fields.push(name, value.as_str());
        }
        fields
    }

    fn push(&mut self, name: &'static str, value: impl Into<Value<'a>>) {
        self.0.push((Key::from_str(name), value.into()));
    }

    /// Sorted by name; of two with the same name, the later.
    fn sorted(mut self) -> Vec<(Key<'a>, Value<'a>)> {
        self.0
            .sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        self.0.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        self.0
    }
}

fn time() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

/// The fields as a JSON object.
pub(super) fn as_json(record: &Record<'_>) -> Vec<u8> {
    let (time, context) = (time(), Context::fields());
    let mut fields = Fields::of(record, &context);
    fields.push("time", time.as_str());
    fields.push("level", level(record.level()));
    fields.push("target", record.target());
    fields.push("message", Value::from_display(record.args()));
    let mut line = Vec::with_capacity(USUAL_LENGTH);
    let mut before = b'{';
    for (name, value) in fields.sorted() {
        line.push(before);
        write_json(&mut line, name.as_str());
        line.push(b':');
        write_json(&mut line, &value);
        before = b',';
    }
    line.extend_from_slice(b"}\n");
    line
}

/// As text.
pub(super) fn as_text(record: &Record<'_>) -> Vec<u8> {
    let context = Context::fields();
    // Escaped, so that a line break in a library's message cannot fake a line of ours.
    let message = record.args().to_string().replace(['\n', '\r'], " ");
    let mut line = format!("{} {:5} {message}", time(), level(record.level())).into_bytes();
    for (name, value) in Fields::of(record, &context).sorted() {
        write!(line, " {name}=").ok();
        write_json(&mut line, &value);
    }
    line.push(b'\n');
    line
}

fn write_json<T: serde::Serialize + ?Sized>(line: &mut Vec<u8>, value: &T) {
    let start = line.len();
    if serde_json::to_writer(&mut *line, value).is_err() {
        line.truncate(start);
        line.extend_from_slice(b"null");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn as_lines(fields: &[(&str, Value<'_>)]) -> [String; 2] {
        let fields = fields.to_vec();
        let message = format_args!("two\nlines \"quoted\"");
        let record = Record::builder()
            .level(Level::Warn)
            .target("countersign::x")
            .key_values(&fields)
            .args(message)
            .build();
        [as_json(&record), as_text(&record)].map(|line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn a_line_has_its_fields_by_name_and_each_once() {
        let [json, text] = as_lines(&[
            ("status", Value::from(200)),
            ("event", Value::from("http.request")),
            ("status", Value::from(404)),
            ("time", Value::from("never")),
        ]);
        let (before, after) = json.split_once("\"time\":\"").unwrap();
        assert_eq!(
            before,
            r#"{"event":"http.request","level":"warn","message":"two\nlines \"quoted\"","status":404,"target":"countersign::x","#
        );
        assert_eq!((after.len(), &after[24..]), (27, "\"}\n"));
        let (time, text) = text.split_at(24);
        assert!(time.ends_with('Z'), "{time}");
        assert_eq!(
            text,
            " warn  two lines \"quoted\" event=\"http.request\" status=404 time=\"never\"\n"
        );
    }
}
