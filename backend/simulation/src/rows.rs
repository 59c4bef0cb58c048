//! Invariants of what is written.

use std::collections::BTreeSet;

use countersign_core::{Key, Write};
use countersign_store::{Commit, CommitOutcome};

use crate::checker::Checker;

/// Longest allowed row.
const MAX_ROW_BYTES: usize = 16 * 1024;

/// Rows of Plivo's sessions whose code is marked as used.
#[derive(Default)]
pub(crate) struct UsedCodes(BTreeSet<Key>);

impl Checker {
    pub(crate) fn committed(&mut self, commit: &Commit, outcome: &CommitOutcome) {
        self.commits += 1;
        self.conflicts += u64::from(matches!(outcome, CommitOutcome::Conflict(_)));
        for (key, write) in &commit.write {
            if let Write::Put(row) = write {
                let length = row.value.len();
                let is_short = length < MAX_ROW_BYTES;
                self.require(is_short, || format!("{key:?} has {length} bytes"));
                if *outcome == CommitOutcome::Done {
                    self.guards(commit, key, &row.value);
                }
            }
        }
    }

    /// A code that is marked as used stays so after the loss of a primary.
    fn guards(&mut self, commit: &Commit, key: &Key, value: &[u8]) {
        if !key.as_str().starts_with("upstream/") || self.used_codes.0.contains(key) {
            return;
        }
        if String::from_utf8_lossy(value).contains("\"verified\":") {
            self.used_codes.0.insert(key.clone());
            let is_guarded = commit.guards_single_use;
            self.require(is_guarded, || format!("{key:?} may lose its mark"));
        }
    }
}
