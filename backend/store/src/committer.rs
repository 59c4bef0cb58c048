//! The group committer: a state machine without I/O.
//!
//! It takes events ([`Event`]) and returns commands ([`Command`]); a driver over tokio
//! executes them in the service, a seeded scheduler in the simulation. A group is whatever
//! waits when the previous commit returns: an idle committer starts at once with one
//! member, and never waits for more.

mod event;
mod group;
mod member;
mod turn;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use countersign_core::Millis;

pub(crate) use self::member::guarded;
pub use self::{
    event::{Command, Event},
    member::Member,
};
use self::{
    group::{Group, View, Waiting},
    turn::{Holder, Turn},
};
use crate::store::{Commit, CommitOutcome, Snapshot, StoreError, Unavailable};

/// Maximum members of one group.
pub const MAX_MEMBERS: usize = 64;
/// Maximum rows of one group; a member that needs more is committed alone.
pub const MAX_ROWS: usize = 256;
/// Lost races after which a group takes the turn.
pub const MAX_LOST_RACES: u32 = 3;
/// Pause before a commit that was not run is retried.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// The operation in progress.
enum State {
    Idle,
    Loading(Group),
    Committing(Group),
    TakingTurn(Group),
    /// Until that moment, for which it has requested a wake-up.
    Pausing(Group, Instant),
}

/// The group committer of one process: forms groups of waiting transitions and commits
/// them.
pub struct Committer {
    turn: Turn,
    waiting: VecDeque<Waiting>,
    state: State,
    /// When the commit in progress was started.
    sent_at: Instant,
}

impl Committer {
    /// Creates the committer of a process; `id` distinguishes it from those of other
    /// instances.
    pub fn new(id: [u8; 8], now: Instant) -> Self {
        Self {
            turn: Turn::new(id),
            waiting: VecDeque::new(),
            state: State::Idle,
            sent_at: now,
        }
    }

    /// Members waiting or in progress.
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

    /// Whether nothing is waiting and nothing is in progress.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && matches!(self.state, State::Idle)
    }

    /// Handles an event; returns what to do.
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
                // Waiting members fail too, rather than wait for the next failure.
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
                // The turn makes commits of other instances in progress conflict: rows
                // read from now on do not change.
                CommitOutcome::Done => self.load(group, now, out),
                _ => self.pause(group, now + self.turn.pause(), out),
            },
            (State::Pausing(mut group, until), Event::Woken) if now >= until => {
                group.leave_out(now, out);
                self.load(group, now, out);
                self.start(now, out);
            }
            (state, Event::Woken) => self.state = state,
            (_, Event::Loaded(_) | Event::Committed(_)) => {
                unreachable!("one load or commit is under way, and was asked for")
            }
        }
        commands
    }

    /// Forms a group of the waiting members, unless one is in progress.
    fn start(&mut self, now: Instant, out: &mut Vec<Command>) {
        if !matches!(self.state, State::Idle) {
            return;
        }
        let mut group = Group::new(now);
        group.keys.insert(self.turn.key().clone());
        self.load(group, now, out);
    }

    /// Adds waiting members while there is room.
    fn fill(&mut self, group: &mut Group, now: Instant, out: &mut Vec<Command>) {
        let nothing = View::new();
        while group.has_room()
            && let Some(waiting) = self.waiting.pop_front()
        {
            if waiting.is_over(now) {
                waiting.fail(StoreError::NotRun, out);
                continue;
            }
            match waiting.keys(&nothing, Millis::default()) {
                Err(error) => waiting.fail(error, out),
                Ok(keys) => {
                    if let Err(waiting) = group.admit(waiting, keys) {
                        self.waiting.push_front(waiting);
                        return;
                    }
                }
            }
        }
    }

    /// Loads the rows that the group has named so far.
    fn load(&mut self, mut group: Group, now: Instant, out: &mut Vec<Command>) {
        if group.loads == 0 {
            self.fill(&mut group, now, out);
        }
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

    /// Applies the group's transitions to the loaded rows.
    fn decide(
        &mut self,
        mut group: Group,
        snapshot: Snapshot,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        group.leave_out(now, out);
        if group.name_keys(&snapshot.rows, snapshot.now, out) {
            let deferred = group.defer_what_is_too_much(self.turn.key());
            self.wait_again(deferred);
            return self.load(group, now, out);
        }
        let (read_at, version) = (snapshot.now, snapshot.version);
        let mut compare = snapshot.compare();
        let turn = self.turn.of(&snapshot);
        let (mut decision, deferred) = group.apply(snapshot.rows, read_at, out);
        self.wait_again(deferred);
        if decision.writes.is_empty() {
            group.answer(&Ok(()), out);
            return self.start(now, out);
        }
        compare.retain(|key, _| key == self.turn.key() || decision.reads.contains(key));
        let deadline = store_deadline(&group, read_at, now);
        match turn {
            Holder::Another(left) => {
                let pause = left.min(self.turn.pause());
                return self.pause(group, now + pause, out);
            }
            Holder::Us => self.turn.release(&mut decision.writes),
            Holder::Nobody if group.needs_turn(now) => {
                compare.retain(|key, _| key == self.turn.key());
                let commit = Commit {
                    now: read_at,
                    compare,
                    version,
                    write: self.turn.take(read_at),
                    deadline,
                    guards_single_use: false,
                };
                self.commit(commit, 0, now, out);
                group.loads = 0;
                self.state = State::TakingTurn(group);
                return;
            }
            Holder::Nobody => {}
        }
        let commit = Commit {
            now: read_at,
            compare,
            version,
            write: decision.writes,
            deadline,
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

    /// Puts members at the front of the queue.
    fn wait_again(&mut self, members: Vec<Waiting>) {
        for waiting in members.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
    }
}

/// The group's earliest deadline in the store's time, which was `store_now` no later than
/// `now`: never later than the callers' own.
fn store_deadline(group: &Group, store_now: Millis, now: Instant) -> Millis {
    let deadlines = group.members.iter().map(|waiting| waiting.deadline);
    let left = deadlines
        .min()
        .unwrap_or(now)
        .saturating_duration_since(now);
    store_now.after(left)
}
