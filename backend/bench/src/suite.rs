//! The whole suite in one run; progress goes to standard error.

use std::{collections::VecDeque, io, path::Path, time::Duration};

use crate::{
    CALLERS, FAR, FAR_CALLERS,
    load::{Call, Load, Seen},
    report::{Figure, Growth, Measured, Row, median},
    say,
    subject::Subject,
    upstream::Upstream,
};

/// The size of a run.
pub(crate) struct Size {
    rounds: usize,
    length: Duration,
    /// Live sessions at which the cost is measured.
    sessions: &'static [u64],
}

/// About fifteen minutes on two cores.
pub(crate) const WHOLE: Size = Size {
    rounds: 3,
    length: Duration::from_secs(4),
    sessions: &[1_000, 10_000, 100_000, 1_000_000],
};
/// About four minutes, to try it.
pub(crate) const QUICK: Size = Size {
    rounds: 1,
    length: Duration::from_secs(3),
    sessions: &[1_000, 10_000, 100_000],
};

/// Sends a second of a busy service: eight times what Plivo allows an account.
pub(crate) const STEADY_RATE: f64 = 500.0;

/// In the order of [`CALL_NAMES`](crate::report::CALL_NAMES).
const CALLS: [Call; 3] = [Call::Send, Call::Verify, Call::Mixed];

/// Measures one load.
async fn figure(
    subject: &Subject,
    upstream: &Upstream,
    load: impl Future<Output = io::Result<Seen>>,
) -> io::Result<(Figure, Seen)> {
    let now = || {
        let (own, store) = (subject.usage(), subject.store_usage());
        (own, store, upstream.connections())
    };
    let before = now();
    let seen = load.await?;
    let after = now();
    let each = 1e6 / (seen.count.max(1) as f64);
    let figure = Figure {
        per_second: seen.per_second(),
        p50: seen.waits.at(0.5),
        p99: seen.waits.at(0.99),
        p999: seen.waits.at(0.999),
        cpu: (after.0.cpu_seconds - before.0.cpu_seconds) * each,
        store_cpu: (after.1.cpu_seconds - before.1.cpu_seconds) * each,
        resident: after.0.most_resident,
        connections: after.2 - before.2,
        failed: seen.failed,
    };
    Ok((figure, seen))
}

fn load(subject: &Subject, call: Call, length: Duration) -> Load<'_> {
    Load {
        addresses: &subject.addresses,
        call: match call {
            Call::Mixed if subject.is_limit() => Call::MixedWithoutReads,
            call => call,
        },
        length,
    }
}

/// Sends, checks of these sessions, and a mixed load.
async fn each_call(
    subject: &Subject,
    upstream: &Upstream,
    callers: usize,
    length: Duration,
) -> io::Result<[Figure; 3]> {
    let mut figures = [Figure::default(); 3];
    let mut sessions = VecDeque::new();
    for (place, call) in figures.iter_mut().zip(CALLS) {
        let load = load(subject, call, length);
        let asked = load.closed(callers, std::mem::take(&mut sessions));
        let (figure, seen) = figure(subject, upstream, asked).await?;
        *place = figure;
        sessions = seen.into_sessions();
    }
    Ok(figures)
}

/// Measures all subjects in turn, several times, and returns the median of each.
pub(crate) async fn rounds(
    subjects: &[Subject],
    upstream: &Upstream,
    (rounds, callers, length): (usize, usize, Duration),
) -> io::Result<Vec<Row<3>>> {
    let mut all = vec![[const { Vec::new() }; 3]; subjects.len()];
    for round in 0..=rounds {
        for (subject, figures) in subjects.iter().zip(&mut all) {
            say(&format!("  round {round} of {rounds}: {}", subject.name));
            // The first, cold round is a warm-up.
            let length = if round == 0 { length / 4 } else { length };
            let seen = each_call(subject, upstream, callers, length).await?;
            if round > 0 {
                figures
                    .iter_mut()
                    .zip(seen)
                    .for_each(|(all, one)| all.push(one));
            }
        }
    }
    let medians = all.into_iter().map(|calls| calls.map(median));
    let names = subjects.iter().map(|subject| subject.name);
    Ok(names.zip(medians).collect())
}

fn subjects(binary: &Path, upstream: &Upstream) -> io::Result<Vec<Subject>> {
    let at = upstream.address;
    Ok(vec![
        Subject::pass_through(at)?,
        Subject::sqlite(binary, at)?,
        Subject::redis(binary, at, 1)?,
        Subject::redis(binary, at, 3)?,
    ])
}

/// Sends at [`STEADY_RATE`].
pub(crate) async fn steady(
    subjects: &[Subject],
    upstream: &Upstream,
    length: Duration,
) -> io::Result<Vec<Row<1>>> {
    let mut figures = Vec::new();
    for subject in subjects {
        say(&format!("  {STEADY_RATE} a second: {}", subject.name));
        let load = load(subject, Call::Send, length);
        let (figure, _) = figure(subject, upstream, load.open(STEADY_RATE)).await?;
        figures.push((subject.name, [figure]));
    }
    Ok(figures)
}

/// Measures the cost of a send and a check with a growing number of live sessions.
async fn growth(subject: &Subject, upstream: &Upstream, size: &Size) -> io::Result<Vec<Growth>> {
    let (mut live, mut grown) = (0, Vec::new());
    for &sessions in size.sessions {
        while live < sessions {
            say(&format!(
                "  {}: {live} of {sessions} sessions",
                subject.name
            ));
            let slice = if sessions - live > 20_000 { 2_000 } else { 50 };
            let fill = load(subject, Call::Send, Duration::from_millis(slice));
            let more = fill.closed(CALLERS, VecDeque::new()).await?.count;
            live += more;
            if more == 0 {
                return Err(io::Error::other("nothing was sent"));
            }
        }
        let before = live;
        let sends = load(subject, Call::Send, size.length);
        let sends = sends.closed(CALLERS, VecDeque::new());
        let (send, seen) = figure(subject, upstream, sends).await?;
        live += seen.count;
        let checks = load(subject, Call::Verify, size.length);
        let checks = checks.closed(CALLERS, seen.into_sessions());
        let (check, _) = figure(subject, upstream, checks).await?;
        grown.push(Growth {
            live: before,
            send,
            check,
            store_size: subject.store_size(),
        });
    }
    Ok(grown)
}

/// Runs the whole suite.
pub(crate) async fn run(binary: &Path, size: Size) -> io::Result<Measured> {
    let upstream = Upstream::start(Duration::ZERO)?;
    let near = subjects(binary, &upstream)?;
    say("as fast as they go, an upstream that answers at once");
    let closed = rounds(&near, &upstream, (size.rounds, CALLERS, size.length)).await?;
    let steady = steady(&near, &upstream, size.length * 4).await?;
    drop(near);

    say("an upstream as far away as Plivo");
    let far_upstream = Upstream::start(FAR)?;
    let far = subjects(binary, &far_upstream)?;
    let distant = rounds(&far, &far_upstream, (1, FAR_CALLERS, size.length)).await?;
    drop(far);

    say("more and more live sessions");
    let mut grown = Vec::new();
    for subject in [
        Subject::sqlite(binary, upstream.address)?,
        Subject::redis(binary, upstream.address, 1)?,
    ] {
        let figures = growth(&subject, &upstream, &size).await?;
        grown.push((subject.name, figures));
    }
    Ok(Measured {
        closed,
        steady,
        distant,
        grown,
    })
}
