//! Stops and blocks that are set while codes are being sent, on one instance over a file and
//! on three over Redis.

use std::{
    collections::VecDeque,
    process::{Command, Output},
    time::{Duration, Instant},
};

use futures_util::future::{join, join_all};

use crate::{
    app::{Answer, Session, one_load_at_a_time},
    instances::{Instances, count},
};

/// Sends that are under way together.
const WAVE: usize = 50;
/// Between two waves, so that a second does not use up what may be sent.
const PAUSE: Duration = Duration::from_millis(100);
/// Within a second, on a machine that is busy with other tests.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Numbers for fiction, none of which steers the simulator: 82 of each area.
fn number(index: usize) -> String {
    const AREAS: [&str; 12] = [
        "212", "213", "305", "310", "312", "404", "415", "512", "617", "702", "713", "818",
    ];
    format!("+1{}55501{:02}", AREAS[index / 82], index % 82)
}

/// Codes to one number after the other, and what became of them.
struct Sends<'a> {
    instances: &'a Instances,
    session: Session,
    /// Numbers that got no code yet.
    numbers: VecDeque<String>,
    sent: u64,
}

impl<'a> Sends<'a> {
    async fn start(instances: &'a Instances) -> Self {
        let mut numbers: VecDeque<String> = (0..12 * 82).map(number).collect();
        let first = numbers.pop_front().unwrap();
        Self {
            instances,
            session: instances.sent(&first).await,
            numbers,
            sent: 1,
        }
    }

    /// So many at once; answers how many of them the operator refused. Nothing else
    /// refuses any.
    async fn wave(&mut self, length: usize) -> usize {
        let numbers: Vec<String> = self.numbers.drain(..length).collect();
        let sends = numbers.iter().map(|it| self.instances.send(it));
        let answers = join_all(sends).await;
        for (number, answer) in numbers.into_iter().zip(&answers) {
            if is_protected(answer) {
                self.numbers.push_back(number);
            } else {
                answer.ok();
                self.sent += 1;
            }
        }
        // Whoever was told so got a code, once, and nobody else did.
        assert_eq!(self.instances.simulator.calls().create, self.sent);
        assert_eq!(self.instances.simulator.messages().len() as u64, self.sent);
        count(&answers, 429)
    }

    /// Sends until the service has sent all it may: what was refused was not counted, and
    /// what was sent was counted once.
    async fn use_up(&mut self, total: u64) {
        while self.sent < total {
            let left = usize::try_from(total - self.sent).unwrap();
            assert_eq!(self.wave(left.min(WAVE)).await, 0);
        }
        let next = self.instances.send(&self.numbers[0]).await;
        assert_eq!(next.problem(429, "rate_limited")["limit"], "sends_total");
    }
}

fn is_protected(answer: &Answer) -> bool {
    answer.status == 429 && answer.json()["limit"] == "service_protection"
}

const LIMITS: [(&str, &str); 2] = [
    ("LIMIT_SENDS_PER_RANGE", "off"),
    ("LIMIT_SENDS_PER_COUNTRY", "off"),
];

/// The program beside the service, over the same store.
fn program(instances: &Instances, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .env_clear()
        .env("PLIVO_MODE", "sandbox")
        .envs(instances.store.settings())
        .current_dir(std::env::temp_dir())
        .args(words);
    command
}

/// Runs it until it succeeds: on a busy machine the store may answer it too late, and an
/// operator would repeat it.
async fn done(mut command: Command) {
    let run = move || {
        let mut outputs: Vec<Output> = Vec::new();
        while outputs.len() < 5 && !outputs.last().is_some_and(|it| it.status.success()) {
            outputs.push(command.output().unwrap());
        }
        outputs
    };
    let outputs = tokio::task::spawn_blocking(run).await.unwrap();
    let last = outputs.last().unwrap();
    assert!(last.status.success(), "{outputs:?}");
}

#[actix_web::test]
async fn a_stop_set_while_fifty_sends_run_holds_on_all_instances_and_checks_go_on() {
    let _load = one_load_at_a_time().await;
    let settings = [&LIMITS[..], &[("LIMIT_SENDS_TOTAL", "300/1d")]].concat();
    for what in [&["country", "US"][..], &["channel", "sms"], &["all"]] {
        for instances in Instances::each(&settings).await {
            let mut sends = Sends::start(&instances).await;
            let stop = tokio::spawn(done(program(&instances, &[&["--stop"], what].concat())));
            while !stop.is_finished() {
                sends.wave(WAVE).await;
            }
            stop.await.unwrap();
            assert_eq!(sends.wave(WAVE).await, WAVE, "{what:?}");
            let session = sends.session.clone();
            instances.verify(&session, &session.otp).await.ok();
            done(program(&instances, &[&["--start"], what].concat())).await;
            if what == ["all"] {
                sends.use_up(300).await;
            } else {
                assert_eq!(sends.wave(WAVE).await, 0);
            }
        }
    }
}

#[actix_web::test]
async fn a_block_set_while_fifty_sends_run_holds_on_all_instances_within_a_second() {
    let _load = one_load_at_a_time().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.csv");
    let write = |entry: &str| {
        let text = format!("access,what,until,reason\n{entry}");
        std::fs::write(&path, text).unwrap();
    };
    let name = path.display().to_string();
    write("");
    let own = [
        ("ACCESS_LIST_FILE", name.as_str()),
        ("LIMIT_SENDS_TOTAL", "900/1d"),
    ];
    let settings = [&LIMITS[..], &own].concat();
    for instances in Instances::each(&settings).await {
        let mut sends = Sends::start(&instances).await;
        let block = async {
            tokio::task::yield_now().await;
            write("block,US,2099-01-01,not tonight\n");
            Instant::now()
        };
        let (_, since) = join(sends.wave(WAVE), block).await;
        while sends.wave(WAVE).await < WAVE {
            assert!(since.elapsed() < AT_ONCE);
            tokio::time::sleep(PAUSE).await;
        }
        assert_eq!(sends.wave(WAVE).await, WAVE);
        let session = sends.session.clone();
        instances.verify(&session, &session.otp).await.ok();
        write("");
        let since = Instant::now();
        while sends.wave(WAVE).await == WAVE {
            assert!(since.elapsed() < AT_ONCE);
        }
        // Until it is gone on the last instance, too.
        for app in &instances.apps {
            app.sweep().await;
        }
        sends.use_up(900).await;
    }
}
