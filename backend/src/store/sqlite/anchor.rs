//! The store's own clock, and where it stood.
//!
//! Expiries and limits outlive the process, so a wall clock that was set by an
//! hour between two runs must not shift them. Within one run of the machine the
//! clock goes on with the time since boot; after a reboot it takes the wall
//! clock, but never goes back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

use crate::store::millis::{Millis, millis, time};
use countersign_platform::clock::{Clock, since_boot};

/// Counts on from a moment by the time since boot.
pub(super) struct AnchoredClock {
    at: SystemTime,
    at_boot: Duration,
}

impl Clock for AnchoredClock {
    fn now(&self) -> SystemTime {
        self.at + since_boot().saturating_sub(self.at_boot)
    }
}

/// Where the clock stood when the store was last written.
struct Anchor {
    boot: String,
    boot_ms: Millis,
    time_ms: Millis,
}

/// The clock that goes on from where the file's last one stood.
pub(super) fn resume(connection: &Connection) -> rusqlite::Result<AnchoredClock> {
    let anchor = connection.query_row("SELECT boot, boot_ms, time_ms FROM anchor", [], |row| {
        Ok(Anchor {
            boot: row.get(0)?,
            boot_ms: row.get(1)?,
            time_ms: row.get(2)?,
        })
    })?;
    Ok(AnchoredClock {
        at: time(resumed(&anchor, &boot(), boot_ms(), wall_ms())),
        at_boot: since_boot(),
    })
}

fn resumed(anchor: &Anchor, boot: &str, boot_ms: Millis, wall_ms: Millis) -> Millis {
    if !boot.is_empty() && anchor.boot == boot && boot_ms >= anchor.boot_ms {
        anchor.time_ms + (boot_ms - anchor.boot_ms)
    } else {
        anchor.time_ms.max(wall_ms)
    }
}

/// Writes where the clock stands.
pub(super) fn save(connection: &Connection, clock: &dyn Clock) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE anchor SET boot = ?1, boot_ms = ?2, time_ms = ?3",
        (boot(), boot_ms(), millis(clock.now())),
    )?;
    Ok(())
}

/// Names this run of the machine; empty where the system has no such name.
fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn boot_ms() -> Millis {
    millis(UNIX_EPOCH + since_boot())
}

fn wall_ms() -> Millis {
    millis(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_of_the_wall_clock_between_two_runs_shifts_nothing() {
        let anchor = Anchor {
            boot: "this".to_owned(),
            boot_ms: 1_000,
            time_ms: 50_000_000,
        };
        let hour = 3_600_000;
        for wall in [50_005_000 - hour, 50_005_000, 50_005_000 + hour] {
            assert_eq!(resumed(&anchor, "this", 6_000, wall), 50_005_000);
        }
        // After a reboot the wall clock counts, but never backwards.
        assert_eq!(resumed(&anchor, "next", 10, 60_000_000), 60_000_000);
        assert_eq!(resumed(&anchor, "next", 10, 40_000_000), 50_000_000);
    }
}
