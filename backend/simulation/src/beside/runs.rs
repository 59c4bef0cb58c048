//! Runs of instances, and the lease on a sandbox's simulator.

use std::time::Duration;

use countersign_core::{
    Millis, keys,
    transitions::{BeginRun, EndRun, HoldSimulator, ReleaseSimulator},
};

use crate::world::World;

/// How long a run is remembered.
const RUN: Duration = Duration::from_hours(30 * 24);
/// How long a simulator is held without being renewed.
const LEASE: Duration = Duration::from_secs(75);

impl World {
    pub(super) fn check_runs(&mut self) {
        self.check_that_crashes_are_seen();
        self.check_the_simulator();
    }

    fn check_that_crashes_are_seen(&mut self) {
        let instance = keys::run("instance");
        let mut begun: Option<Millis> = None;
        for _ in 0..8 {
            let longest = [10_000, 25 * 24 * 3_600_000][self.random.index(2)];
            let by = self.random.millis(0..longest);
            self.pass(by);
            let now = self.clock_now();
            if self.random.percent(40) {
                self.execute(&EndRun {
                    instance: instance.clone(),
                });
                begun = None;
                continue;
            }
            let told = self.execute(&BeginRun {
                instance: instance.clone(),
            });
            let last = begun.filter(|at| at.after(RUN) > now);
            self.checker.require(told == last, || {
                format!("a run begins after {told:?}, and the last one began at {last:?}")
            });
            begun = Some(now);
        }
    }

    fn check_the_simulator(&mut self) {
        let mut held: Option<(usize, Millis)> = None;
        let name = |process: usize| format!("process{process}");
        for _ in 0..8 {
            let by = self.random.millis(0..60_000);
            self.pass(by);
            let (process, now) = (self.random.index(3), self.clock_now());
            let holder = held.filter(|(_, until)| *until > now).map(|it| it.0);
            if self.random.percent(25) {
                self.execute(&ReleaseSimulator {
                    owner: name(process),
                });
                held = held.filter(|_| holder != Some(process));
                continue;
            }
            let gone = self.random.percent(30).then(|| self.random.index(3));
            let told = self.execute(&HoldSimulator {
                owner: name(process),
                gone: gone.map(name),
            });
            let other = holder.filter(|it| *it != process && Some(*it) != gone);
            let is_right = told == other.map(name).map_or(Ok(()), Err);
            self.checker.require(is_right, || {
                format!("{process} takes the simulator: {told:?}, held: {held:?} at {now:?}")
            });
            if other.is_none() {
                held = Some((process, now.after(LEASE)));
            }
        }
    }
}
