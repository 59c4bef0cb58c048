//! What the parts of a request cost that need no store: a number is read, a proof is
//! signed. `cargo bench -p countersign-backend`; `cargo test` runs each once.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::{
    hint::black_box,
    time::{Duration, SystemTime},
};

use countersign_backend::proof::{ProofAlgorithm, Proofs, Subject, Terms};
use countersign_core::{AccessPolicy, recipient};
use countersign_shared::{Channel, PhoneNumber};
use criterion::{Criterion, criterion_group, criterion_main};

fn number(criterion: &mut Criterion) {
    let policy = AccessPolicy {
        countries: None,
        channels: vec![Channel::Sms],
        fictitious_numbers: true,
    };
    let read = |text: &str| recipient::read(text, Channel::Sms, &policy);
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

fn proof(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let terms = Terms {
        issuer: "https://verify.example.com".to_owned(),
        lifetime: Duration::from_mins(10),
        sandbox: false,
    };
    let now = SystemTime::now();
    let keys = directory.path().join("proof-keys.json");
    let proofs = Proofs::open(keys, false, ProofAlgorithm::default(), terms, now).unwrap();
    let recipient = PhoneNumber::parse("+14155552671").unwrap();
    let subject = Subject {
        recipient: &recipient,
        channel: Channel::Sms,
        application: "shop",
        audience: "shop",
        nonce: None,
        purpose: None,
    };
    let token = proofs.sign(&subject, now).token;
    let mut group = criterion.benchmark_group("proof");
    group.bench_function("signed", |bencher| {
        bencher.iter(|| proofs.sign(black_box(&subject), now));
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| proofs.read(black_box(&token), now).unwrap());
    });
}

criterion_group!(benches, number, proof);
criterion_main!(benches);
