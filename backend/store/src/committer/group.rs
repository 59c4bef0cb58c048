//! The members of one commit, and what they decide together.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use countersign_core::{Key, Millis, Rows, StoredRow, Write};

use super::{Command, Member, guarded};
use crate::store::StoreError;

/// Loads of one try: what a member names at first, what it names once it has seen
/// that, and one more because a sibling's row may have appeared in between.
const MAX_LOADS: u32 = 3;

pub(super) type View = BTreeMap<Key, Option<StoredRow>>;

/// A member and how long its caller waits.
pub(super) struct Waiting {
    pub(super) member: Box<dyn Member>,
    pub(super) deadline: Instant,
    /// The keys that it has named last.
    pub(super) keys: Vec<Key>,
    /// Whether its group was refused for its content, so that it goes alone.
    pub(super) is_alone: bool,
}

impl Waiting {
    /// The keys it names over these rows.
    pub(super) fn keys(&self, view: &View, now: Millis) -> Result<Vec<Key>, StoreError> {
        guarded(|| self.member.keys(&Rows::new(view, now)))
    }

    pub(super) fn fail(self, error: StoreError, commands: &mut Vec<Command>) {
        commands.push(Command::Answer(self.member, Err(error)));
    }
}

/// Those who are committed together.
#[derive(Default)]
pub(super) struct Group {
    pub(super) members: Vec<Waiting>,
    /// Every key that a member has named.
    pub(super) keys: BTreeSet<Key>,
    /// Loads of this try.
    pub(super) loads: u32,
    /// Commits that another instance was ahead of.
    pub(super) lost_races: u32,
}

/// What the members decided.
pub(super) struct Decision {
    /// What was read for those whose run is kept.
    pub(super) reads: BTreeSet<Key>,
    pub(super) writes: BTreeMap<Key, Write>,
    pub(super) guards_single_use: bool,
}

impl Group {
    /// Leaves out whoever nobody waits for any more.
    pub(super) fn leave_out(&mut self, now: Instant, commands: &mut Vec<Command>) {
        let members = self.members.extract_if(.., |waiting| {
            waiting.member.is_abandoned() || waiting.deadline <= now
        });
        members.for_each(|waiting| waiting.fail(StoreError::NotRun, commands));
    }

    /// Asks each member for its keys over what was loaded. Answers whether there is
    /// more to load.
    pub(super) fn name_keys(
        &mut self,
        view: &View,
        now: Millis,
        commands: &mut Vec<Command>,
    ) -> bool {
        let mut needs_more = false;
        for mut waiting in std::mem::take(&mut self.members) {
            let named = waiting.keys(view, now);
            let is_new = |keys: &Vec<Key>| keys.iter().any(|key| !view.contains_key(key));
            match named {
                Err(error) => waiting.fail(error, commands),
                Ok(keys) if is_new(&keys) && self.loads >= MAX_LOADS => {
                    waiting.fail(StoreError::Faulty, commands);
                }
                Ok(keys) => {
                    needs_more |= is_new(&keys);
                    self.keys.extend(keys.iter().cloned());
                    waiting.keys = keys;
                    self.members.push(waiting);
                }
            }
        }
        needs_more
    }

    /// Applies one member after the other, each to what those before it left.
    /// Answers what they decided, and takes out who must wait for the next group
    /// because what a sibling wrote makes it need more rows.
    pub(super) fn apply(
        &mut self,
        mut view: View,
        now: Millis,
        commands: &mut Vec<Command>,
    ) -> (Decision, Vec<Waiting>) {
        let mut decision = Decision {
            reads: BTreeSet::new(),
            writes: BTreeMap::new(),
            guards_single_use: false,
        };
        let mut deferred = Vec::new();
        for mut waiting in std::mem::take(&mut self.members) {
            if !decision.writes.is_empty() {
                match waiting.keys(&view, now) {
                    Err(error) => {
                        waiting.fail(error, commands);
                        continue;
                    }
                    Ok(keys) if keys.iter().any(|key| !view.contains_key(key)) => {
                        deferred.push(waiting);
                        continue;
                    }
                    Ok(keys) => waiting.keys = keys,
                }
            }
            let run = guarded(|| {
                let mut rows = Rows::new(&view, now);
                waiting.member.apply(&mut rows)?;
                Ok(rows.into_writes())
            });
            let is_named = |writes: &BTreeMap<Key, Write>| {
                let mut keys = writes.keys();
                keys.all(|key| waiting.keys.contains(key))
            };
            match run {
                Err(error) => waiting.fail(error, commands),
                Ok(writes) if !is_named(&writes) => waiting.fail(StoreError::Faulty, commands),
                Ok(writes) => {
                    decision.guards_single_use |=
                        !writes.is_empty() && waiting.member.guards_single_use();
                    decision.reads.extend(waiting.keys.iter().cloned());
                    for (key, write) in writes {
                        let row = match &write {
                            Write::Put(row) => Some(row.clone()),
                            Write::Delete => None,
                        };
                        view.insert(key.clone(), row);
                        decision.writes.insert(key, write);
                    }
                    self.members.push(waiting);
                }
            }
        }
        (decision, deferred)
    }

    /// Answers everybody.
    pub(super) fn answer(self, result: &Result<(), StoreError>, commands: &mut Vec<Command>) {
        let members = self.members.into_iter();
        commands.extend(members.map(|waiting| Command::Answer(waiting.member, result.clone())));
    }
}
