//! Committers over one memory store, driven by hand.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use countersign_core::{Key, Row, Rows, StoredRow, Unreadable, Write};
use countersign_store::{
    Commit, CommitOutcome, Committer, MemoryStore, Snapshot, StoreError,
    committer::{Command, Event, Member},
};

use super::{Counter, ManualClock, key};

/// One store and one clock, shared by all instances.
#[derive(Clone)]
pub(crate) struct World {
    store: MemoryStore,
    clock: ManualClock,
    now: Arc<Mutex<Instant>>,
}

impl Default for World {
    fn default() -> Self {
        let clock = ManualClock::default();
        Self {
            store: MemoryStore::new(Arc::new(clock.clone())),
            clock,
            now: Arc::new(Mutex::new(Instant::now())),
        }
    }
}

impl World {
    pub(crate) fn now(&self) -> Instant {
        *self.now.lock().unwrap()
    }

    pub(crate) fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
        *self.now.lock().unwrap() += duration;
    }

    pub(crate) fn load(&self, keys: &[Key]) -> Snapshot {
        self.store.load_now(keys)
    }

    pub(crate) fn commit(&self, commit: &Commit) -> CommitOutcome {
        self.store.commit_now(commit)
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        let snapshot = self.load(&[key(name)]);
        let row = snapshot.rows[&key(name)].as_ref();
        row.map_or(0, |row| Counter::decode(&row.value).unwrap().count)
    }

    pub(crate) fn take_turn(&self, id: [u8; 8], duration: Duration) {
        let turn = Key::new("turn");
        let read = self.load(std::slice::from_ref(&turn));
        let row = StoredRow {
            value: id.to_vec(),
            expires_at: read.now.after(duration),
        };
        let commit = Commit {
            now: read.now,
            compare: read.compare(),
            version: read.version,
            write: [(turn, Write::Put(row))].into(),
            deadline: read.now.after(duration),
            guards_single_use: false,
        };
        assert_eq!(self.commit(&commit), CommitOutcome::Done);
    }
}

type Keys = dyn Fn(&Rows<'_>) -> Result<Vec<Key>, Unreadable> + Send;
type Apply = dyn Fn(&mut Rows<'_>) -> Result<u64, Unreadable> + Send;
type Answer = Result<u64, StoreError>;

/// A member defined by two functions.
pub(crate) struct Probe {
    keys: Box<Keys>,
    apply: Box<Apply>,
    within: Duration,
    guards_single_use: bool,
    outcome: Option<u64>,
    caller: Caller,
}

/// The caller that waits for a probe.
#[derive(Clone, Default)]
pub(crate) struct Caller(Arc<Mutex<(bool, Option<Answer>)>>);

impl Caller {
    pub(crate) fn answer(&self) -> Option<Answer> {
        self.0.lock().unwrap().1.clone()
    }

    pub(crate) fn abandon(&self) {
        self.0.lock().unwrap().0 = true;
    }
}

impl Probe {
    pub(crate) fn new(
        keys: impl Fn(&Rows<'_>) -> Result<Vec<Key>, Unreadable> + Send + 'static,
        apply: impl Fn(&mut Rows<'_>) -> Result<u64, Unreadable> + Send + 'static,
    ) -> Self {
        Self {
            keys: Box::new(keys),
            apply: Box::new(apply),
            within: Duration::from_secs(2),
            guards_single_use: false,
            outcome: None,
            caller: Caller::default(),
        }
    }

    pub(crate) fn within(mut self, duration: Duration) -> Self {
        self.within = duration;
        self
    }

    pub(crate) fn guarding_single_use(mut self) -> Self {
        self.guards_single_use = true;
        self
    }
}

impl Member for Probe {
    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        (self.keys)(rows)
    }

    fn apply(&mut self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        if self.guards_single_use {
            rows.guard_single_use();
        }
        self.outcome = Some((self.apply)(rows)?);
        Ok(())
    }

    fn is_abandoned(&self) -> bool {
        self.caller.0.lock().unwrap().0
    }

    fn answer(self: Box<Self>, result: Result<(), StoreError>) {
        let mut caller = self.caller.0.lock().unwrap();
        assert_eq!(caller.1, None, "one answer");
        caller.1 = Some(result.map(|()| self.outcome.unwrap()));
    }
}

/// A committer, and its pending commands.
pub(crate) struct Instance {
    pub(crate) world: World,
    pub(crate) committer: Committer,
    commands: VecDeque<Command>,
    pub(crate) wake_at: Option<Instant>,
}

impl Instance {
    pub(crate) fn new(world: &World, id: u8) -> Self {
        Self {
            world: world.clone(),
            committer: Committer::new([id; 8], world.now()),
            commands: VecDeque::new(),
            wake_at: None,
        }
    }

    pub(crate) fn submit(&mut self, probe: Probe) -> Caller {
        let caller = probe.caller.clone();
        let deadline = self.world.now() + probe.within;
        let member = Box::new(probe);
        self.tell(Event::Submitted { member, deadline });
        caller
    }

    pub(crate) fn tell(&mut self, event: Event) {
        for command in self.committer.handle(event, self.world.now()) {
            match command {
                Command::Answer(member, result) => member.answer(result),
                Command::WakeAt(moment) => self.wake_at = Some(moment),
                command => self.commands.push_back(command),
            }
        }
        assert!(self.commands.len() <= 1, "one thing at a time");
    }

    pub(crate) fn has_command(&self) -> bool {
        !self.commands.is_empty()
    }

    pub(crate) fn is_asked_to_load(&self) -> bool {
        matches!(self.commands.front(), Some(Command::Load(_)))
    }

    pub(crate) fn is_asked_to_commit(&self) -> bool {
        matches!(self.commands.front(), Some(Command::Commit { .. }))
    }

    /// The next command, load or commit.
    pub(crate) fn take(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    pub(crate) fn wake_if_due(&mut self) {
        if self
            .wake_at
            .take_if(|moment| *moment <= self.world.now())
            .is_some()
        {
            self.tell(Event::Woken);
        }
    }

    pub(crate) fn take_load(&mut self) -> Vec<Key> {
        match self.commands.pop_front() {
            Some(Command::Load(keys)) => keys,
            _ => panic!("it asks for no load"),
        }
    }

    fn take_group(&mut self) -> (Commit, usize) {
        match self.commands.pop_front() {
            Some(Command::Commit { commit, members }) => (commit, members),
            _ => panic!("it asks for no commit"),
        }
    }

    pub(crate) fn take_commit(&mut self) -> Commit {
        self.take_group().0
    }

    /// Executes the pending load, and returns the number of rows.
    pub(crate) fn load_as_told(&mut self) -> usize {
        let keys = self.take_load();
        self.tell(Event::Loaded(Ok(self.world.load(&keys))));
        keys.len()
    }

    /// Executes the pending commit, and returns the number of members.
    pub(crate) fn commit_as_told(&mut self) -> usize {
        let (commit, members) = self.take_group();
        self.tell(Event::Committed(self.world.commit(&commit)));
        members
    }

    /// Advances the time to the requested wake-up, and delivers it.
    pub(crate) fn wake(&mut self) {
        let moment = self.wake_at.take().expect("it waits");
        self.world
            .pass(moment.saturating_duration_since(self.world.now()));
        self.tell(Event::Woken);
    }

    /// Executes commands until none is left.
    pub(crate) fn run(&mut self) {
        loop {
            if self.is_asked_to_load() {
                self.load_as_told();
            } else if self.is_asked_to_commit() {
                self.commit_as_told();
            } else if self.committer.is_empty() {
                return;
            } else {
                self.wake();
            }
        }
    }
}
