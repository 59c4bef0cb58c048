//! Figures as Markdown tables, compared with the targets.

use crate::{CALLERS, FAR, FAR_CALLERS};

/// Names of the calls, in the order of their figures.
pub(crate) const CALL_NAMES: [&str; 3] = ["send", "verify", "mixed"];

/// Figures of one load.
#[derive(Clone, Copy, Default)]
pub(crate) struct Figure {
    pub(crate) per_second: f64,
    /// In milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// CPU time of the service per request, in microseconds.
    pub(crate) cpu: f64,
    /// CPU time of Redis per request.
    pub(crate) store_cpu: f64,
    /// Megabytes.
    pub(crate) resident: f64,
    /// Connections made to the upstream meanwhile.
    pub(crate) connections: u64,
    /// Unexpected answers.
    pub(crate) failed: u64,
}

impl Figure {
    /// Its rate as a ratio of another's.
    pub(crate) fn of(&self, limit: &Self) -> f64 {
        self.per_second / limit.per_second
    }

    /// CPU time per request, of the service and of Redis.
    pub(crate) fn whole_cpu(&self) -> f64 {
        self.cpu + self.store_cpu
    }
}

/// The name of a row, and a figure for each call.
pub(crate) type Row<const CALLS: usize> = (&'static str, [Figure; CALLS]);

/// Cost of a send and a check with that many live sessions.
pub(crate) struct Growth {
    pub(crate) live: u64,
    pub(crate) send: Figure,
    pub(crate) check: Figure,
    /// Megabytes.
    pub(crate) store_size: f64,
}

/// Figures of a whole run. In each table the pass-through is first, SQLite second, Redis
/// with one instance third.
pub(crate) struct Measured {
    /// Closed load.
    pub(crate) closed: Vec<Row<3>>,
    /// Sends at [`STEADY_RATE`](crate::suite::STEADY_RATE).
    pub(crate) steady: Vec<Row<1>>,
    /// With a distant upstream.
    pub(crate) distant: Vec<Row<3>>,
    pub(crate) grown: Vec<(&'static str, Vec<Growth>)>,
}

/// The median round, by rate.
pub(crate) fn median(mut rounds: Vec<Figure>) -> Figure {
    rounds.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    let middle = rounds.len() / 2;
    rounds.get(middle).copied().unwrap_or_default()
}

/// Header of a table of figures.
const HEAD: &str = "\
| what | call | a second | ratio | p50 ms | p99 ms | p99.9 ms | CPU µs | of Redis | MB | connections | failed |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

/// A table of figures, with ratios to the first row, the baseline.
pub(crate) fn table<const CALLS: usize>(rows: &[Row<CALLS>]) -> String {
    let mut lines = vec![HEAD.to_owned()];
    for (name, figures) in rows {
        let calls = CALL_NAMES.iter().zip(figures).enumerate();
        lines.extend(
            calls.map(|(index, (call, figure))| row(name, call, figure, &rows[0].1[index])),
        );
    }
    lines.join("\n")
}

fn row(what: &str, call: &str, figure: &Figure, limit: &Figure) -> String {
    format!(
        "| {what} | {call} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {} | {} |",
        figure.per_second,
        figure.of(limit),
        figure.p50,
        figure.p99,
        figure.p999,
        figure.cpu,
        figure.store_cpu,
        figure.resident,
        figure.connections,
        figure.failed
    )
}

impl Measured {
    /// As Markdown, with the plots in `plots`.
    pub(crate) fn document(&self, plots: &str) -> String {
        let parts = [
            "## At 500 sends a second".to_owned(),
            "Sends come at this rate whether those before were answered or not; latency counts from the moment each was due.".to_owned(),
            format!("![Latency of a send at 500 a second]({plots}/steady.svg)"),
            table(&self.steady),
            "## At full load".to_owned(),
            format!("{CALLERS} callers, an upstream that answers at once."),
            format!("![Requests a second, of the pass-through's]({plots}/throughput.svg)"),
            table(&self.closed),
            format!("## Behind {} ms", FAR.as_millis()),
            format!("{FAR_CALLERS} callers."),
            table(&self.distant),
            "## More and more live sessions".to_owned(),
            format!("![Processor time of a request, by live sessions]({plots}/growth.svg)"),
            self.growth(),
            "## Targets".to_owned(),
            self.targets(),
        ];
        parts.join("\n\n")
    }

    fn growth(&self) -> String {
        let mut lines = vec![GROWTH_HEAD.to_owned()];
        for (name, figures) in &self.grown {
            lines.extend(figures.iter().map(|grown| {
                let Growth { live, send, check, store_size } = grown;
                format!(
                    "| {name} | {live} | {:.0} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} | {store_size:.0} |",
                    send.per_second,
                    send.p50,
                    send.p99,
                    send.whole_cpu(),
                    check.per_second,
                    check.whole_cpu(),
                    send.resident,
                )
            }));
        }
        lines.join("\n")
    }

    /// The largest ratio of the cost with the most sessions to that with the fewest.
    fn steepest(&self) -> f64 {
        let ends = self.grown.iter().filter_map(|(_, figures)| {
            let (first, last) = (figures.first()?, figures.last()?);
            let send = last.send.whole_cpu() / first.send.whole_cpu();
            let check = last.check.whole_cpu() / first.check.whole_cpu();
            Some(send.max(check))
        });
        ends.fold(0.0, f64::max)
    }

    fn targets(&self) -> String {
        let ratio =
            |subject: usize, call: usize| self.closed[subject].1[call].of(&self.closed[0].1[call]);
        let of_one = |call: usize| self.closed[3].1[call].of(&self.closed[2].1[call]);
        let sqlite = &self.closed[1].1;
        let resident = sqlite.iter().map(|it| it.resident).fold(0.0, f64::max);
        let added = |subject: usize, percentile: fn(&Figure) -> f64| {
            let figure = |subject: usize| percentile(&self.steady[subject].1[0]);
            figure(subject) - figure(0)
        };
        let at_least = |name, measured, limit| Bar {
            name,
            measured,
            limit,
            at_least: true,
        };
        let under = |name, measured, limit| Bar {
            name,
            measured,
            limit,
            at_least: false,
        };
        let bars = [
            at_least("SQLite, send, of the pass-through", ratio(1, 0), 0.33),
            at_least("SQLite, verify, of the pass-through", ratio(1, 1), 0.3),
            at_least("Redis, send, of the pass-through", ratio(2, 0), 0.33),
            at_least("Redis, verify, of the pass-through", ratio(2, 1), 0.3),
            at_least("Redis, send, three instances, of one", of_one(0), 0.8),
            at_least("Redis, verify, three instances, of one", of_one(1), 0.8),
            under(
                "SQLite, added p50 at 500 a second, ms",
                added(1, |it| it.p50),
                1.0,
            ),
            under(
                "SQLite, added p99 at 500 a second, ms",
                added(1, |it| it.p99),
                3.0,
            ),
            under(
                "Redis, added p50 at 500 a second, ms",
                added(2, |it| it.p50),
                1.0,
            ),
            under(
                "Redis, added p99 at 500 a second, ms",
                added(2, |it| it.p99),
                3.0,
            ),
            under("SQLite, resident MB at 32 connections", resident, 40.0),
            under(
                "cost with the most live sessions, of that with a thousand",
                self.steepest(),
                1.5,
            ),
        ];
        let lines = bars.iter().map(|bar| format!("\n{}", bar.row()));
        format!(
            "| what | target | measured | |\n| --- | --- | ---: | --- |{}",
            lines.collect::<String>()
        )
    }
}

const GROWTH_HEAD: &str = "\
| store | live | sends a second | p50 ms | p99 ms | CPU µs | checks a second | CPU µs | MB | store MB |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

/// A target and the measured figure.
struct Bar {
    name: &'static str,
    measured: f64,
    limit: f64,
    /// More is better.
    at_least: bool,
}

impl Bar {
    fn is_met(&self) -> bool {
        if self.at_least {
            self.measured >= self.limit
        } else {
            self.measured < self.limit
        }
    }

    fn row(&self) -> String {
        format!(
            "| {} | {} {} | {:.2} | {} |",
            self.name,
            if self.at_least { "at least" } else { "under" },
            self.limit,
            self.measured,
            if self.is_met() { "met" } else { "**not met**" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(measured: f64, at_least: bool) -> Bar {
        Bar {
            name: "x",
            measured,
            limit: 0.4,
            at_least,
        }
    }

    #[test]
    fn a_bar_shows_whether_its_target_is_met() {
        assert_eq!(bar(0.4, true).row(), "| x | at least 0.4 | 0.40 | met |");
        assert_eq!(
            bar(0.39, true).row(),
            "| x | at least 0.4 | 0.39 | **not met** |"
        );
        assert_eq!(
            bar(0.4, false).row(),
            "| x | under 0.4 | 0.40 | **not met** |"
        );
        assert_eq!(bar(0.39, false).row(), "| x | under 0.4 | 0.39 | met |");
    }

    #[test]
    fn the_median_round_is_reported() {
        let round = |per_second| Figure {
            per_second,
            ..Figure::default()
        };
        let middle = median(vec![round(9.0), round(1.0), round(4.0)]);
        assert!((middle.per_second - 4.0).abs() < f64::EPSILON);
    }
}
