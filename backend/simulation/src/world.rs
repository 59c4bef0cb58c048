//! The simulated world, and its event loop.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::{Duration, Instant},
};

use countersign_core::{Millis, Rows, Transition};
use countersign_platform::clock::Clock;
use countersign_store::{
    Committer, MemoryStore, Snapshot,
    committer::{Command, Event as CommitterEvent},
};

use crate::{
    border::Keyed,
    checker::Checker,
    clock::SimClock,
    event::{Event, Instance, Io},
    person::Person,
    plivo::Plivo,
    random::Random,
    request::Request,
    settings::Settings,
};

pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) random: Random,
    pub(crate) clock: SimClock,
    pub(crate) store: MemoryStore,
    pub(crate) instances: Vec<Instance>,
    pub(crate) plivo: Plivo,
    pub(crate) people: Vec<Person>,
    pub(crate) requests: BTreeMap<u64, Request>,
    pub(crate) checker: Checker,
    pub(crate) names: u64,
    /// Whether something was released since the last quiet moment.
    pub(crate) has_released: bool,
    /// Monotonic time since the start.
    pub(crate) elapsed: Duration,
    base: Instant,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    events: BTreeMap<u64, Event>,
    /// The events, if tracing is on.
    pub(crate) trace: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, is_traced: bool) -> Self {
        let mut random = Random::new(seed);
        let settings = Settings::draw(&mut random);
        let clock = SimClock::new();
        let base = Instant::now();
        let instance = |id: usize| Instance {
            generation: 0,
            committer: Committer::new((id as u64).to_be_bytes(), base),
        };
        let mut world = Self {
            store: MemoryStore::new(std::sync::Arc::new(clock.clone())),
            instances: (0..settings.instances).map(instance).collect(),
            people: (0..settings.people).map(|_| Person::default()).collect(),
            checker: Checker::new(&settings),
            settings,
            random,
            clock,
            plivo: Plivo::default(),
            requests: BTreeMap::new(),
            names: 0,
            has_released: false,
            elapsed: Duration::ZERO,
            base,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            trace: is_traced.then(Vec::new),
        };
        for person in 0..world.people.len() {
            world.people[person].actions_left = world.settings.actions;
            let pause = world.settings.pause;
            let after = world.random.millis(0..pause);
            world.schedule(after, Event::Act(person));
        }
        world.operator_waits(false);
        world
    }

    pub(crate) fn note(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>10.3} {}", self.elapsed.as_secs_f64(), line(self));
            if let Some(trace) = &mut self.trace {
                trace.push(line);
            }
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now().into()
    }

    pub(crate) fn instant(&self) -> Instant {
        self.base + self.elapsed
    }

    pub(crate) fn name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    pub(crate) fn key(&mut self) -> Keyed {
        let name = format!("key{}", self.name());
        Keyed {
            name,
            body: "body".to_owned(),
        }
    }

    pub(crate) fn schedule(&mut self, after: Duration, event: Event) {
        let number = self.name();
        self.queue.push(Reverse((self.elapsed + after, number)));
        self.events.insert(number, event);
    }

    /// Runs all events to the end.
    pub(crate) fn run(&mut self) {
        while let Some(Reverse((at, number))) = self.queue.pop() {
            self.pass(at.saturating_sub(self.elapsed));
            self.maybe_set_the_clock();
            let Some(event) = self.events.remove(&number) else {
                continue;
            };
            let instance = match &event {
                Event::StoreReached(instance, ..) | Event::StoreAnswered(instance, ..) => {
                    Some(*instance)
                }
                Event::PlivoAnswered(id, _) => self.requests.get(id).map(|it| it.instance),
                _ => None,
            };
            let crash = self.settings.faults.crash;
            let (before, after) = (self.random.percent(crash), self.random.percent(crash));
            if let Some(instance) = instance.filter(|_| before) {
                self.crash(instance);
            }
            self.happen(event);
            let is_looked_at = self.has_released || self.random.percent(10);
            if self.requests.is_empty() && is_looked_at {
                self.has_released = false;
                self.check_a_quiet_moment();
            }
            if let Some(instance) = instance.filter(|_| after) {
                self.crash(instance);
            }
        }
    }

    /// Advances time.
    pub(crate) fn pass(&mut self, by: Duration) {
        self.elapsed += by;
        self.clock.advance(by);
    }

    fn maybe_set_the_clock(&mut self) {
        if self.random.percent(self.settings.faults.clock_jump) && self.random.percent(10) {
            let by = self.random.within(1..1_500_000);
            let before = self.now();
            let now = if self.random.percent(50) {
                Millis(before.0 + by)
            } else {
                Millis(before.0 - by)
            };
            self.clock.set(now);
            self.note(|_| format!("the clock is set to {}", now.0));
            self.checker.clock_was_set(before, now);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::StoreReached(instance, generation, io) => {
                self.store_reached(instance, generation, io);
            }
            Event::StoreAnswered(instance, generation, event) => {
                if self.instances[instance].generation == generation {
                    self.tell(instance, event);
                }
            }
            Event::Woken(instance, generation) => {
                if self.instances[instance].generation == generation {
                    self.tell(instance, CommitterEvent::Woken);
                }
            }
            Event::Deadline { request, steps } => self.deadline(request, steps),
            Event::PlivoReached { request, fate } => self.plivo_reached(request, fate),
            Event::PlivoAnswered(request, answer) => self.plivo_answered(request, answer),
            Event::Called(callback) => self.callback(callback),
            Event::Probe(asked) => self.probe(&asked),
            Event::Act(person) => self.act(person),
            Event::Again(asked) => self.ask_again(asked),
            Event::Operate => self.operate(),
        }
        self.deliver_answers();
    }

    /// A process crashes, and a new one takes its place.
    fn crash(&mut self, instance: usize) {
        self.note(|_| format!("instance {instance} crashes"));
        let id = self.name();
        let now = self.instant();
        let it = &mut self.instances[instance];
        it.generation += 1;
        it.committer = Committer::new(id.to_be_bytes(), now);
        let died = self
            .requests
            .extract_if(.., |_, it| it.instance == instance);
        for (_, request) in died.collect::<Vec<_>>() {
            self.died(request);
        }
    }

    /// Passes an event to a committer, and executes its commands.
    pub(crate) fn tell(&mut self, instance: usize, event: CommitterEvent) {
        let now = self.instant();
        let it = &mut self.instances[instance];
        let generation = it.generation;
        for command in it.committer.handle(event, now) {
            match command {
                Command::Load(keys) => self.send_to_store(instance, Io::Load(keys)),
                Command::Commit { commit, .. } => self.send_to_store(instance, Io::Commit(commit)),
                Command::Answer(member, result) => member.answer(result),
                Command::WakeAt(at) => {
                    let after = at.saturating_duration_since(now);
                    self.schedule(after, Event::Woken(instance, generation));
                }
            }
        }
    }

    pub(crate) fn way(&mut self, instance: usize) -> Duration {
        let longest = self.settings.distance[instance];
        self.random.millis(0..longest)
    }

    fn send_to_store(&mut self, instance: usize, io: Io) {
        let generation = self.instances[instance].generation;
        let way = self.way(instance);
        self.schedule(way, Event::StoreReached(instance, generation, io));
    }

    /// Reads directly from the store, for the checker.
    pub(crate) fn read<T: Transition>(&self, step: &T) -> T::Outcome {
        let snapshot = self.load(step);
        let mut rows = Rows::new(&snapshot.rows, snapshot.now);
        step.apply(&mut rows).expect("rows are readable")
    }

    /// The rows that a step needs.
    pub(crate) fn load<T: Transition>(&self, step: &T) -> Snapshot {
        let mut keys = Vec::new();
        loop {
            let snapshot = self.store.load_now(&keys);
            let named = step.keys(&Rows::new(&snapshot.rows, snapshot.now));
            let named = named.expect("rows are readable");
            if named.len() == keys.len() {
                return snapshot;
            }
            keys = named;
        }
    }
}
