//! All that is measured, in one run; figures to standard output in Markdown, what
//! it is at to standard error.

use std::{collections::VecDeque, io, path::Path, time::Duration};

use crate::{
    CALLERS,
    load::{Call, Load, Seen},
    print,
    report::{Bar, Figure, HEAD, median, row},
    say,
    subject::Subject,
    upstream::Upstream,
};

/// How much of it.
pub(crate) struct Size {
    rounds: usize,
    length: Duration,
    /// Live sessions at which the cost is measured.
    sessions: &'static [u64],
}

/// Some fifteen minutes on two cores.
pub(crate) const WHOLE: Size = Size {
    rounds: 3,
    length: Duration::from_secs(4),
    sessions: &[1_000, 10_000, 100_000, 1_000_000],
};
/// Some four minutes, to try it.
pub(crate) const QUICK: Size = Size {
    rounds: 1,
    length: Duration::from_secs(3),
    sessions: &[1_000, 10_000, 100_000],
};

/// An upstream as far away as Plivo is.
const FAR: Duration = Duration::from_millis(150);
/// Enough to keep both cores at work behind it.
const FAR_CALLERS: usize = 256;

/// The calls, by name.
const CALLS: [(&str, Call); 3] = [
    ("send", Call::Send),
    ("verify", Call::Verify),
    ("mixed", Call::Mixed),
];

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
            Call::Mixed if subject.is_limit() => Call::MixedWithoutLooks,
            call => call,
        },
        length,
    }
}

/// Sends, checks of what was sent, and a mixed day.
async fn each_call(
    subject: &Subject,
    upstream: &Upstream,
    callers: usize,
    length: Duration,
) -> io::Result<[Figure; 3]> {
    let mut figures = [Figure::default(); 3];
    let mut sessions = VecDeque::new();
    for (place, (_, call)) in figures.iter_mut().zip(CALLS) {
        let load = load(subject, call, length);
        let asked = load.closed(callers, std::mem::take(&mut sessions));
        let (figure, seen) = figure(subject, upstream, asked).await?;
        *place = figure;
        sessions = seen.into_sessions();
    }
    Ok(figures)
}

/// Every subject in turn, several times over, and the median of each.
pub(crate) async fn rounds(
    subjects: &[Subject],
    upstream: &Upstream,
    (rounds, callers, length): (usize, usize, Duration),
) -> io::Result<Vec<[Figure; 3]>> {
    let mut all = vec![[const { Vec::new() }; 3]; subjects.len()];
    for round in 0..=rounds {
        for (subject, figures) in subjects.iter().zip(&mut all) {
            say(&format!("  round {round} of {rounds}: {}", subject.name));
            // What is cold the first time is not measured.
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
    Ok(all.into_iter().map(|calls| calls.map(median)).collect())
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

pub(crate) fn table(subjects: &[Subject], figures: &[[Figure; 3]]) -> String {
    let mut lines = vec![HEAD.to_owned()];
    for (subject, figures_of_it) in subjects.iter().zip(figures) {
        for (index, (name, _)) in CALLS.iter().enumerate() {
            let limit = figures[0][index].per_second;
            lines.push(row(subject.name, name, &figures_of_it[index], limit));
        }
    }
    lines.join("\n")
}

/// Requests at a fixed rate, over the pass-through and the stores.
pub(crate) async fn open(
    subjects: &[Subject],
    upstream: &Upstream,
    (rate, length): (f64, Duration),
) -> io::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for subject in subjects {
        say(&format!("  at a fixed rate: {}", subject.name));
        let load = load(subject, Call::Send, length);
        let (figure, _) = figure(subject, upstream, load.open(rate)).await?;
        figures.push(figure);
    }
    Ok(figures)
}

/// What a send and a check cost beside more and more live sessions.
async fn growth(
    subject: &Subject,
    upstream: &Upstream,
    size: &Size,
) -> io::Result<Vec<[Figure; 2]>> {
    let (mut live, mut figures) = (0, Vec::new());
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
        let (send, seen) =
            figure(subject, upstream, sends.closed(CALLERS, VecDeque::new())).await?;
        live += seen.count;
        let checks = load(subject, Call::Verify, size.length);
        let checks = checks.closed(CALLERS, seen.into_sessions());
        let (check, _) = figure(subject, upstream, checks).await?;
        print(&format!(
            "| {} | {before} | {:.0} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
            subject.name,
            send.per_second,
            send.p50,
            send.p99,
            send.cpu + send.store_cpu,
            check.per_second,
            check.cpu + check.store_cpu,
            send.resident,
            subject.store_size(),
        ));
        figures.push([send, check]);
    }
    Ok(figures)
}

/// Measures all of it.
pub(crate) async fn run(binary: &Path, size: Size) -> io::Result<()> {
    let upstream = Upstream::start(Duration::ZERO)?;
    let near = subjects(binary, &upstream)?;
    say("as fast as they go, an upstream that answers at once");
    let closed = rounds(&near, &upstream, (size.rounds, CALLERS, size.length)).await?;
    print("## As fast as they go\n");
    print(&format!(
        "{CALLERS} callers, an upstream that answers at once.\n"
    ));
    print(&table(&near, &closed));

    let rate = closed[1][0].per_second / 2.0;
    let half = open(&near, &upstream, (rate, size.length * 2)).await?;
    print("\n## At half load\n");
    print(&format!(
        "{rate:.0} sends a second come whether those before were answered or not; each waits from the moment it was due.\n"
    ));
    print(HEAD);
    for (subject, figure) in near.iter().zip(&half) {
        print(&row(subject.name, "send", figure, half[0].per_second));
    }
    drop(near);

    say("an upstream as far away as Plivo");
    let far_upstream = Upstream::start(FAR)?;
    let far = subjects(binary, &far_upstream)?;
    let distant = rounds(&far, &far_upstream, (1, FAR_CALLERS, size.length)).await?;
    print(&format!("\n## Behind {} ms\n", FAR.as_millis()));
    print(&format!("{FAR_CALLERS} callers.\n"));
    print(&table(&far, &distant));
    drop(far);

    say("more and more live sessions");
    print("\n## More and more live sessions\n");
    print(
        "| store | live | sends a second | p50 ms | p99 ms | CPU µs | checks a second | CPU µs | MB | store MB |",
    );
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut steepest: f64 = 0.0;
    for subject in [
        Subject::sqlite(binary, upstream.address)?,
        Subject::redis(binary, upstream.address, 1)?,
    ] {
        let figures = growth(&subject, &upstream, &size).await?;
        for call in 0..2 {
            let cost = |figure: &[Figure; 2]| figure[call].cpu + figure[call].store_cpu;
            if let (Some(first), Some(last)) = (figures.first(), figures.last()) {
                steepest = steepest.max(cost(last) / cost(first));
            }
        }
    }

    let ratio =
        |subject: usize, call: usize| closed[subject][call].per_second / closed[0][call].per_second;
    let bar = |name, measured, limit, at_least| Bar {
        name,
        measured,
        limit,
        at_least,
    };
    print("\n## What is promised\n");
    print("| what | promised | measured | |");
    print("| --- | --- | ---: | --- |");
    let resident = closed[1].iter().map(|it| it.resident).fold(0.0, f64::max);
    for bar in [
        bar("SQLite, send, of the pass-through", ratio(1, 0), 0.4, true),
        bar(
            "SQLite, verify, of the pass-through",
            ratio(1, 1),
            0.5,
            true,
        ),
        bar("Redis, send, of the pass-through", ratio(2, 0), 0.3, true),
        bar("Redis, verify, of the pass-through", ratio(2, 1), 0.3, true),
        bar(
            "SQLite, resident MB at 32 connections",
            resident,
            40.0,
            false,
        ),
        bar(
            "SQLite, added p99 at half load, ms",
            half[1].p99 - half[0].p99,
            3.0,
            false,
        ),
        bar(
            "cost with the most live sessions, of that with a thousand",
            steepest,
            1.5,
            false,
        ),
    ] {
        print(&bar.row());
    }
    Ok(())
}
