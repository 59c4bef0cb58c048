//! What every home of the state must do, step by step.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use countersign_backend::{
    attempt::{Charges, UpstreamAttempt},
    clock::Clock,
    config::{Config, ConversionRule, Quota, Rules},
    money::MicroDollars,
    store::{
        Charged, CheckReservation, CheckTerms, Claim, Hold, KeyedRequest, Known, Limit,
        MAX_MISMATCHES, NewSession, Place, ResendReservation, SendReservation, SendTerms, Session,
        SessionOver, Settlement, Share, Slump, Store, Vault,
        redis::{Address, RedisStore},
        sqlite::SqliteStore,
    },
};
use countersign_shared::{
    Channel, Locale, PhoneNumber, SessionId,
    session::{AttemptReason, AttemptStatus, SessionStatus},
};

use futures_util::future::join_all;
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use redis_test_server::{RedisCluster, RedisServer};

fn random_id() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

struct StoppedClock(Mutex<SystemTime>);

impl Clock for StoppedClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

/// A home, its clock, and what has to stay while it is used.
struct Home {
    store: Arc<dyn Store>,
    clock: Arc<StoppedClock>,
    _directory: Option<tempfile::TempDir>,
    server: Option<RedisServer>,
}

fn new_session(number: u8) -> NewSession {
    NewSession {
        id: SessionId::from_random_bytes(random_id()),
        recipient: PhoneNumber::parse(&format!("+141555501{number:02}")).unwrap(),
        channel: Channel::Sms,
        locale: Locale::parse("en").unwrap(),
        nonce: None,
    }
}

fn stopped_clock() -> Arc<StoppedClock> {
    Arc::new(StoppedClock(Mutex::new(SystemTime::now())))
}

fn rules() -> Rules {
    let settings = Config::read(|name| (name == "PLIVO_MODE").then(|| "sandbox".to_owned()));
    settings.unwrap().rules
}

/// Waits short enough for the limits to be met.
fn hasty_rules() -> Rules {
    Rules {
        resend_waits: [5, 1_000, 4_000].map(Duration::from_millis).to_vec(),
        ..rules()
    }
}

/// The same for both homes, or what they call things would differ.
fn vault() -> Vault {
    Vault::new(&"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into()).unwrap()
}

impl Home {
    fn sqlite() -> Self {
        Self::sqlite_by(rules())
    }

    fn sqlite_by(rules: Rules) -> Self {
        let (directory, clock) = (tempfile::tempdir().unwrap(), stopped_clock());
        let path = directory.path().join("countersign.db");
        let store = SqliteStore::open(&path, vault(), rules, Some(clock.clone()));
        Self {
            store: Arc::new(store.unwrap()),
            clock,
            _directory: Some(directory),
            server: None,
        }
    }

    async fn redis() -> Self {
        let server = RedisServer::start();
        let home = Self::redis_at(&server.url()).await;
        Self {
            server: Some(server),
            ..home
        }
    }

    async fn redis_at(url: &str) -> Self {
        Self::redis_by(url, rules()).await
    }

    async fn redis_by(url: &str, rules: Rules) -> Self {
        let clock = stopped_clock();
        let address = Address::parse(url).unwrap().unwrap();
        let store = RedisStore::open(&address, vault(), rules, Some(clock.clone())).await;
        Self {
            store: Arc::new(store.unwrap()),
            clock,
            _directory: None,
            server: None,
        }
    }

    fn advance(&self, by: Duration) {
        *self.clock.0.lock().unwrap() += by;
    }

    async fn reserved(&self, number: u8) -> (NewSession, Hold) {
        let new = new_session(number);
        match self
            .store
            .reserve_send(&new.recipient, nothing())
            .await
            .unwrap()
        {
            SendReservation::Reserved(hold) => (new, hold),
            SendReservation::Wait(wait) => panic!("{wait:?}"),
        }
    }

    async fn live(&self, number: u8) -> Session {
        let (new, hold) = self.reserved(number).await;
        self.store
            .record_sent(&new, "upstream".into(), &hold)
            .await
            .unwrap()
    }

    async fn check(&self, id: SessionId, terms: CheckTerms) -> Hold {
        match self.store.reserve_check(id, terms).await.unwrap() {
            CheckReservation::Reserved { hold, session } => {
                assert_eq!((session.id, session.upstream_id.as_str()), (id, "upstream"));
                hold
            }
            other => panic!("{other:?}"),
        }
    }

    async fn over(&self, id: SessionId) -> Option<SessionOver> {
        self.store.session(id).await.unwrap().err()
    }
}

/// Where the numbers of these tests belong.
fn here() -> Place {
    Place {
        country: "US".into(),
        prefix: "+1415555".into(),
    }
}

fn terms(claims: Vec<Claim>) -> SendTerms {
    SendTerms {
        claims,
        place: here(),
    }
}

fn nothing() -> SendTerms {
    terms(Vec::new())
}

fn no_limits() -> CheckTerms {
    CheckTerms::default()
}

fn wrong_checks(count: u64) -> CheckTerms {
    CheckTerms {
        wrong_per_number: vec![Quota {
            count: count.try_into().unwrap(),
            per: Duration::from_hours(1),
        }],
        claims: Vec::new(),
    }
}

async fn a_session_is_there_once_plivo_took_the_send(home: Home) {
    let (new, hold) = home.reserved(1).await;
    assert_eq!(home.over(new.id).await, Some(SessionOver::NotFound));
    let session = home
        .store
        .record_sent(&new, "upstream".into(), &hold)
        .await
        .unwrap();
    assert_eq!(session.recipient, new.recipient);
    assert_eq!(session.locale, new.locale);
    assert_eq!(session.status, SessionStatus::Pending);
    assert_eq!((session.checks_left, session.deliveries.len()), (5, 1));
    assert_eq!(session.expires_in, Duration::from_mins(10));
    let wait = home.store.send_wait(&new.recipient, nothing());
    assert_eq!(wait.await.unwrap(), Duration::from_secs(30));
}

async fn two_accepted_checks_at_once_are_one_success(home: Home) {
    let id = home.live(1).await.id;
    let (first, second) = (
        home.check(id, no_limits()).await,
        home.check(id, no_limits()).await,
    );
    let settled = home
        .store
        .settle_check(id, true, first, &here())
        .await
        .unwrap();
    assert!(matches!(settled, Settlement::Verified));
    let settled = home
        .store
        .settle_check(id, true, second, &here())
        .await
        .unwrap();
    assert!(matches!(
        settled,
        Settlement::Over(SessionOver::AlreadyVerified)
    ));
}

async fn checks_that_are_under_way_are_used(home: Home) {
    let id = home.live(1).await.id;
    let mut under_way = Vec::new();
    for _ in 0..5 {
        under_way.push(home.check(id, no_limits()).await);
    }
    let refused = home.store.reserve_check(id, no_limits()).await.unwrap();
    assert!(matches!(
        refused,
        CheckReservation::Over(SessionOver::ChecksExhausted)
    ));
}

async fn a_session_that_is_done_takes_no_step(home: Home) {
    let session = home.live(1).await;
    let hold = home.check(session.id, no_limits()).await;
    home.store
        .settle_check(session.id, true, hold, &here())
        .await
        .unwrap();
    home.advance(Duration::from_mins(1));
    let resend = home.store.reserve_resend(&session, nothing(), false).await;
    assert!(matches!(
        resend.unwrap(),
        ResendReservation::Over(SessionOver::AlreadyVerified)
    ));
    let check = home.store.reserve_check(session.id, no_limits()).await;
    assert!(matches!(
        check.unwrap(),
        CheckReservation::Over(SessionOver::AlreadyVerified)
    ));
}

async fn an_answer_that_comes_after_the_end_is_no_success(home: Home) {
    let id = home.live(1).await.id;
    let hold = home.check(id, no_limits()).await;
    home.advance(Duration::from_mins(10));
    let settled = home
        .store
        .settle_check(id, true, hold, &here())
        .await
        .unwrap();
    assert!(matches!(settled, Settlement::Over(SessionOver::Expired)));
}

async fn a_right_code_counts_beside_the_last_wrong_one(home: Home) {
    let id = home.live(1).await.id;
    let right = home.check(id, no_limits()).await;
    for left in (0..4).rev() {
        let hold = home.check(id, no_limits()).await;
        let settled = home
            .store
            .settle_check(id, false, hold, &here())
            .await
            .unwrap();
        assert!(matches!(settled, Settlement::Incorrect { checks_left } if checks_left == left));
    }
    let refused = home.store.reserve_check(id, no_limits()).await.unwrap();
    assert!(matches!(
        refused,
        CheckReservation::Over(SessionOver::ChecksExhausted)
    ));
    let settled = home
        .store
        .settle_check(id, true, right, &here())
        .await
        .unwrap();
    assert!(matches!(settled, Settlement::Verified));
}

async fn a_check_that_never_left_is_given_back_and_no_more(home: Home) {
    let id = home.live(1).await.id;
    let kept = home.check(id, wrong_checks(2)).await;
    let given_back = home.check(id, wrong_checks(2)).await;
    let full = home.store.reserve_check(id, wrong_checks(2)).await.unwrap();
    assert!(matches!(full, CheckReservation::Wait(_)));
    home.store.release_check(id, given_back).await.unwrap();
    let again = home.check(id, wrong_checks(2)).await;
    let full = home.store.reserve_check(id, wrong_checks(2)).await.unwrap();
    assert!(matches!(full, CheckReservation::Wait(_)));
    // A right one does not count as wrong.
    let settled = home
        .store
        .settle_check(id, true, again, &here())
        .await
        .unwrap();
    assert!(matches!(settled, Settlement::Verified));
    let session = home.store.session(id).await.unwrap().unwrap();
    assert_eq!(
        (session.status, session.checks_left),
        (SessionStatus::Verified, 3)
    );
    drop(kept);
}

async fn a_send_that_never_left_frees_the_number_and_one_that_may_have_does_not(home: Home) {
    let (new, hold) = home.reserved(1).await;
    home.store.release_send(&new.recipient, hold).await.unwrap();
    let (new, _hold) = home.reserved(1).await;
    assert_eq!(home.over(new.id).await, Some(SessionOver::NotFound));
    let again = home
        .store
        .reserve_send(&new.recipient, nothing())
        .await
        .unwrap();
    assert!(
        matches!(again, SendReservation::Wait(wait) if wait.retry_after == Duration::from_secs(30))
    );
}

async fn a_release_leaves_the_rung_of_a_later_send_alone(home: Home) {
    let (new, slow) = home.reserved(1).await;
    home.advance(Duration::from_secs(30));
    let (_, _second) = home.reserved(1).await;
    home.store.release_send(&new.recipient, slow).await.unwrap();
    let again = home
        .store
        .reserve_send(&new.recipient, nothing())
        .await
        .unwrap();
    assert!(
        matches!(again, SendReservation::Wait(wait) if wait.retry_after == Duration::from_mins(1))
    );
}

async fn a_resend_moves_neither_the_end_nor_the_checks(home: Home) {
    let session = home.live(1).await;
    home.advance(Duration::from_secs(30));
    let reserved = home
        .store
        .reserve_resend(&session, nothing(), false)
        .await
        .unwrap();
    let ResendReservation::Reserved(hold) = reserved else {
        panic!("30 s have passed");
    };
    let recorded = home
        .store
        .record_resent(&session, Channel::Voice, "another".into(), &hold);
    let resent = recorded.await.unwrap().unwrap();
    assert_eq!(resent.expires_at, session.expires_at);
    assert_eq!(resent.checks_left, 5);
    assert_eq!(resent.upstream_id, "another");
    let channels: Vec<_> = resent.deliveries.iter().map(|it| it.channel).collect();
    assert_eq!(channels, [Channel::Sms, Channel::Voice]);
}

async fn the_time_is_that_of_its_own_clock(home: Home) {
    home.advance(Duration::from_hours(1));
    let (here, there) = (home.clock.now(), home.store.time().await.unwrap());
    let apart = here.duration_since(there).unwrap();
    assert!(apart < Duration::from_millis(1), "{apart:?}");
}

async fn an_ended_session_is_remembered_for_an_hour_by_its_name_only(home: Home) {
    let session = home.live(1).await;
    let id = session.id;
    home.advance(Duration::from_mins(10));
    for _ in 0..2 {
        assert_eq!(home.over(id).await, Some(SessionOver::Expired));
        home.store.sweep().await.unwrap();
    }
    home.advance(Duration::from_hours(1));
    assert_eq!(home.over(id).await, Some(SessionOver::NotFound));
    home.store.sweep().await.unwrap();
    assert_eq!(home.over(id).await, Some(SessionOver::NotFound));
    // A step that comes too late changes nothing and is no fault.
    let (_, hold) = home.reserved(2).await;
    let resent = home
        .store
        .record_resent(&session, Channel::Sms, "late".into(), &hold);
    assert_eq!(resent.await.unwrap().err(), Some(SessionOver::NotFound));
}

async fn a_resend_is_counted_given_back_and_refused_once_over(home: Home) {
    let session = home.live(1).await;
    let early = home
        .store
        .reserve_resend(&session, nothing(), false)
        .await
        .unwrap();
    assert!(
        matches!(early, ResendReservation::Wait(wait) if wait.retry_after == Duration::from_secs(30))
    );
    // Where the first way has failed another one need not wait; it counts.
    let at_once = home.store.reserve_resend(&session, nothing(), true).await;
    let ResendReservation::Reserved(hold) = at_once.unwrap() else {
        panic!("at once");
    };
    let wait = home.store.send_wait(&session.recipient, nothing());
    assert_eq!(wait.await.unwrap(), Duration::from_mins(1));
    home.store
        .release_send(&session.recipient, hold)
        .await
        .unwrap();
    home.advance(Duration::from_secs(30));
    let ResendReservation::Reserved(hold) = home
        .store
        .reserve_resend(&session, nothing(), false)
        .await
        .unwrap()
    else {
        panic!("30 s have passed");
    };
    home.store
        .release_send(&session.recipient, hold)
        .await
        .unwrap();
    let again = home
        .store
        .reserve_resend(&session, nothing(), false)
        .await
        .unwrap();
    assert!(matches!(again, ResendReservation::Reserved(_)));
    home.advance(Duration::from_mins(10));
    let late = home
        .store
        .reserve_resend(&session, nothing(), false)
        .await
        .unwrap();
    assert!(matches!(
        late,
        ResendReservation::Over(SessionOver::Expired)
    ));
}

async fn a_check_released_on_the_last_one_opens_the_session_again(home: Home) {
    let id = home.live(1).await.id;
    let released = home.check(id, no_limits()).await;
    for _ in 0..4 {
        let hold = home.check(id, no_limits()).await;
        home.store
            .settle_check(id, false, hold, &here())
            .await
            .unwrap();
    }
    let session = home.store.session(id).await.unwrap().unwrap();
    assert_eq!(session.status, SessionStatus::ChecksExhausted);
    home.store.release_check(id, released).await.unwrap();
    let session = home.store.session(id).await.unwrap().unwrap();
    assert_eq!(
        (session.status, session.checks_left),
        (SessionStatus::Pending, 1)
    );
}

async fn the_limit_that_is_full_the_longest_is_named(home: Home) {
    let claim = |limit, count: u64, hours| Claim {
        limit,
        subject: "somebody".into(),
        quotas: vec![Quota {
            count: count.try_into().unwrap(),
            per: Duration::from_hours(hours),
        }],
        different: None,
        amount: 1,
    };
    let claims = || {
        vec![
            claim(Limit::SendsPerCountry, 1, 1),
            claim(Limit::SendsTotal, 1, 2),
        ]
    };
    let first = home
        .store
        .reserve_send(&new_session(1).recipient, terms(claims()))
        .await
        .unwrap();
    assert!(matches!(first, SendReservation::Reserved(_)));
    let SendReservation::Wait(wait) = home
        .store
        .reserve_send(&new_session(2).recipient, terms(claims()))
        .await
        .unwrap()
    else {
        panic!("both are full");
    };
    assert_eq!(wait.limit, Some(Limit::SendsTotal));
    assert_eq!(wait.retry_after, Duration::from_hours(2));
    // What was refused took nothing, of either.
    home.advance(Duration::from_hours(1));
    let alone = vec![claim(Limit::SendsPerCountry, 1, 1)];
    let alone = home
        .store
        .reserve_send(&new_session(2).recipient, terms(alone))
        .await
        .unwrap();
    assert!(matches!(alone, SendReservation::Reserved(_)));
}

async fn a_keyed_request_is_taken_once_and_answered_alike(home: Home) {
    let request = |name: &str, body: &str| KeyedRequest {
        name: name.into(),
        body: body.into(),
        kept_for: Duration::from_mins(1),
    };
    let (mine, other) = (request("mine", "body"), request("other", "body"));
    let begin = async |request: &KeyedRequest| home.store.begin(request).await.unwrap();
    assert_eq!(begin(&mine).await, Known::New);
    assert_eq!(begin(&mine).await, Known::UnderWay);
    assert_eq!(begin(&other).await, Known::New);
    assert_eq!(begin(&request("mine", "another")).await, Known::Mismatched);
    home.store
        .finish(&mine, Some("answer".into()))
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(begin(&mine).await, Known::Answered("answer".into()));
    }
    // The ones from before the answer count, too.
    for _ in 1..MAX_MISMATCHES {
        assert_eq!(begin(&mine).await, Known::Answered("answer".into()));
        assert_eq!(begin(&request("mine", "another")).await, Known::Mismatched);
    }
    assert_eq!(begin(&request("mine", "another")).await, Known::Blocked);
    assert_eq!(begin(&mine).await, Known::Blocked);
    // Nothing was done: the name is free.
    home.store.finish(&other, None).await.unwrap();
    assert_eq!(begin(&other).await, Known::New);
    // Its process has died: what it did is not known, and it is not done again.
    home.advance(Duration::from_secs(30));
    assert_eq!(begin(&other).await, Known::Lost);
    home.advance(Duration::from_secs(30));
    assert_eq!(begin(&other).await, Known::New);
    // A key that comes anew begins anew.
    assert_eq!(begin(&mine).await, Known::New);
    assert_eq!(begin(&request("mine", "another")).await, Known::Mismatched);
}

async fn a_key_is_compared_with_few_requests_however_they_come(home: Home) {
    let request = |body: usize| KeyedRequest {
        name: "mine".into(),
        body: body.to_string(),
        kept_for: Duration::from_mins(1),
    };
    assert_eq!(home.store.begin(&request(0)).await.unwrap(), Known::New);
    let others: Vec<_> = (1..=40).map(request).collect();
    let answers = join_all(others.iter().map(|other| home.store.begin(other))).await;
    let compared = answers
        .into_iter()
        .filter(|answer| matches!(answer, Ok(Known::Mismatched)));
    assert_eq!(compared.count(), 5);
}

async fn what_is_used_up_leaves_less_for_checks(home: Home) {
    let mine = Claim {
        limit: Limit::ChecksPerAddress,
        subject: "somebody".into(),
        quotas: vec![Quota {
            count: 2.try_into().unwrap(),
            per: Duration::from_hours(1),
        }],
        different: None,
        amount: 1,
    };
    let id = home.live(1).await.id;
    let terms = CheckTerms {
        wrong_per_number: Vec::new(),
        claims: vec![mine.clone()],
    };
    let use_up = async || home.store.use_up(vec![mine.clone()]).await.unwrap();
    assert_eq!(use_up().await, Ok(()));
    drop(home.check(id, terms.clone()).await);
    let wait = use_up().await.unwrap_err();
    assert_eq!(wait.limit, Some(Limit::ChecksPerAddress));
    assert_eq!(wait.retry_after, Duration::from_hours(1));
    let check = home.store.reserve_check(id, terms).await.unwrap();
    assert!(matches!(check, CheckReservation::Wait(_)));
    home.advance(Duration::from_hours(1));
    assert_eq!(use_up().await, Ok(()));
    // Nothing to count always passes.
    assert_eq!(home.store.use_up(Vec::new()).await.unwrap(), Ok(()));
}

async fn a_proof_is_spent_once(home: Home) {
    let spend = async |name: &str| {
        let spent = home.store.spend(name, Duration::from_mins(1));
        spent.await.unwrap()
    };
    assert!(!home.store.is_spent("mine").await.unwrap());
    assert!(spend("mine").await);
    assert!(!spend("mine").await);
    assert!(home.store.is_spent("mine").await.unwrap());
    assert!(spend("other").await);
    home.advance(Duration::from_secs(59));
    assert!(!spend("mine").await);
}

async fn attempts_are_learned_in_any_order_and_one_at_a_time_asks(home: Home) {
    let pace = Duration::from_secs(3);
    let watch = async || home.store.watch("upstream", pace).await.unwrap();
    let attempt = |channel, status, reason| UpstreamAttempt {
        channel,
        status,
        reason,
    };
    let empty = watch().await;
    assert_eq!((empty.attempts.len(), empty.is_turn), (0, true));
    assert!(!watch().await.is_turn);
    let failed = attempt(
        Channel::Sms,
        AttemptStatus::Undelivered,
        Some(AttemptReason::Unreachable),
    );
    let ringing = attempt(Channel::Voice, AttemptStatus::Sent, None);
    let sent = attempt(Channel::Sms, AttemptStatus::Sent, None);
    for noted in [(1, ringing), (0, failed), (0, sent), (1, ringing)] {
        let noted = home.store.note_attempts("upstream", vec![noted], false);
        noted.await.unwrap();
    }
    let known = watch().await;
    assert_eq!(known.attempts, [failed, ringing]);
    assert!(!known.is_turn);
    let noted = home.store.note_attempts("upstream", vec![], true);
    noted.await.unwrap();
    assert!(watch().await.is_turn);
    home.advance(pace);
    assert!(watch().await.is_turn);
    // It arrived after all.
    let arrived = attempt(Channel::Sms, AttemptStatus::Delivered, None);
    // Said once, however often it is learned.
    for said in [vec![Channel::Sms], vec![]] {
        let learned = vec![(0, arrived)];
        let noted = home.store.note_attempts("upstream", learned, false);
        assert_eq!(noted.await.unwrap(), said);
    }
    assert_eq!(watch().await.attempts, [arrived, ringing]);
    let other = home.store.watch("another", pace).await.unwrap();
    assert_eq!(other.attempts, []);
}

async fn what_is_over_leaves_nothing_behind(home: Home) {
    home.store
        .watch("upstream", Duration::from_secs(3))
        .await
        .unwrap();
    home.store
        .spend("mine", Duration::from_mins(1))
        .await
        .unwrap();
    let session = home.live(1).await;
    let hold = home.check(session.id, wrong_checks(2)).await;
    home.store
        .settle_check(session.id, false, hold, &here())
        .await
        .unwrap();
    home.store.ready().await.unwrap();
    home.store.sweep().await.unwrap();
    // Redis forgets by itself: by its own clock, and each key of ours at once
    // when it is written.
    let Some(server) = &home.server else { return };
    let keys = server.keys();
    assert!(keys.len() >= 5, "{keys:?}");
    for key in keys {
        let left: i64 = server.command(&["PTTL", &key]);
        assert!(left > 0, "{key} has no end");
        if key.contains(":session:") {
            // As long as the session, and no longer.
            assert!(
                (590_000..=600_000).contains(&left),
                "{key} ends in {left} ms"
            );
        }
        assert!(key.starts_with("{countersign}:"), "{key}");
    }
}

/// Half a dollar an hour and two a day.
/// While one process drains, the next one is already there.
#[tokio::test]
async fn two_processes_on_one_file_count_together() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), stopped_clock());
    let path = directory.path().join("countersign.db");
    let open = || SqliteStore::open(&path, vault(), rules(), Some(clock.clone())).unwrap();
    let stores = [open(), open()];
    let limited = || {
        terms(vec![Claim {
            limit: Limit::SendsTotal,
            subject: String::new(),
            quotas: vec![Quota {
                count: 4.try_into().unwrap(),
                per: Duration::from_hours(1),
            }],
            different: None,
            amount: 1,
        }])
    };
    for number in 0..6 {
        let store = &stores[usize::from(number % 2)];
        let new = new_session(number);
        let reserved = store.reserve_send(&new.recipient, limited()).await.unwrap();
        assert_eq!(matches!(reserved, SendReservation::Reserved(_)), number < 4);
        if let SendReservation::Reserved(hold) = reserved {
            store
                .record_sent(&new, "upstream".into(), &hold)
                .await
                .unwrap();
            for (left, store) in (0..5).rev().zip(stores.iter().cycle()) {
                let check = store.reserve_check(new.id, no_limits()).await.unwrap();
                let CheckReservation::Reserved { session, .. } = check else {
                    panic!("{left} should be left: {check:?}");
                };
                assert_eq!(session.checks_left, left);
            }
        }
    }
}

/// What a server in use holds since the first version.
#[tokio::test]
async fn a_server_that_was_used_before_is_known_by_its_key() {
    let server = RedisServer::start();
    let check = "2164625b589f20c4807386d5162b926e";
    let () = server.command(&["SET", "{countersign}:key", check]);
    Home::redis_at(&server.url()).await;
}

/// More than goes in one step.
#[tokio::test]
async fn all_that_is_over_goes_from_the_file_however_much_it_is() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), stopped_clock());
    let path = directory.path().join("countersign.db");
    let store = SqliteStore::open(&path, vault(), rules(), Some(clock.clone())).unwrap();
    let sends = (0..1_100_u32).map(async |number| {
        let new = NewSession {
            recipient: PhoneNumber::parse(&format!("+1415551{number:04}")).unwrap(),
            ..new_session(0)
        };
        let reserved = store.reserve_send(&new.recipient, nothing()).await.unwrap();
        let SendReservation::Reserved(hold) = reserved else {
            panic!("{reserved:?}");
        };
        store
            .record_sent(&new, "upstream".into(), &hold)
            .await
            .unwrap();
    });
    for send in sends {
        send.await;
    }
    let file = rusqlite::Connection::open(&path).unwrap();
    let rows = |what: &str| -> u32 {
        let count = format!("SELECT count(*) FROM {what}");
        file.query_row(&count, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((rows("session"), rows("number")), (1_100, 1_100));
    let later = async |minutes| {
        *clock.0.lock().unwrap() += Duration::from_mins(minutes);
        store.sweep().await.unwrap();
    };
    later(10).await;
    assert_eq!(rows("session WHERE person IS NOT NULL"), 0);
    assert_eq!(rows("session"), 1_100);
    later(75).await;
    assert_eq!((rows("session"), rows("number")), (0, 0));
}

fn costs(amount: u64) -> Claim {
    let cap = |count: u64, hours| Quota {
        count: count.try_into().unwrap(),
        per: Duration::from_hours(hours),
    };
    Claim {
        limit: Limit::Spend,
        subject: String::new(),
        quotas: vec![cap(500_000, 1), cap(2_000_000, 24)],
        different: None,
        amount,
    }
}

async fn a_cap_holds_what_codes_cost(home: Home) {
    let send = async |number, amount| {
        let new = new_session(number);
        let reserved = home
            .store
            .reserve_send(&new.recipient, terms(vec![costs(amount)]))
            .await;
        (new, reserved.unwrap())
    };
    let (_, SendReservation::Reserved(hold)) = send(1, 300_000).await else {
        panic!("there is room");
    };
    assert_eq!(hold.spent(), [300_000, 300_000]);
    home.advance(Duration::from_mins(10));
    let (new, SendReservation::Reserved(hold)) = send(2, 200_000).await else {
        panic!("to the last millionth");
    };
    assert_eq!(hold.spent(), [500_000, 500_000]);
    let (_, SendReservation::Wait(wait)) = send(3, 1).await else {
        panic!("it is full");
    };
    assert_eq!(wait.limit, Some(Limit::Spend));
    // The first leaves after an hour, by the end of its part of it.
    let (least, most) = (Duration::from_mins(50), Duration::from_mins(51));
    assert!((least..most).contains(&wait.retry_after), "{wait:?}");
    home.store.release_send(&new.recipient, hold).await.unwrap();
    let used = async || home.store.used(costs(0)).await.unwrap();
    assert_eq!(used().await, [300_000, 300_000]);
    let (_, SendReservation::Wait(wait)) = send(3, 500_001).await else {
        panic!("never");
    };
    assert_eq!(wait.retry_after, Duration::from_hours(1));
    home.advance(Duration::from_mins(51));
    assert_eq!(used().await, [0, 300_000]);
}

async fn a_charge_stands_in_the_place_of_what_was_expected_and_once(home: Home) {
    let new = new_session(1);
    let reserved = home
        .store
        .reserve_send(&new.recipient, terms(vec![costs(10_000)]));
    let SendReservation::Reserved(hold) = reserved.await.unwrap() else {
        panic!("there is room");
    };
    let sent = home.store.record_sent(&new, "upstream".into(), &hold);
    let session = sent.await.unwrap();
    assert!(!session.deliveries[0].is_charged);
    home.advance(Duration::from_secs(30));
    let charge = |channel, amount| Charged {
        channel,
        amount: MicroDollars(amount),
    };
    let note = async |sms, validation| {
        let charges = Charges {
            attempts: vec![(Channel::Sms, MicroDollars(sms))],
            validation: MicroDollars(validation),
        };
        let noted = home.store.note_charges(&session, charges, Some(costs(0)));
        noted.await.unwrap()
    };
    let used = async || home.store.used(costs(0)).await.unwrap();
    // No price yet.
    assert_eq!(note(0, 0).await, []);
    assert_eq!(used().await, [10_000, 10_000]);
    assert_eq!(note(7_000, 0).await, [charge(Some(Channel::Sms), 7_000)]);
    for _ in 0..3 {
        assert_eq!(used().await, [7_000, 7_000]);
        assert_eq!(note(7_000, 0).await, []);
    }
    let known = home.store.session(session.id).await.unwrap().unwrap();
    assert!(known.deliveries[0].is_charged);
    assert_eq!(
        known.deliveries[0].requested_at,
        session.deliveries[0].requested_at
    );
    // It became dearer, and the check costs too.
    let more = [charge(Some(Channel::Sms), 2_000), charge(None, 50_000)];
    assert_eq!(note(9_000, 50_000).await, more);
    assert_eq!(used().await, [59_000, 59_000]);
    // Once the session has ended only what is charged goes on.
    home.advance(Duration::from_mins(10));
    assert_eq!(note(9_500, 50_000).await, [charge(Some(Channel::Sms), 500)]);
    assert_eq!(used().await, [59_500, 59_500]);
    home.advance(Duration::from_mins(52));
    assert_eq!(used().await, [0, 59_500]);
}

async fn a_session_that_two_share_is_charged_once(home: Home) {
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let new = new_session(1);
        let reserved = home
            .store
            .reserve_send(&new.recipient, terms(vec![costs(10_000)]));
        let SendReservation::Reserved(hold) = reserved.await.unwrap() else {
            panic!("there is room");
        };
        let sent = home.store.record_sent(&new, "upstream".into(), &hold);
        sessions.push(sent.await.unwrap());
        home.advance(Duration::from_mins(1));
    }
    let charges = Charges {
        attempts: vec![
            (Channel::Sms, MicroDollars(7_000)),
            (Channel::Sms, MicroDollars(8_000)),
        ],
        validation: MicroDollars(0),
    };
    let mut sum = 0;
    for session in [&sessions[0], &sessions[1], &sessions[0]] {
        let noted = home
            .store
            .note_charges(session, charges.clone(), Some(costs(0)));
        sum += noted
            .await
            .unwrap()
            .iter()
            .map(|it| it.amount.0)
            .sum::<u64>();
    }
    assert_eq!(sum, 15_000);
    let used = home.store.used(costs(0)).await.unwrap();
    assert_eq!(used, [15_000, 15_000]);
}

async fn where_too_few_codes_are_given_back_is_found_once(home: Home) {
    let slumps = async |number, place: Place| {
        let asked = SendTerms {
            claims: vec![],
            place,
        };
        let new = new_session(number);
        match home
            .store
            .reserve_send(&new.recipient, asked)
            .await
            .unwrap()
        {
            SendReservation::Reserved(hold) => hold.slumps().to_vec(),
            SendReservation::Wait(wait) => panic!("it is watched only: {wait:?}"),
        }
    };
    for number in 1..=30 {
        let session = home.live(number).await;
        if number <= 5 {
            let hold = home.check(session.id, no_limits()).await;
            let place = here();
            let settled = home.store.settle_check(session.id, true, hold, &place);
            settled.await.unwrap();
        }
    }
    // They are young: nothing has failed yet.
    assert_eq!(slumps(31, here()).await, []);
    home.advance(Duration::from_mins(3));
    let found = slumps(32, here()).await;
    let limits = [Limit::ConversionPerCountry, Limit::ConversionPerPrefix];
    let share = Share {
        sends: 30,
        verified: 5,
    };
    for (slump, limit) in found.iter().zip(limits) {
        assert_eq!((slump.limit, slump.found), (limit, Some(share)));
    }
    assert_eq!(found.len(), 2);
    assert_ne!(found[0].name, found[1].name);
    // What was found stays so for a while, and is not found again.
    let cooling = |slump: &Slump| Slump {
        found: None,
        ..slump.clone()
    };
    let both: Vec<Slump> = found.iter().map(cooling).collect();
    assert_eq!(slumps(33, here()).await, both);
    // Another range of that country.
    let there = Place {
        prefix: "+1415556".into(),
        ..here()
    };
    assert_eq!(slumps(34, there).await, both[..1]);
    home.advance(Duration::from_mins(30));
    assert_eq!(slumps(35, here()).await, []);
}

/// What a caller may do next, in any order.
#[derive(Clone, Debug)]
enum Act {
    Pass(Duration),
    /// A send to one of three numbers.
    Send(u8),
    /// A send to each of so many other numbers.
    Burst(u8),
    /// The oldest send that is still held never left.
    Release,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let pass = prop_oneof![
        (0..40_u64).prop_map(Duration::from_millis),
        (0..40_u64).prop_map(Duration::from_secs),
    ];
    let act = prop_oneof![
        2 => pass.prop_map(Act::Pass),
        4 => (1..4_u8).prop_map(Act::Send),
        1 => (1..80_u8).prop_map(Act::Burst),
        1 => Just(Act::Release),
    ];
    prop::collection::vec(act, 1..60)
}

/// Claims of every kind: exact and coarse counts, one time and several, and
/// different things.
fn claims_of(number: u8) -> Vec<Claim> {
    let quota = |count: u64, seconds| Quota {
        count: count.try_into().unwrap(),
        per: Duration::from_secs(seconds),
    };
    let claim = |limit, subject: String, quotas| Claim {
        limit,
        subject,
        quotas,
        different: None,
        amount: 1,
    };
    if number > 3 {
        let quotas = vec![quota(65, 7), quota(100, 30)];
        return vec![claim(Limit::SendsTotal, String::new(), quotas)];
    }
    vec![
        claim(
            Limit::SendsPerNumber,
            number.to_string(),
            vec![quota(3, 20), quota(5, 61)],
        ),
        Claim {
            different: Some(number.to_string()),
            ..claim(Limit::NumbersPerAddress, "me".into(), vec![quota(2, 25)])
        },
    ]
}

/// What a home said to each act, in order.
async fn said(home: &Home, acts: &[Act]) -> Vec<String> {
    let mut said = Vec::new();
    let mut under_way: VecDeque<(NewSession, Hold)> = VecDeque::new();
    for act in acts {
        let numbers = match *act {
            Act::Pass(time) => {
                home.advance(time);
                continue;
            }
            Act::Release => {
                if let Some((new, hold)) = under_way.pop_front() {
                    home.store.release_send(&new.recipient, hold).await.unwrap();
                }
                continue;
            }
            Act::Send(number) => number..number + 1,
            Act::Burst(count) => 10..10 + count,
        };
        for number in numbers {
            let new = new_session(number);
            let claims = claims_of(number);
            match home
                .store
                .reserve_send(&new.recipient, terms(claims))
                .await
                .unwrap()
            {
                SendReservation::Reserved(hold) => {
                    said.push(format!("yes {hold:?}"));
                    under_way.push_back((new, hold));
                }
                SendReservation::Wait(wait) => said.push(format!("no {wait:?}")),
            }
        }
    }
    said
}

/// The two homes count alike, to the millisecond, whatever comes in which order.
#[test]
fn both_homes_say_the_same() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = RedisServer::start();
    let mut runner = runner(60);
    let met = Mutex::new(HashSet::new());
    let outcome = runner.run(&acts(), |acts| {
        runtime.block_on(async {
            let () = server.command(&["FLUSHALL"]);
            let file = Home::sqlite_by(hasty_rules());
            let redis = Home::redis_by(&server.url(), hasty_rules()).await;
            *redis.clock.0.lock().unwrap() = file.clock.now();
            let (file, redis) = (said(&file, &acts).await, said(&redis, &acts).await);
            for limit in ["SendsTotal", "SendsPerNumber", "NumbersPerAddress", "None"] {
                if file
                    .iter()
                    .any(|word| word.starts_with("no") && word.contains(limit))
                {
                    met.lock().unwrap().insert(limit);
                }
            }
            prop_assert_eq!(file, redis);
            Ok(())
        })
    });
    outcome.unwrap();
    let met = met.into_inner().unwrap();
    assert_eq!(met.len(), 4, "limits that were met: {met:?}");
}

/// The same cases each time: what is met in them is counted on.
fn runner(cases: u32) -> TestRunner {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// What may happen next to the books.
#[derive(Clone, Debug)]
enum Deed {
    Pass(Duration),
    /// A send to one of six numbers of two ranges, that Plivo takes, or that
    /// never leaves.
    Send(u8, bool),
    /// One more of the session that was sent last.
    Resend,
    /// The code of the oldest session is given back.
    Verify,
    /// Plivo tells what the newest session costs.
    Charge(u64, u64),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let pass = prop_oneof![
        3 => (0..5_000_u64).prop_map(Duration::from_millis),
        2 => (0..200_u64).prop_map(Duration::from_secs),
        1 => (0..50_u64).prop_map(Duration::from_mins),
    ];
    let deed = prop_oneof![
        3 => pass.prop_map(Deed::Pass),
        6 => (0..6_u8, prop::bool::weighted(0.9)).prop_map(|(number, taken)| Deed::Send(number, taken)),
        1 => Just(Deed::Resend),
        2 => Just(Deed::Verify),
        2 => (0..90_000_u64, 0..9_000_u64).prop_map(|(sms, check)| Deed::Charge(sms, check)),
    ];
    prop::collection::vec(deed, 1..120)
}

/// What a home has in its books after each deed.
async fn books(home: &Home, deeds: &[Deed]) -> Vec<String> {
    let mut said = Vec::new();
    let mut sessions = VecDeque::new();
    let place = |number: u8| Place {
        prefix: format!("+141555{}", number % 2),
        ..here()
    };
    let asked = |number| SendTerms {
        claims: vec![costs(30_000 + 1_000 * u64::from(number))],
        place: place(number),
    };
    for deed in deeds {
        match *deed {
            Deed::Pass(time) => home.advance(time),
            Deed::Send(number, taken) => {
                let new = new_session(number);
                let reserved = home
                    .store
                    .reserve_send(&new.recipient, asked(number))
                    .await
                    .unwrap();
                said.push(format!("{reserved:?}"));
                let SendReservation::Reserved(hold) = reserved else {
                    continue;
                };
                if taken {
                    let upstream = format!("upstream {number}");
                    let sent = home.store.record_sent(&new, upstream, &hold).await.unwrap();
                    sessions.push_back((number, sent));
                } else {
                    home.store.release_send(&new.recipient, hold).await.unwrap();
                }
            }
            Deed::Resend => {
                let Some((number, session)) = sessions.back() else {
                    continue;
                };
                let reserved = home.store.reserve_resend(session, asked(*number), true);
                let reserved = reserved.await.unwrap();
                said.push(format!("{reserved:?}"));
                if let ResendReservation::Reserved(hold) = reserved {
                    let upstream = session.upstream_id.clone();
                    let resent = home
                        .store
                        .record_resent(session, Channel::Voice, upstream, &hold);
                    resent.await.unwrap().unwrap();
                }
            }
            Deed::Verify => {
                let Some((number, session)) = sessions.pop_front() else {
                    continue;
                };
                let reserved = home
                    .store
                    .reserve_check(session.id, no_limits())
                    .await
                    .unwrap();
                if let CheckReservation::Reserved { hold, .. } = reserved {
                    let place = place(number);
                    let settled = home.store.settle_check(session.id, true, hold, &place);
                    settled.await.unwrap();
                }
            }
            Deed::Charge(sms, check) => {
                let Some((_, session)) = sessions.back() else {
                    continue;
                };
                let charges = Charges {
                    attempts: vec![
                        (Channel::Sms, MicroDollars(sms)),
                        (Channel::Voice, MicroDollars(sms / 2)),
                        (Channel::Sms, MicroDollars(sms / 3)),
                    ],
                    validation: MicroDollars(check),
                };
                let noted = home.store.note_charges(session, charges, Some(costs(0)));
                said.push(format!("{:?}", noted.await.unwrap()));
                if let Ok(session) = home.store.session(session.id).await.unwrap() {
                    said.push(format!("{:?}", session.deliveries));
                }
            }
        }
        said.push(format!("{:?}", home.store.used(costs(0)).await.unwrap()));
    }
    said
}

/// The two homes keep the same books of money and of codes given back, whatever
/// comes in which order.
#[test]
fn both_homes_keep_the_same_books() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = RedisServer::start();
    let mut runner = runner(60);
    let met = Mutex::new(HashSet::new());
    let outcome = runner.run(&(deeds(), any::<bool>()), |(deeds, enforced)| {
        let rules = || Rules {
            resend_waits: vec![Duration::from_millis(1)],
            conversion: Some(ConversionRule {
                floor: 50,
                least: 5.try_into().unwrap(),
                grace: Duration::from_secs(10),
                cooling: Duration::from_mins(1),
                enforced,
            }),
            ..rules()
        };
        runtime.block_on(async {
            let () = server.command(&["FLUSHALL"]);
            let file = Home::sqlite_by(rules());
            let redis = Home::redis_by(&server.url(), rules()).await;
            *redis.clock.0.lock().unwrap() = file.clock.now();
            let (file, redis) = (books(&file, &deeds).await, books(&redis, &deeds).await);
            for word in [
                "limit: Some(Spend)",
                "limit: Some(ConversionPerCountry)",
                "limit: Some(ConversionPerPrefix)",
                "found: Some(Share",
                "found: None",
                "is_charged: true",
                "channel: Some(Voice)",
                "channel: None",
            ] {
                if file.iter().any(|it| it.contains(word)) {
                    met.lock().unwrap().insert(word);
                }
            }
            prop_assert_eq!(file, redis);
            Ok(())
        })
    });
    outcome.unwrap();
    let met = met.into_inner().unwrap();
    assert_eq!(met.len(), 8, "what was met: {met:?}");
}

/// Runs each of these in every home; in a cluster one after the other.
macro_rules! in_every_home {
    ($($name:ident)+) => {
        #[tokio::test]
        async fn in_a_redis_cluster() {
            let cluster = RedisCluster::start();
            $(
                cluster.flush();
                $name(Home::redis_at(&cluster.url()).await).await;
            )+
            let nodes = cluster.keys();
            let used = nodes.iter().filter(|keys| !keys.is_empty());
            assert_eq!(used.count(), 1, "one decision, one slot: {nodes:?}");
        }
        mod in_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Home::sqlite()).await;
            })+
        }
        mod in_redis {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Home::redis().await).await;
            })+
        }
    };
}

in_every_home! {
    the_time_is_that_of_its_own_clock
    a_session_is_there_once_plivo_took_the_send
    two_accepted_checks_at_once_are_one_success
    an_answer_that_comes_after_the_end_is_no_success
    a_right_code_counts_beside_the_last_wrong_one
    a_check_that_never_left_is_given_back_and_no_more
    a_send_that_never_left_frees_the_number_and_one_that_may_have_does_not
    a_release_leaves_the_rung_of_a_later_send_alone
    a_resend_moves_neither_the_end_nor_the_checks
    an_ended_session_is_remembered_for_an_hour_by_its_name_only
    a_resend_is_counted_given_back_and_refused_once_over
    a_check_released_on_the_last_one_opens_the_session_again
    the_limit_that_is_full_the_longest_is_named
    a_keyed_request_is_taken_once_and_answered_alike
    a_key_is_compared_with_few_requests_however_they_come
    what_is_used_up_leaves_less_for_checks
    checks_that_are_under_way_are_used
    a_session_that_is_done_takes_no_step
    a_proof_is_spent_once
    attempts_are_learned_in_any_order_and_one_at_a_time_asks
    what_is_over_leaves_nothing_behind
    a_cap_holds_what_codes_cost
    a_charge_stands_in_the_place_of_what_was_expected_and_once
    a_session_that_two_share_is_charged_once
    where_too_few_codes_are_given_back_is_found_once
}
