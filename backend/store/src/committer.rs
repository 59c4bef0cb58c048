//! The group committer: a state machine without I/O.
//!
//! It is told what happened ([`Event`]) and says what to do ([`Command`]); a driver
//! over tokio does it in the service, a seeded scheduler in the simulation. A group
//! is whatever waits when the commit before returns: an idle committer starts at
//! once with one member, and nothing gathers.

mod group;
mod member;
mod turn;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use countersign_core::{Key, Millis};

pub use self::member::Member;
pub(crate) use self::member::guarded;
use self::{
    group::{Group, View, Waiting},
    turn::Turn,
};
use crate::store::{Commit, CommitOutcome, Snapshot, StoreError, Unavailable};

/// Members of one group.
pub const MAX_MEMBERS: usize = 64;
/// Rows of one group; a member that needs more goes alone.
pub const MAX_ROWS: usize = 256;
/// Races that a group loses before it takes the turn.
pub const MAX_LOST_RACES: u32 = 3;
/// Pause before a commit that was not run is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// What happened.
pub enum Event {
    /// A transition wants to be committed before its deadline.
    Submitted {
        /// The transition.
        member: Box<dyn Member>,
        /// From then on its caller is gone.
        deadline: Instant,
    },
    /// What [`Command::Load`] has brought.
    Loaded(Result<Snapshot, Unavailable>),
    /// How [`Command::Commit`] ended.
    Committed(CommitOutcome),
    /// The moment of [`Command::WakeAt`] has come.
    Woken,
}

/// What to do.
pub enum Command {
    /// Load these rows; nothing else is under way.
    Load(Vec<Key>),
    /// Commit; nothing else is under way.
    Commit {
        /// What to commit.
        commit: Commit,
        /// Members that it carries; none where it only takes the turn.
        members: usize,
    },
    /// Tell a member's caller.
    Answer(Box<dyn Member>, Result<(), StoreError>),
    /// Send [`Event::Woken`] at that moment.
    WakeAt(Instant),
}

/// What is under way.
enum State {
    Idle,
    Loading(Group),
    Committing(Group),
    TakingTurn(Group),
    /// Until the moment that it was told to be woken at.
    Pausing(Group, Instant),
}

/// See the module.
pub struct Committer {
    turn: Turn,
    waiting: VecDeque<Waiting>,
    state: State,
    /// When the commit that is under way was begun.
    sent_at: Instant,
}

impl Committer {
    /// One for a process; `id` tells it from those of other instances.
    pub fn new(id: [u8; 8], now: Instant) -> Self {
        Self {
            turn: Turn::new(id),
            waiting: VecDeque::new(),
            state: State::Idle,
            sent_at: now,
        }
    }

    /// Members that wait or are under way.
    pub fn len(&self) -> usize {
        let under_way = match &self.state {
            State::Idle => 0,
            State::Loading(group)
            | State::Committing(group)
            | State::TakingTurn(group)
            | State::Pausing(group, _) => group.members.len(),
        };
        self.waiting.len() + under_way
    }

    /// Whether nothing waits and nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && matches!(self.state, State::Idle)
    }

    /// What to do now that this has happened.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Command> {
        let mut commands = Vec::new();
        let out = &mut commands;
        match (std::mem::replace(&mut self.state, State::Idle), event) {
            (state, Event::Submitted { member, deadline }) => {
                self.waiting.push_back(Waiting {
                    member,
                    deadline,
                    keys: Vec::new(),
                    is_alone: false,
                });
                self.state = state;
                self.start(now, out);
            }
            (State::Loading(group), Event::Loaded(Ok(snapshot))) => {
                self.decide(group, snapshot, now, out);
            }
            (State::Loading(group), Event::Loaded(Err(Unavailable))) => {
                // Those who wait behind them do not wait for the next failure.
                group.answer(&Err(StoreError::NotRun), out);
                let waiting = std::mem::take(&mut self.waiting);
                for waiting in waiting {
                    waiting.fail(StoreError::NotRun, out);
                }
            }
            (State::Committing(group), Event::Committed(outcome)) => {
                self.committed(group, outcome, now, out);
                self.start(now, out);
            }
            (State::TakingTurn(group), Event::Committed(outcome)) => match outcome {
                // Whoever was at it loses the race against the turn: the rows are
                // read again and stay as they are.
                CommitOutcome::Done => self.load(group, out),
                _ => self.pause(group, now + self.turn.pause(), out),
            },
            (State::Pausing(mut group, until), Event::Woken) if now >= until => {
                group.leave_out(now, out);
                self.load(group, out);
                self.start(now, out);
            }
            (state, Event::Woken) => self.state = state,
            (_, Event::Loaded(_) | Event::Committed(_)) => {
                unreachable!("one load or commit is under way, and was asked for")
            }
        }
        commands
    }

    /// Begins a group with those who wait, unless one is under way.
    fn start(&mut self, now: Instant, out: &mut Vec<Command>) {
        if !matches!(self.state, State::Idle) {
            return;
        }
        let mut group = Group::default();
        group.keys.insert(self.turn.key().clone());
        let nothing = View::new();
        while group.members.len() < MAX_MEMBERS
            && let Some(waiting) = self.waiting.pop_front()
        {
            if waiting.member.is_abandoned() || waiting.deadline <= now {
                waiting.fail(StoreError::NotRun, out);
                continue;
            }
            let keys = match waiting.keys(&nothing, Millis::default()) {
                Ok(keys) => keys,
                Err(error) => {
                    waiting.fail(error, out);
                    continue;
                }
            };
            let new = keys.iter().filter(|key| !group.keys.contains(*key)).count();
            let has_room = group.keys.len() + new <= MAX_ROWS && !waiting.is_alone;
            if !has_room && !group.members.is_empty() {
                self.waiting.push_front(waiting);
                break;
            }
            group.keys.extend(keys);
            group.members.push(waiting);
            if !has_room {
                break;
            }
        }
        self.load(group, out);
    }

    /// Loads what the group has named so far.
    fn load(&mut self, mut group: Group, out: &mut Vec<Command>) {
        if group.members.is_empty() {
            return;
        }
        group.loads += 1;
        out.push(Command::Load(group.keys.iter().cloned().collect()));
        self.state = State::Loading(group);
    }

    fn pause(&mut self, mut group: Group, until: Instant, out: &mut Vec<Command>) {
        group.loads = 0;
        out.push(Command::WakeAt(until));
        self.state = State::Pausing(group, until);
    }

    /// Applies the group to these rows.
    fn decide(
        &mut self,
        mut group: Group,
        snapshot: Snapshot,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        group.leave_out(now, out);
        if group.name_keys(&snapshot.rows, snapshot.now, out) {
            self.defer_what_is_too_much(&mut group);
            return self.load(group, out);
        }
        let mut compare = snapshot.compare();
        let turn = self.turn.of(&snapshot);
        let (mut decision, deferred) = group.apply(snapshot.rows, snapshot.now, out);
        self.wait_again(deferred);
        if decision.writes.is_empty() {
            group.answer(&Ok(()), out);
            return self.start(now, out);
        }
        compare.retain(|key, _| key == self.turn.key() || decision.reads.contains(key));
        match turn {
            turn::Holder::Another(left) => {
                let pause = left.min(self.turn.pause());
                return self.pause(group, now + pause, out);
            }
            turn::Holder::Us => self.turn.give_back(&mut decision.writes),
            turn::Holder::Nobody if group.lost_races >= MAX_LOST_RACES => {
                let write = self.turn.take(snapshot.now);
                let stamp = compare.get(self.turn.key()).copied().flatten();
                let compare = BTreeMap::from([(self.turn.key().clone(), stamp)]);
                let deadline = store_deadline(&group, snapshot.now, now);
                self.commit(
                    Commit {
                        now: snapshot.now,
                        compare,
                        write,
                        deadline,
                        guards_single_use: false,
                    },
                    0,
                    now,
                    out,
                );
                group.loads = 0;
                self.state = State::TakingTurn(group);
                return;
            }
            turn::Holder::Nobody => {}
        }
        let commit = Commit {
            now: snapshot.now,
            compare,
            write: decision.writes,
            deadline: store_deadline(&group, snapshot.now, now),
            guards_single_use: decision.guards_single_use,
        };
        self.commit(commit, group.members.len(), now, out);
        self.state = State::Committing(group);
    }

    fn commit(&mut self, commit: Commit, members: usize, now: Instant, out: &mut Vec<Command>) {
        self.sent_at = now;
        out.push(Command::Commit { commit, members });
    }

    fn committed(
        &mut self,
        mut group: Group,
        outcome: CommitOutcome,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        self.turn.note_trip(now.duration_since(self.sent_at));
        match outcome {
            CommitOutcome::Done => group.answer(&Ok(()), out),
            CommitOutcome::Conflict(snapshot) => {
                group.lost_races += 1;
                group.loads = 1;
                self.decide(group, snapshot, now, out);
            }
            CommitOutcome::NotRun => self.pause(group, now + RETRY_PAUSE, out),
            CommitOutcome::Unreachable => group.answer(&Err(StoreError::Unreachable), out),
            CommitOutcome::Rejected if group.members.len() == 1 => {
                group.answer(&Err(StoreError::Rejected), out);
            }
            CommitOutcome::Rejected => {
                for waiting in &mut group.members {
                    waiting.is_alone = true;
                }
                self.wait_again(group.members);
            }
        }
    }

    /// Puts members in front of those who wait.
    fn wait_again(&mut self, members: Vec<Waiting>) {
        for waiting in members.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
    }

    /// Where what members name in the second round is more than a group may read,
    /// the last of them wait for the next one.
    fn defer_what_is_too_much(&mut self, group: &mut Group) {
        if group.keys.len() <= MAX_ROWS {
            return;
        }
        group.keys = [self.turn.key().clone()].into();
        let mut deferred = Vec::new();
        for waiting in std::mem::take(&mut group.members) {
            let new = waiting
                .keys
                .iter()
                .filter(|key| !group.keys.contains(*key))
                .count();
            let has_room = group.keys.len() + new <= MAX_ROWS;
            if deferred.is_empty() && (has_room || group.members.is_empty()) {
                group.keys.extend(waiting.keys.iter().cloned());
                group.members.push(waiting);
            } else {
                deferred.push(waiting);
            }
        }
        self.wait_again(deferred);
    }
}

/// The earliest deadline of the group by the store's clock, which said `store_now`
/// no later than `now`: never later than the callers' own.
fn store_deadline(group: &Group, store_now: Millis, now: Instant) -> Millis {
    let deadlines = group.members.iter().map(|waiting| waiting.deadline);
    let left = deadlines
        .min()
        .unwrap_or(now)
        .saturating_duration_since(now);
    store_now.after(left)
}
