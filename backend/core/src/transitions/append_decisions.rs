//! Storing and reading decisions.

use std::{ops::Range, time::Duration};

use crate::{
    Key, Rows, Transition, Unreadable,
    decisions::{Decision, DecisionsHead, DecisionsRow, MAX_PER_ROW},
    keys,
};

/// Appends decisions, [`MAX_PER_ROW`] at most.
pub struct AppendDecisions {
    /// The decisions, oldest first.
    pub decisions: Vec<Decision>,
    /// How long they are kept.
    pub kept_for: Duration,
}

impl Transition for AppendDecisions {
    type Outcome = ();

    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let head = keys::decisions();
        let mut keys = vec![head.clone()];
        if rows.is_loaded(&head) {
            let places = load_head(rows)?.places();
            keys.extend(places.map(keys::decision));
        }
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        let mut head = load_head(rows)?;
        let [current, next] = head.places();
        let ends_at = rows.now().after(self.kept_for);
        let mut new = self.decisions.iter().take(MAX_PER_ROW).cloned();
        if head.begun > 0 {
            let key = keys::decision(current);
            // An expired row is empty, and is reused.
            let mut row = rows.get::<DecisionsRow>(&key)?.unwrap_or_default();
            let room = MAX_PER_ROW.saturating_sub(row.decisions.len());
            row.decisions.extend(new.by_ref().take(room));
            rows.put(&key, &row, ends_at);
        }
        let rest: Vec<Decision> = new.collect();
        if !rest.is_empty() {
            head.begun += 1;
            let row = DecisionsRow { decisions: rest };
            rows.put(&keys::decision(next), &row, ends_at);
        }
        rows.put(&keys::decisions(), &head, ends_at);
        Ok(())
    }
}

/// Reads the decisions of a range of rows, the oldest first.
pub struct ViewDecisions {
    /// The range of rows, by their position.
    pub rows: Range<usize>,
}

impl ViewDecisions {
    fn places(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        if !rows.is_loaded(&keys::decisions()) {
            return Ok(Vec::new());
        }
        let all = load_head(rows)?.all().map(keys::decision);
        Ok(all.skip(self.rows.start).take(self.rows.len()).collect())
    }
}

impl Transition for ViewDecisions {
    /// The decisions, and the total number of rows.
    type Outcome = (Vec<Decision>, usize);

    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let mut keys = vec![keys::decisions()];
        keys.extend(self.places(rows)?);
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Self::Outcome, Unreadable> {
        let mut decisions = Vec::new();
        for key in self.places(rows)? {
            let row = rows.get::<DecisionsRow>(&key)?.unwrap_or_default();
            decisions.extend(row.decisions);
        }
        Ok((decisions, load_head(rows)?.all().count()))
    }
}

fn load_head(rows: &Rows<'_>) -> Result<DecisionsHead, Unreadable> {
    Ok(rows.get(&keys::decisions())?.unwrap_or_default())
}
