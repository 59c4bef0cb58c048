//! The log: one line per event, as text or as JSON.

mod context;
mod line;
mod lines;
mod request_id;
mod trace_id;

use std::io::Write;

use env_logger::{Builder, Logger, Target};
use log::{LevelFilter, Metadata, Record};

use self::lines::Lines;
pub use self::{
    context::{Context, carried, note, request_id},
    request_id::RequestId,
    trace_id::trace_id,
};

/// How the log is written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// One JSON object a line, for machines.
    pub json: bool,
    /// What is written, in `env_logger`'s words.
    pub filter: String,
}

/// Starts the log, with the defaults when the settings cannot be read.
pub fn start(settings: Option<&Settings>) {
    let (json, filter) = settings.map_or((false, "info"), |log| (log.json, log.filter.as_str()));
    let lines = Lines::to(std::io::stderr());
    let logger = Builder::new()
        // A line for each stranger whose bytes are no HTTP, as often as he likes.
        .filter_module("actix_http", LevelFilter::Off)
        .parse_filters(filter)
        .target(Target::Pipe(Box::new(lines.clone())))
        .format(move |out, record| {
            out.write_all(&if json {
                line::as_json(record)
            } else {
                line::as_text(record)
            })
        })
        .build();
    log::set_max_level(logger.filter());
    let logger = Guarded { logger, lines };
    // A second start, in tests, changes nothing.
    log::set_boxed_logger(Box::new(logger)).ok();
    std::panic::set_hook(Box::new(|panic| {
        // The place only: the message may hold what a caller sent.
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        log::error!(event = "panic", place = place.as_str(); "a panic");
        // It may be the end.
        flush();
    }));
}

/// Waits until all that was logged is written, or for a moment where nobody reads
/// it. To be called before the process ends.
pub fn flush() {
    log::logger().flush();
}

/// Libraries write requests and answers, with numbers and codes, at debug level.
/// So they are held at info whatever the filter says; our own code has no such
/// line at any level.
struct Guarded {
    logger: Logger,
    lines: Lines,
}

impl log::Log for Guarded {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("countersign");
        let most = if ours {
            LevelFilter::Trace
        } else {
            LevelFilter::Info
        };
        metadata.level() <= most && self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.logger.log(record);
        }
    }

    fn flush(&self) {
        self.lines.flush();
    }
}
