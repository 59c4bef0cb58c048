//! Figures as tables in Markdown, and whether they reach what is promised.

/// What one load cost.
#[derive(Clone, Copy, Default)]
pub(crate) struct Figure {
    pub(crate) per_second: f64,
    /// In milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// Of the service, in microseconds of processor time a request.
    pub(crate) cpu: f64,
    /// Of the Redis beside it.
    pub(crate) store_cpu: f64,
    /// Megabytes.
    pub(crate) resident: f64,
    /// Made to the upstream meanwhile.
    pub(crate) connections: u64,
    /// Answers that nobody had reason to expect.
    pub(crate) failed: u64,
}

/// The round in the middle, by rate.
pub(crate) fn median(mut rounds: Vec<Figure>) -> Figure {
    rounds.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    let middle = rounds.len() / 2;
    rounds.get(middle).copied().unwrap_or_default()
}

/// The head of a table of figures.
pub(crate) const HEAD: &str = "\
| what | call | a second | ratio | p50 ms | p99 ms | p99.9 ms | CPU µs | of Redis | MB | connections | failed |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

/// One row; `limit` is the pass-through's rate of the same call.
pub(crate) fn row(what: &str, call: &str, figure: &Figure, limit: f64) -> String {
    format!(
        "| {what} | {call} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {} | {} |",
        figure.per_second,
        figure.per_second / limit,
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

/// What is promised, and what was measured.
pub(crate) struct Bar {
    pub(crate) name: &'static str,
    pub(crate) measured: f64,
    pub(crate) limit: f64,
    /// More is better.
    pub(crate) at_least: bool,
}

impl Bar {
    fn is_met(&self) -> bool {
        if self.at_least {
            self.measured >= self.limit
        } else {
            self.measured < self.limit
        }
    }

    pub(crate) fn row(&self) -> String {
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
    fn a_bar_says_whether_it_is_met() {
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
    fn the_middle_round_counts() {
        let round = |per_second| Figure {
            per_second,
            ..Figure::default()
        };
        let middle = median(vec![round(9.0), round(1.0), round(4.0)]);
        assert!((middle.per_second - 4.0).abs() < f64::EPSILON);
    }
}
