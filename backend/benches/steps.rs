//! What the steps of a request cost that are ours: a number is read, a store takes
//! a step, a proof is signed. `cargo bench -p countersign-backend`; `cargo test`
//! runs each once.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::{
    hint::black_box,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use countersign_backend::{
    config::{Config, Policy},
    proof::{Proofs, Terms},
    store::{
        CheckReservation, CheckTerms, Claim, Limit, NewSession, Place, SendReservation, SendTerms,
        Session, Settlement, Store, Vault,
        redis::{Address, RedisStore},
        sqlite::SqliteStore,
    },
    verification::read_recipient,
};
use countersign_shared::{Channel, Locale, PhoneNumber, SessionId};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures_util::future::join_all;
use redis_test_server::RedisServer;
use tokio::runtime::Runtime;

/// Callers at the same time, whose steps are committed in groups.
const CALLERS: usize = 16;

fn config() -> Config {
    Config::read(|name| (name == "PLIVO_MODE").then(|| "sandbox".to_owned())).unwrap()
}

fn vault() -> Vault {
    Vault::new(&"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into()).unwrap()
}

fn number(criterion: &mut Criterion) {
    let policy = Policy {
        countries: None,
        channels: vec![Channel::Sms],
        fictitious_numbers: true,
    };
    let read = |text: &str| read_recipient(text, Channel::Sms, &policy);
    let mut group = criterion.benchmark_group("number");
    for (name, text, is_taken) in [
        ("of a country alone", "+33 6 12 34 56 78", true),
        ("of a shared code", "+1 415-555-2671", true),
        ("with a trunk zero", "+44 (0)7400 123456", true),
        ("fictitious", "+44 7700 900123", true),
        ("premium", "+1 900 555 0123", false),
        ("no number", "+1 415", false),
    ] {
        assert_eq!(read(text).is_ok(), is_taken, "{name}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| read(black_box(text)).is_ok());
        });
    }
}

/// A number of its own each time.
fn new_session() -> NewSession {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut id = [0; 16];
    getrandom::fill(&mut id).unwrap();
    NewSession {
        id: SessionId::from_random_bytes(id),
        recipient: PhoneNumber::parse(&format!("+1415{:07}", 2_000_000 + next)).unwrap(),
        channel: Channel::Sms,
        locale: Locale::parse("en").unwrap(),
        nonce: None,
    }
}

fn send_terms(new: &NewSession, config: &Config) -> SendTerms {
    let limits = &config.limits;
    let number = new.recipient.as_str();
    let claim = |limit, subject: &str, quotas: &[_]| Claim {
        limit,
        subject: subject.to_owned(),
        quotas: quotas.to_vec(),
        different: None,
        amount: 1,
    };
    SendTerms {
        claims: vec![
            claim(Limit::SendsPerNumber, number, &limits.sends_per_number),
            // None that fills up.
            claim(Limit::SendsPerPrefix, number, &limits.sends_per_prefix),
            claim(Limit::SendsPerAddress, number, &limits.sends_per_address),
        ],
        place: Place {
            country: "US".to_owned(),
            prefix: number[..8].to_owned(),
        },
    }
}

async fn send(store: &dyn Store, config: &Config) -> Session {
    let new = new_session();
    let terms = send_terms(&new, config);
    let reserved = store.reserve_send(&new.recipient, terms).await.unwrap();
    let SendReservation::Reserved(hold) = reserved else {
        panic!("{reserved:?}");
    };
    let upstream_id = "5f0c9a52-0f6c-4d6e-9f6f-0f1b2c3d4e5f".to_owned();
    store.record_sent(&new, upstream_id, &hold).await.unwrap()
}

async fn check(store: &dyn Store, session: Session, config: &Config) {
    let terms = CheckTerms {
        wrong_per_number: config.limits.wrong_checks_per_number.clone(),
        claims: Vec::new(),
    };
    let reserved = store.reserve_check(session.id, terms).await.unwrap();
    let CheckReservation::Reserved { hold, .. } = reserved else {
        panic!("{reserved:?}");
    };
    let place = Place::default();
    let settled = store.settle_check(session.id, true, hold, &place).await;
    assert!(matches!(settled, Ok(Settlement::Verified)), "{settled:?}");
}

fn steps(criterion: &mut Criterion, name: &str, runtime: &Runtime, store: &dyn Store) {
    let config = config();
    let mut group = criterion.benchmark_group(name);
    for callers in [1, CALLERS] {
        let sent = || join_all((0..callers).map(|_| send(store, &config)));
        group.bench_function(format!("{callers} sends"), |bencher| {
            bencher.iter(|| runtime.block_on(sent()));
        });
        group.bench_function(format!("{callers} checks"), |bencher| {
            bencher.iter_batched(
                || runtime.block_on(sent()),
                |sessions| {
                    let checks = sessions.into_iter();
                    let checks = checks.map(|session| check(store, session, &config));
                    runtime.block_on(join_all(checks))
                },
                BatchSize::PerIteration,
            );
        });
    }
}

fn sqlite_store(directory: &Path) -> SqliteStore {
    let path = directory.join("countersign.db");
    SqliteStore::open(&path, vault(), config().rules, None).unwrap()
}

fn sqlite(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite_store(directory.path());
    let runtime = Runtime::new().unwrap();
    steps(criterion, "SQLite", &runtime, &store);
}

fn redis(criterion: &mut Criterion) {
    let server = RedisServer::start();
    let address = Address::parse(&server.url()).unwrap().unwrap();
    let runtime = Runtime::new().unwrap();
    let store = runtime.block_on(RedisStore::open(&address, vault(), config().rules, None));
    steps(criterion, "Redis", &runtime, &store.unwrap());
}

fn proof(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite_store(directory.path());
    let runtime = Runtime::new().unwrap();
    let session = runtime.block_on(send(&store, &config()));
    let terms = Terms {
        issuer: "https://verify.example.com".to_owned(),
        audience: "shop".to_owned(),
        lifetime: Duration::from_mins(10),
        sandbox: false,
    };
    let now = SystemTime::now();
    let keys = directory.path().join("proof-keys.json");
    let proofs = Proofs::open(keys, false, terms, now).unwrap();
    let token = proofs.sign(&session, now).token;
    let mut group = criterion.benchmark_group("proof");
    group.bench_function("signed", |bencher| {
        bencher.iter(|| proofs.sign(black_box(&session), now));
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| proofs.read(black_box(&token), now).unwrap());
    });
}

criterion_group!(benches, number, sqlite, redis, proof);
criterion_main!(benches);
