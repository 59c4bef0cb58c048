//! The record of decisions: every decision in its order, as long as it is kept.

use std::time::Duration;

use countersign_core::{
    Millis,
    decisions::{Decision, MAX_PER_ROW},
    transitions::{AppendDecisions, ViewDecisions},
};

use crate::world::World;

const KEPT_FOR: Duration = Duration::from_hours(1);

/// The decisions of one row, and when it expires.
type Row = (Vec<Decision>, Millis);

impl World {
    pub(super) fn check_the_record(&mut self) {
        let mut rows: Vec<Row> = Vec::new();
        for _ in 0..4 {
            let by = self.random.millis(0..1_500_000);
            self.pass(by);
            let now = self.clock_now();
            let new = self.some_decisions(now);
            self.execute(&AppendDecisions {
                decisions: new.clone(),
                kept_for: KEPT_FOR,
            });
            append(&mut rows, new, now);
            let start = self.random.index(rows.len());
            let (told, count) = self.execute(&ViewDecisions {
                rows: start..rows.len(),
            });
            let kept: Vec<Decision> = rows[start..]
                .iter()
                .filter(|(_, until)| *until > now)
                .flat_map(|(decisions, _)| decisions.clone())
                .collect();
            let is_right = told == kept && count == rows.len();
            self.checker.require(is_right, || {
                let (told, kept, all) = (told.len(), kept.len(), rows.len());
                format!("{told} decisions of {kept} are told, and {count} rows of {all}")
            });
        }
    }

    fn some_decisions(&mut self, now: Millis) -> Vec<Decision> {
        let count = self.random.index(MAX_PER_ROW) + 1;
        let decision = |name: u64| Decision {
            at: now,
            outcome: name.to_string(),
            application: String::new(),
            country: "US".to_owned(),
            channel: "sms".to_owned(),
            range: String::new(),
            recipient: String::new(),
            address: String::new(),
            times: 1,
        };
        (0..count).map(|_| decision(self.name())).collect()
    }
}

/// A row is filled before the next one begins, and lasts from the last time it was written.
fn append(rows: &mut Vec<Row>, mut new: Vec<Decision>, now: Millis) {
    let until = now.after(KEPT_FOR);
    if let Some((decisions, ends)) = rows.last_mut() {
        if *ends <= now {
            decisions.clear();
        }
        let fit = new.len().min(MAX_PER_ROW - decisions.len());
        decisions.extend(new.drain(..fit));
        *ends = until;
    }
    if !new.is_empty() {
        rows.push((new, until));
    }
}
