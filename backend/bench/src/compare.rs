//! Compares builds of the service with each other and the pass-through, round by round:
//! only figures of one run show the effect of a change.

use std::{io, path::PathBuf, time::Duration};

use crate::{
    CALLERS, print,
    report::table,
    subject::Subject,
    suite::{STEADY_RATE, rounds, steady},
    upstream::Upstream,
};

const ROUNDS: usize = 5;
const STEADY_ROUNDS: usize = 3;
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
    print(&format!("\n{STEADY_RATE} sends a second:\n"));
    for _ in 0..STEADY_ROUNDS {
        let figures = steady(&subjects, &upstream, 2 * LENGTH).await?;
        print(&table(&figures));
    }
    Ok(())
}
