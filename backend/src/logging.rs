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

/// Format of the log.
#[derive(Clone, Debug)]
pub struct Settings {
    /// One JSON object per line.
    pub json: bool,
    /// The filter, in `env_logger`'s syntax.
    pub filter: String,
}

/// Starts the log, with defaults if the settings are invalid.
pub fn start(settings: Option<&Settings>) {
    let (json, filter) = settings.map_or((false, "info"), |log| (log.json, log.filter.as_str()));
    let lines = Lines::to(std::io::stderr());
    let logger = Builder::new()
        // actix_http logs every malformed request: anyone could flood the log.
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
    // A second start, in tests, has no effect.
    log::set_boxed_logger(Box::new(logger)).ok();
    std::panic::set_hook(Box::new(|panic| {
        // Only the location: the message may contain what a caller sent.
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        log::error!(event = "panic", place = place.as_str(); "a panic");
        // The process may be about to end.
        flush();
    }));
}

/// Flushes the log, with a timeout. To be called before the process ends.
pub fn flush() {
    log::logger().flush();
}

/// Libraries log requests and responses, with numbers and codes, at debug level. They are
/// kept at info whatever the filter says; our own code has no such line at any level.
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
