//! The SQLite file: durability, and files that are refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use countersign_core::{StoredRow, Write};
use countersign_platform::clock::SystemClock;
use countersign_store::{
    Commit, CommitOutcome, NoObserver, Portable, Snapshot, SqliteStore, Store, StoreError,
    StoreHandle, StoreKeys, sqlite,
};
use futures_util::future::join_all;
use rusqlite::Connection;

use support::{LIFETIME, ManualClock, add, count, key, some_keys, soon};

const FILE: &str = "rows.db";
/// Set in a child process: the directory it works in.
const DIRECTORY_VARIABLE: &str = "COUNTERSIGN_TEST_DIRECTORY";

fn keys() -> StoreKeys {
    StoreKeys::new(
        &"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
            .to_owned()
            .into(),
    )
    .unwrap()
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, &keys(), Arc::new(SystemClock::default())).unwrap()
}

fn handle(path: &Path) -> StoreHandle {
    StoreHandle::start(Arc::new(open(path)), Arc::new(NoObserver))
}

/// The one line with which the store refuses to open.
fn refusal(path: &Path, keys: &StoreKeys) -> String {
    let refused = SqliteStore::open(path, keys, Arc::new(SystemClock::default()));
    let line = refused.err().expect("it is refused").to_string();
    let checked = sqlite::check(path, Some(keys)).err();
    assert_eq!(checked.map(|error| error.to_string()).as_ref(), Some(&line));
    assert_eq!(line.lines().count(), 1);
    line
}

/// Runs one test of this file as a child process, to kill it or limit its file size.
fn run_as_child(test: &str, directory: &Path, before: &str) -> Child {
    let program = std::env::current_exe().unwrap();
    let run = format!("{before} exec \"$0\" --exact {test} --nocapture");
    Command::new("sh")
        .args(["-c", &run])
        .arg(program)
        .env(DIRECTORY_VARIABLE, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The lines that a child reports, without those of its test runner.
fn reported(child: &mut Child) -> impl Iterator<Item = u64> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines = lines.map_while(Result::ok);
    lines.filter_map(|line| line.strip_prefix("> ").map(|count| count.parse().unwrap()))
}

#[expect(clippy::print_stdout, reason = "whoever started it reads that")]
fn report(count: u64) {
    // The test runner may have started a line.
    println!("\n> {count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answered_steps_survive_kill_9() {
    if let Some(directory) = std::env::var_os(DIRECTORY_VARIABLE) {
        let handle = handle(&Path::new(&directory).join(FILE));
        let steps = (0..16).map(|_| async {
            loop {
                report(handle.run(add("a"), soon()).await.unwrap());
            }
        });
        join_all(steps).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut answered = 0;
    for _ in 0..5 {
        let mut child = run_as_child("answered_steps_survive_kill_9", directory.path(), "");
        let mut said = reported(&mut child);
        let new = said.by_ref().take(100).max().unwrap();
        assert!(new > answered, "it begins again where the other died");
        child.kill().unwrap();
        child.wait().unwrap();
        answered = said.max().unwrap_or(new).max(new);
    }
    let handle = handle(&directory.path().join(FILE));
    let count = handle.run(add("a"), soon()).await.unwrap();
    // At most the steps in progress are counted but not answered.
    assert!(
        (answered + 1..=answered + 17).contains(&count),
        "{answered} {count}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_writes_and_readiness_until_there_is_room() {
    let test = "a_full_disk_fails_writes_and_readiness_until_there_is_room";
    if let Some(directory) = std::env::var_os(DIRECTORY_VARIABLE) {
        let store = Arc::new(open(&Path::new(&directory).join(FILE)));
        let handle = StoreHandle::start(store.clone(), Arc::new(NoObserver));
        assert_eq!(store.ready().await, Ok(()));
        let mut written = 0;
        let refused = loop {
            let name = written.to_string();
            match handle.run(fill(&name), soon()).await {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(refused, StoreError::Unreachable);
        // There may still be room for less than a row.
        let mut proofs = 0;
        while store.ready().await.is_ok() {
            proofs += 1;
            assert!(proofs < 10, "reads alone do not serve");
        }
        assert_eq!(handle.read(count("a"), soon()).await, Ok(0));
        report(written);
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // Limits the files of the process to 1 MB; a write beyond that fails.
    let limit = "trap '' XFSZ; ulimit -f 2048;";
    let mut child = run_as_child(test, directory.path(), limit);
    let said: Vec<u64> = reported(&mut child).collect();
    let &[written] = &said[..] else {
        panic!("it has met the limit");
    };
    assert!(child.wait().unwrap().success());
    let store = open(&directory.path().join(FILE));
    assert_eq!(store.ready().await, Ok(()), "there is room again");
    let rows = store.keys().await.unwrap().len();
    assert_eq!(rows, usize::try_from(written).unwrap());
}

/// Writes a large row.
fn fill(name: &str) -> impl countersign_core::Transition<Outcome = ()> + use<> {
    let key = key(&format!("fill/{name}"));
    support::Step {
        keys: vec![key.clone()],
        apply: move |rows: &mut countersign_core::Rows<'_>| {
            let text = support::Text("x".repeat(16 * 1024));
            rows.put(&key, &text, rows.now().after(LIFETIME));
            Ok(())
        },
    }
}

#[tokio::test]
async fn a_removed_file_fails_every_step_until_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let (path, aside) = (directory.path().join(FILE), directory.path().join("aside"));
    let mut expected = 0;
    // The WAL contains what was committed since the last checkpoint.
    for removed in [FILE, "rows.db-wal"] {
        let removed = directory.path().join(removed);
        let store = Arc::new(open(&path));
        let handle = StoreHandle::start(store.clone(), Arc::new(NoObserver));
        expected += 1;
        assert_eq!(handle.run(add("a"), soon()).await, Ok(expected));
        let read = store.load(&[key("a")]).await.unwrap();
        std::fs::rename(&removed, &aside).unwrap();
        for _ in 0..2 {
            assert!(store.load(&[key("a")]).await.is_err());
            assert!(store.ready().await.is_err());
            let commit = Commit {
                now: read.now,
                compare: read.compare(),
                version: read.version,
                write: [(key("a"), Write::Delete)].into(),
                deadline: read.now.after(LIFETIME),
                guards_single_use: false,
            };
            assert_eq!(store.commit(commit).await, CommitOutcome::Unreachable);
            // Another file in its place is not accepted either.
            std::fs::write(&removed, "").unwrap();
        }
        std::fs::rename(&aside, &removed).unwrap();
        expected += 1;
        assert_eq!(handle.run(add("a"), soon()).await, Ok(expected));
        handle.close().await;
    }
}

#[tokio::test]
async fn closing_saves_what_only_a_removed_wal_contained() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let first = handle(&path);
    assert_eq!(first.run(add("a"), soon()).await, Ok(1));
    std::fs::remove_file(directory.path().join("rows.db-wal")).unwrap();
    assert!(first.run(add("a"), soon()).await.is_err());
    first.close().await;
    let second = handle(&path);
    assert_eq!(second.run(add("a"), soon()).await, Ok(2));
}

#[tokio::test]
async fn a_step_waits_for_another_programs_lock_on_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let handle = handle(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Reads still work.
    assert_eq!(handle.read(count("a"), soon()).await, Ok(0));
    let started = Instant::now();
    let hasty = handle.run(add("a"), started + Duration::from_millis(200));
    assert!(hasty.await.is_err());
    assert!(started.elapsed() < Duration::from_secs(1));
    assert!(handle.ready().await.is_err());
    let patient = handle.run(add("a"), soon());
    let release = async { other.execute_batch("ROLLBACK").unwrap() };
    let (patient, ()) = tokio::join!(patient, release);
    assert_eq!(patient, Ok(1), "the hasty one was not run");
    assert_eq!(handle.ready().await, Ok(()));
}

/// Rows are not compared as long as the version of the file is unchanged; a write by any
/// other program changes it.
#[tokio::test]
async fn a_write_by_another_program_between_read_and_commit_is_a_conflict() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, theirs) = (
        open(&directory.path().join(FILE)),
        open(&directory.path().join(FILE)),
    );
    let put = |read: &Snapshot, name: &str| Commit {
        now: read.now,
        compare: read.compare(),
        version: read.version,
        write: [(
            key(name),
            Write::Put(StoredRow {
                value: vec![1],
                expires_at: read.now.after(LIFETIME),
            }),
        )]
        .into(),
        deadline: read.now.after(LIFETIME),
        guards_single_use: false,
    };
    for (name, is_read) in [("a", true), ("b", false)] {
        let read = ours.load_to_commit(&[key("a"), key("c")]).await.unwrap();
        let other = theirs.load_to_commit(&[key(name)]).await.unwrap();
        let written = theirs.commit(put(&other, name)).await;
        assert_eq!(written, CommitOutcome::Done);
        let late = ours.commit(put(&read, "c")).await;
        assert_eq!(matches!(late, CommitOutcome::Conflict(_)), is_read);
        assert_eq!(late == CommitOutcome::Done, !is_read);
    }
}

#[tokio::test]
async fn files_that_are_not_ours_are_refused_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);

    std::fs::write(
        path("text.db"),
        "no database at all, but long enough for one",
    )
    .unwrap();
    let line = refusal(&path("text.db"), &keys());
    assert!(
        line.ends_with("text.db is damaged or no SQLite file"),
        "{line}"
    );

    let foreign = Connection::open(path("foreign.db")).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (x)").unwrap();
    let line = refusal(&path("foreign.db"), &keys());
    assert!(
        line.ends_with("is the database of another program"),
        "{line}"
    );

    for (version, end) in [
        (
            3,
            "has the layout of before the first release; move it away to begin with a new one",
        ),
        (
            5,
            "has the layout of before the first release; move it away to begin with a new one",
        ),
        (8, "was written by a newer version of this program"),
    ] {
        let name = format!("{version}.db");
        let other = Connection::open(path(&name)).unwrap();
        let mark = format!(
            "CREATE TABLE anchor (x); PRAGMA application_id = 1668507502;
             PRAGMA user_version = {version}"
        );
        other.execute_batch(&mark).unwrap();
        let line = refusal(&path(&name), &keys());
        assert!(line.ends_with(end), "{line}");
    }

    drop(open(&path("ours.db")));
    let line = refusal(&path("ours.db"), &some_keys());
    assert!(
        line.starts_with("SECRET_KEY: ") && line.contains("another key"),
        "{line}"
    );
    drop(open(&path("ours.db")));
    assert!(sqlite::check(&path("ours.db"), Some(&keys())).is_ok());

    let bytes = std::fs::read(path("ours.db")).unwrap();
    std::fs::write(path("torn.db"), &bytes[..bytes.len() / 2]).unwrap();
    let torn = SqliteStore::open(&path("torn.db"), &keys(), Arc::new(SystemClock::default()));
    let line = torn.err().unwrap().to_string();
    assert!(line.ends_with("is damaged or no SQLite file"), "{line}");

    std::fs::create_dir(path("folder.db")).unwrap();
    let folder = SqliteStore::open(
        &path("folder.db"),
        &keys(),
        Arc::new(SystemClock::default()),
    );
    assert!(folder.err().unwrap().to_string().starts_with("STORE_URL: "));
}

#[tokio::test]
async fn only_the_owner_can_read_the_file_and_closing_leaves_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data").join(FILE);
    let first = open(&path);
    #[cfg(unix)]
    for entry in std::fs::read_dir(directory.path().join("data")).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
    }
    drop(first);
    drop(open(&path));
    // The content of the WAL is in the one file.
    let left = std::fs::read_dir(directory.path().join("data")).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [FILE]);
}

#[tokio::test]
async fn the_wal_stays_short() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let store = open(&path);
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    let mut longest = 0;
    for _ in 0..60 {
        let read = store.load(&[key("a")]).await.unwrap();
        let row = StoredRow {
            value: vec![7; 200 * 1024],
            expires_at: read.now.after(LIFETIME),
        };
        let commit = Commit {
            now: read.now,
            compare: read.compare(),
            version: read.version,
            write: [(key("a"), Write::Put(row))].into(),
            deadline: read.now.after(LIFETIME),
            guards_single_use: false,
        };
        assert_eq!(store.commit(commit).await, CommitOutcome::Done);
        longest = longest.max(std::fs::metadata(&log).unwrap().len());
    }
    // Twelve megabytes were written in total.
    assert!(longest < 6_000_000, "{longest}");
}

#[tokio::test]
async fn the_given_clock_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let clock = ManualClock::default();
    let path = directory.path().join(FILE);
    let store = SqliteStore::open(&path, &keys(), Arc::new(clock.clone())).unwrap();
    let handle = StoreHandle::start(Arc::new(store), Arc::new(NoObserver));
    assert_eq!(handle.run(add("a"), soon()).await, Ok(1));
    let before = handle.now().await.unwrap();
    clock.advance(LIFETIME);
    assert_eq!(handle.now().await.unwrap(), before.after(LIFETIME));
    assert_eq!(handle.run(add("a"), soon()).await, Ok(1));
}
