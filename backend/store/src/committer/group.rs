//! The members of one commit, and their combined decision.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use countersign_core::{Key, Millis, Rows, StoredRow, Write};

use super::{Command, MAX_LOST_RACES, MAX_MEMBERS, MAX_ROWS, Member, guarded};
use crate::store::{MAX_LOADS, StoreError};

/// Time after which a losing group takes the turn.
const MIN_LOSING_TIME: Duration = Duration::from_millis(20);

pub(super) type View = BTreeMap<Key, Option<StoredRow>>;

/// A member and its caller's deadline.
pub(super) struct Waiting {
    pub(super) member: Box<dyn Member>,
    pub(super) deadline: Instant,
    /// The keys that it named last.
    pub(super) keys: Vec<Key>,
    /// Whether its group was rejected for its content, so that it must be committed
    /// alone.
    pub(super) is_alone: bool,
}

impl Waiting {
    /// The keys it names over these rows.
    pub(super) fn keys(&self, view: &View, now: Millis) -> Result<Vec<Key>, StoreError> {
        guarded(|| self.member.keys(&Rows::new(view, now)))
    }

    /// Whether its caller is gone or its deadline has passed.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.member.is_abandoned() || self.deadline <= now
    }

    pub(super) fn fail(self, error: StoreError, commands: &mut Vec<Command>) {
        commands.push(Command::Answer(self.member, Err(error)));
    }
}

/// Members that are committed together.
pub(super) struct Group {
    pub(super) members: Vec<Waiting>,
    /// All keys that members have named.
    pub(super) keys: BTreeSet<Key>,
    /// Loads in this try.
    pub(super) loads: u32,
    /// Conflicts so far.
    pub(super) lost_races: u32,
    begun_at: Instant,
}

/// The members' combined decision.
pub(super) struct Decision {
    /// Keys read by members whose run is kept.
    pub(super) reads: BTreeSet<Key>,
    pub(super) writes: BTreeMap<Key, Write>,
    pub(super) guards_single_use: bool,
}

impl Group {
    pub(super) fn new(begun_at: Instant) -> Self {
        Self {
            members: Vec::new(),
            keys: BTreeSet::new(),
            loads: 0,
            lost_races: 0,
            begun_at,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        let is_alone = self.members.iter().any(|waiting| waiting.is_alone);
        self.members.len() < MAX_MEMBERS && !is_alone
    }

    /// Admits a member that names these keys, unless the group is full.
    pub(super) fn admit(&mut self, mut waiting: Waiting, keys: Vec<Key>) -> Result<(), Waiting> {
        let new = keys.iter().filter(|key| !self.keys.contains(*key)).count();
        let has_room = self.keys.len() + new <= MAX_ROWS && !waiting.is_alone;
        if !has_room && !self.members.is_empty() {
            return Err(waiting);
        }
        self.keys.extend(keys.iter().cloned());
        waiting.keys = keys;
        self.members.push(waiting);
        Ok(())
    }

    /// Whether the group has lost often and long enough to take the turn: between instances
    /// at the same distance races are short, and a turn would cost more than it gains.
    pub(super) fn needs_turn(&self, now: Instant) -> bool {
        let has_tried_for = now.duration_since(self.begun_at);
        self.lost_races >= MAX_LOST_RACES && has_tried_for >= MIN_LOSING_TIME
    }

    /// If the members name more rows in the second round than a group may read, the last of
    /// them are deferred to the next group.
    pub(super) fn defer_what_is_too_much(&mut self, turn: &Key) -> Vec<Waiting> {
        let mut deferred = Vec::new();
        if self.keys.len() <= MAX_ROWS {
            return deferred;
        }
        self.keys = [turn.clone()].into();
        for mut waiting in std::mem::take(&mut self.members) {
            let keys = std::mem::take(&mut waiting.keys);
            if !deferred.is_empty() {
                deferred.push(waiting);
            } else if let Err(waiting) = self.admit(waiting, keys) {
                deferred.push(waiting);
            }
        }
        deferred
    }

    /// Removes members whose caller no longer waits.
    pub(super) fn leave_out(&mut self, now: Instant, commands: &mut Vec<Command>) {
        let members = self.members.extract_if(.., |waiting| waiting.is_over(now));
        members.for_each(|waiting| waiting.fail(StoreError::NotRun, commands));
    }

    /// Asks each member for its keys, given the loaded rows. Returns whether there is more
    /// to load.
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

    /// Applies one member after the other, each to the rows as its predecessors left them.
    /// Returns their decision, and the members deferred to the next group because a
    /// sibling's write makes them need more rows.
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
                Ok((rows.guards_single_use(), rows.into_writes()))
            });
            let is_named = |writes: &BTreeMap<Key, Write>| {
                let mut keys = writes.keys();
                keys.all(|key| waiting.keys.contains(key))
            };
            match run {
                Err(error) => waiting.fail(error, commands),
                Ok((_, writes)) if !is_named(&writes) => waiting.fail(StoreError::Faulty, commands),
                Ok((guards_single_use, writes)) => {
                    decision.guards_single_use |= guards_single_use;
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

    /// Answers all members.
    pub(super) fn answer(self, result: &Result<(), StoreError>, commands: &mut Vec<Command>) {
        let members = self.members.into_iter();
        commands.extend(members.map(|waiting| Command::Answer(waiting.member, result.clone())));
    }
}
