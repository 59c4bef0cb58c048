//! Compares builds of the service with each other and the pass-through, round by round:
//! only figures of one run show the effect of a change.

use std::{io, path::PathBuf, time::Duration};

use crate::{
    CALLERS, print,
    report::table,
    subject::Subject,
    suite::{halves, open, rounds},
    upstream::Upstream,
};

const ROUNDS: usize = 5;
const HALF_LOAD_ROUNDS: usize = 3;
const LENGTH: Duration = Duration::from_secs(2);

/// Measures each program over `sqlite` or `redis`, in the given order.
pub(crate) async fn run(store: &str, binaries: &[PathBuf]) -> io::Result<()> {
    let upstream = Upstream::start(Duration::ZERO)?;
    let mut subjects = vec![Subject::pass_through(upstream.address)?];
    for binary in binaries {
        subjects.push(match store {
            "redis" => Subject::redis(binary, upstream.address, 1)?,
            _ => Subject::sqlite(binary, upstream.address)?,
        });
    }
    let figures = rounds(&subjects, &upstream, (ROUNDS, CALLERS, LENGTH)).await?;
    print(&table(&figures));
    let rate = halves(&figures).fold(f64::INFINITY, f64::min);
    print(&format!("\n{rate:.0} sends a second:\n"));
    let rates = vec![rate; subjects.len()];
    for _ in 0..HALF_LOAD_ROUNDS {
        let half = open(&subjects, &upstream, (&rates, 2 * LENGTH)).await?;
        print(&table(&half));
    }
    Ok(())
}
