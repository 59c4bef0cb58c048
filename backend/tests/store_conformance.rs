//! What every home of the state must do, step by step.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, SystemTime},
};

use countersign_backend::{
    clock::Clock,
    config::{Config, Quota},
    store::{
        CheckReservation, Claim, Hold, Limit, NewSession, ResendReservation, SendReservation,
        Session, SessionOver, Settlement, Store, Vault, sqlite::SqliteStore,
    },
};
use countersign_shared::{Channel, Locale, PhoneNumber, SessionId, session::SessionStatus};

/// Makes each session's name another one.
static NEXT: AtomicU8 = AtomicU8::new(0);

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
    _directory: tempfile::TempDir,
}

impl Home {
    fn sqlite() -> Self {
        let settings = Config::read(|name| (name == "PLIVO_MODE").then(|| "sandbox".to_owned()));
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(StoppedClock(Mutex::new(SystemTime::now())));
        let store = SqliteStore::open(
            &directory.path().join("countersign.db"),
            Vault::new(&Vault::random_key()).unwrap(),
            settings.unwrap().rules,
            Some(clock.clone()),
        );
        Self {
            store: Arc::new(store.unwrap()),
            clock,
            _directory: directory,
        }
    }

    fn advance(&self, by: Duration) {
        *self.clock.0.lock().unwrap() += by;
    }

    async fn reserved(&self, number: u8) -> (NewSession, Hold) {
        let new = NewSession {
            id: SessionId::from_random_bytes([NEXT.fetch_add(1, Ordering::Relaxed); 16]),
            recipient: PhoneNumber::parse(&format!("+141555501{number:02}")).unwrap(),
            channel: Channel::Sms,
            locale: Locale::parse("en").unwrap(),
        };
        match self.store.reserve_send(&new, Vec::new()).await.unwrap() {
            SendReservation::Reserved(hold) => (new, hold),
            SendReservation::Wait(wait) => panic!("{wait:?}"),
        }
    }

    async fn live(&self, number: u8) -> Session {
        let (new, _) = self.reserved(number).await;
        self.store
            .record_sent(new.id, "upstream".into())
            .await
            .unwrap()
    }

    async fn check(&self, id: SessionId, claims: Vec<Claim>) -> Hold {
        match self.store.reserve_check(id, claims).await.unwrap() {
            CheckReservation::Reserved { hold, upstream_id } => {
                assert_eq!(upstream_id, "upstream");
                hold
            }
            other => panic!("{other:?}"),
        }
    }

    async fn over(&self, id: SessionId) -> Option<SessionOver> {
        self.store.session(id).await.unwrap().err()
    }
}

fn wrong_checks(count: u32) -> Vec<Claim> {
    vec![Claim {
        limit: Limit::WrongChecksPerNumber,
        subject: "+14155550101".into(),
        quotas: vec![Quota {
            count: count.try_into().unwrap(),
            per: Duration::from_hours(1),
        }],
        different: None,
    }]
}

#[tokio::test]
async fn a_session_is_there_once_plivo_took_the_send() {
    let home = Home::sqlite();
    let (new, _hold) = home.reserved(1).await;
    assert_eq!(home.over(new.id).await, Some(SessionOver::NotFound));
    let session = home
        .store
        .record_sent(new.id, "upstream".into())
        .await
        .unwrap();
    assert_eq!(session.recipient, new.recipient);
    assert_eq!(session.locale, new.locale);
    assert_eq!(session.status, SessionStatus::Pending);
    assert_eq!((session.checks_left, session.deliveries.len()), (5, 1));
    assert_eq!(session.expires_in, Duration::from_mins(10));
    assert_eq!(session.resend_in, Duration::from_secs(30));
}

#[tokio::test]
async fn two_accepted_checks_at_once_are_one_success() {
    let home = Home::sqlite();
    let id = home.live(1).await.id;
    let (first, second) = (home.check(id, vec![]).await, home.check(id, vec![]).await);
    let settled = home.store.settle_check(id, true, first).await.unwrap();
    assert!(matches!(settled, Settlement::Verified(_)));
    let settled = home.store.settle_check(id, true, second).await.unwrap();
    assert!(matches!(
        settled,
        Settlement::Over(SessionOver::AlreadyVerified)
    ));
}

#[tokio::test]
async fn an_answer_that_comes_after_the_end_is_no_success() {
    let home = Home::sqlite();
    let id = home.live(1).await.id;
    let hold = home.check(id, vec![]).await;
    home.advance(Duration::from_mins(10));
    let settled = home.store.settle_check(id, true, hold).await.unwrap();
    assert!(matches!(settled, Settlement::Over(SessionOver::Expired)));
}

#[tokio::test]
async fn a_right_code_counts_beside_the_last_wrong_one() {
    let home = Home::sqlite();
    let id = home.live(1).await.id;
    let right = home.check(id, vec![]).await;
    for left in (0..4).rev() {
        let hold = home.check(id, vec![]).await;
        let settled = home.store.settle_check(id, false, hold).await.unwrap();
        assert!(matches!(settled, Settlement::Incorrect { checks_left } if checks_left == left));
    }
    let refused = home.store.reserve_check(id, vec![]).await.unwrap();
    assert!(matches!(
        refused,
        CheckReservation::Over(SessionOver::ChecksExhausted)
    ));
    let settled = home.store.settle_check(id, true, right).await.unwrap();
    assert!(matches!(settled, Settlement::Verified(_)));
}

#[tokio::test]
async fn a_check_that_never_left_is_given_back_and_no_more() {
    let home = Home::sqlite();
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
    let settled = home.store.settle_check(id, true, again).await.unwrap();
    assert!(matches!(settled, Settlement::Verified(session) if session.checks_left == 3));
    drop(kept);
}

#[tokio::test]
async fn a_send_that_never_left_frees_the_number_and_one_that_may_have_does_not() {
    let home = Home::sqlite();
    let (new, hold) = home.reserved(1).await;
    home.store.release_send(&new, hold).await.unwrap();
    let (new, _hold) = home.reserved(1).await;
    home.store.abandon_send(new.id).await.unwrap();
    assert_eq!(home.over(new.id).await, Some(SessionOver::NotFound));
    let again = home.store.reserve_send(&new, vec![]).await.unwrap();
    assert!(
        matches!(again, SendReservation::Wait(wait) if wait.retry_after == Duration::from_secs(30))
    );
}

#[tokio::test]
async fn a_release_leaves_the_rung_of_a_later_send_alone() {
    let home = Home::sqlite();
    let (new, slow) = home.reserved(1).await;
    home.advance(Duration::from_secs(30));
    let (_, _second) = home.reserved(1).await;
    home.store.release_send(&new, slow).await.unwrap();
    let again = home.store.reserve_send(&new, vec![]).await.unwrap();
    assert!(
        matches!(again, SendReservation::Wait(wait) if wait.retry_after == Duration::from_mins(1))
    );
}

#[tokio::test]
async fn a_resend_moves_neither_the_end_nor_the_checks() {
    let home = Home::sqlite();
    let session = home.live(1).await;
    home.advance(Duration::from_secs(30));
    let reserved = home.store.reserve_resend(&session, vec![]).await.unwrap();
    assert!(matches!(reserved, ResendReservation::Reserved(_)));
    let recorded = home
        .store
        .record_resent(session.id, Channel::Voice, "another".into());
    let resent = recorded.await.unwrap().unwrap();
    assert_eq!(resent.expires_at, session.expires_at);
    assert_eq!(resent.checks_left, 5);
    assert_eq!(resent.upstream_id, "another");
    let channels: Vec<_> = resent.deliveries.iter().map(|it| it.channel).collect();
    assert_eq!(channels, [Channel::Sms, Channel::Voice]);
}

#[tokio::test]
async fn an_ended_session_is_remembered_for_an_hour_by_its_name_only() {
    let home = Home::sqlite();
    let id = home.live(1).await.id;
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
    let resent = home.store.record_resent(id, Channel::Sms, "late".into());
    assert_eq!(resent.await.unwrap().err(), Some(SessionOver::NotFound));
}
