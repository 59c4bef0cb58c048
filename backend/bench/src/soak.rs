//! Soak test: a mixed load for a long time; memory and descriptors must not grow.

use std::{
    collections::VecDeque,
    io,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    load::{Call, Load},
    plot::{Series, lines},
    print, say,
    subject::Subject,
    upstream::Upstream,
};

/// Few enough not to saturate the machine: growth is then a leak.
const CALLERS: usize = 8;
const SLICE: Duration = Duration::from_secs(5);
/// Allowed growth of memory from the second quarter to the last, as a ratio and in
/// additional megabytes: caches fill.
const GROWTH: f64 = 1.1;
const SLACK_MB: f64 = 2.0;
/// Descriptors that come and go with connections.
const SLACK_DESCRIPTORS: f64 = 8.0;

/// Measurements of one slice.
struct Sample {
    /// Seconds since the start.
    at: f64,
    resident: f64,
    descriptors: f64,
    p99: f64,
    failed: u64,
}

/// Runs for that long, plots the samples, and fails if something grew.
pub(crate) async fn run(binary: &Path, length: Duration, plot: &Path) -> io::Result<()> {
    let upstream = Upstream::start(Duration::ZERO)?;
    let mut samples = Vec::new();
    for subject in [
        Subject::sqlite(binary, upstream.address)?,
        Subject::redis(binary, upstream.address, 1)?,
    ] {
        say(&format!(
            "{} for {} seconds",
            subject.name,
            length.as_secs()
        ));
        samples.push((subject.name, soak(&subject, length).await?));
    }
    let of = |value: fn(&Sample) -> f64| -> Vec<Series> {
        let series = samples.iter().map(|(name, samples)| {
            let points = samples.iter().map(|it| (it.at, value(it)));
            ((*name).to_owned(), points.collect())
        });
        series.collect()
    };
    let charts = [
        ("Resident memory, in MB", of(|it| it.resident)),
        ("Open descriptors", of(|it| it.descriptors)),
        ("p99 of a request, in ms", of(|it| it.p99)),
    ];
    lines(&charts, "seconds", plot).map_err(|error| io::Error::other(error.to_string()))?;
    let mut grown = Vec::new();
    for (name, samples) in &samples {
        print(&summary(name, samples));
        grown.extend(growth(samples).map(|what| format!("{name}: {what}")));
    }
    if grown.is_empty() {
        Ok(())
    } else {
        Err(io::Error::other(grown.join("; ")))
    }
}

async fn soak(subject: &Subject, length: Duration) -> io::Result<Vec<Sample>> {
    let started = Instant::now();
    let mut samples = Vec::new();
    while started.elapsed() < length {
        let load = Load {
            addresses: &subject.addresses,
            call: Call::Mixed,
            length: SLICE,
        };
        let seen = load.closed(CALLERS, VecDeque::new()).await?;
        let usage = subject.usage();
        samples.push(Sample {
            at: started.elapsed().as_secs_f64(),
            resident: usage.resident,
            descriptors: usage.descriptors,
            p99: seen.waits.at(0.99),
            failed: seen.failed,
        });
    }
    Ok(samples)
}

/// The median of a quarter, counted from 0.
fn quarter(samples: &[Sample], which: usize, value: fn(&Sample) -> f64) -> f64 {
    let length = samples.len() / 4;
    let mut values: Vec<f64> = samples
        .iter()
        .skip(which * length)
        .take(length.max(1))
        .map(value)
        .collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Medians of the second quarter and of the last.
fn ends(samples: &[Sample], value: fn(&Sample) -> f64) -> (f64, f64) {
    (quarter(samples, 1, value), quarter(samples, 3, value))
}

/// Describes what grew although it must not, if anything did.
fn growth(samples: &[Sample]) -> Option<String> {
    let (early, late) = ends(samples, |it| it.resident);
    if late > early * GROWTH + SLACK_MB {
        return Some(format!("memory grew from {early:.1} to {late:.1} MB"));
    }
    let (early, late) = ends(samples, |it| it.descriptors);
    if late > early + SLACK_DESCRIPTORS {
        return Some(format!("descriptors grew from {early} to {late}"));
    }
    let failed: u64 = samples.iter().map(|it| it.failed).sum();
    (failed > 0).then(|| format!("{failed} requests failed"))
}

fn summary(name: &str, samples: &[Sample]) -> String {
    let memory = ends(samples, |it| it.resident);
    let descriptors = ends(samples, |it| it.descriptors);
    let p99 = ends(samples, |it| it.p99);
    format!(
        "{name}: {:.1} to {:.1} MB, {} to {} descriptors, p99 {:.2} to {:.2} ms, from the second quarter to the last",
        memory.0, memory.1, descriptors.0, descriptors.1, p99.0, p99.1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(resident: impl Fn(f64) -> f64, descriptors: impl Fn(f64) -> f64) -> Vec<Sample> {
        let times = (0..40_u8).map(f64::from);
        let sample = |at| Sample {
            at,
            resident: resident(at),
            descriptors: descriptors(at),
            p99: 1.0,
            failed: 0,
        };
        times.map(sample).collect()
    }

    #[test]
    fn initial_filling_is_not_growth() {
        let fills = samples(|at| 30.0 + at.min(8.0), |_| 40.0);
        assert_eq!(growth(&fills), None);
    }

    #[test]
    fn a_leak_is_growth() {
        let leaks = samples(|at| 30.0 + at, |_| 40.0);
        assert!(growth(&leaks).unwrap().starts_with("memory"));
        let leaks = samples(|_| 30.0, |at| 40.0 + at);
        assert!(growth(&leaks).unwrap().starts_with("descriptors"));
    }

    #[test]
    fn a_soak_with_a_failed_request_fails() {
        let mut one = samples(|_| 30.0, |_| 40.0);
        one[7].failed = 1;
        assert_eq!(growth(&one).unwrap(), "1 requests failed");
    }
}
